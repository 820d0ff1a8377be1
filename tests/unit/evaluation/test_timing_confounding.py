"""Hidden picks are found where they are strong, and not where they are not."""

import numpy as np
import pytest

from training.timing.proof.confounding import Surprise, list_warnings, measure_surprise


def draw(rng: np.random.Generator, hidden: float, n: int = 3_000):
    """Draw handoffs whose picks rest, by ``hidden``, on what is not foretold."""
    seen, unseen = rng.normal(size=(2, n))
    picked = rng.random(n) < 1 / (1 + np.exp(-hidden * unseen))
    sql = rng.random(n) < 1 / (1 + np.exp(1 - seen - unseen))
    return picked, sql, 1 / (1 + np.exp(1 - 0.85 * seen)), np.arange(n)


def test_picks_by_what_nobody_logged_stand_out():
    surprise = measure_surprise("picked", *draw(np.random.default_rng(3), hidden=2.0))

    assert surprise.interval.low > 0.5


def test_picks_at_random_do_not_stand_out():
    surprise = measure_surprise("picked", *draw(np.random.default_rng(4), hidden=0.0))

    assert surprise.interval.covers(0.0)


def test_too_few_of_a_kind_say_nothing():
    picked, sql, foretold, lead = draw(np.random.default_rng(5), hidden=0.0, n=100)
    picked = np.arange(100) < 20

    assert np.isnan(measure_surprise("picked", picked, sql, foretold, lead).log_odds)


UNKNOWN = measure_surprise("drawn by lot", np.zeros(9), np.zeros(9), np.full(9, 0.5), np.arange(9))
KNOWN = measure_surprise("picked", *draw(np.random.default_rng(6), hidden=0.0))


def stand_out(kind: str, sign: float) -> Surprise:
    picked, sql, foretold, lead = draw(np.random.default_rng(7), hidden=2.0 * sign)
    return measure_surprise(kind, picked, sql, foretold, lead)


@pytest.mark.parametrize(
    ("surprises", "words"),
    [
        ((stand_out("picked", 1.0), UNKNOWN), ["sellers see what the log does not hold"]),
        ((KNOWN, stand_out("lot", -1.0)), ["handed over by lot become an SQL less often"]),
        ((UNKNOWN, UNKNOWN), ["Nothing here tells whether sellers saw more"]),
        ((KNOWN, UNKNOWN), []),
    ],
    ids=["picks too good", "lots too bad", "nothing to go by", "nothing found"],
)
def test_what_is_found_is_said_with_the_remedy(surprises, words):
    said = list_warnings(surprises)

    assert len(said) == len(words)
    assert all(part in line for part, line in zip(words, said, strict=True))
