"""Hidden picks are found where they are strong, and not where they are not."""

import numpy as np
import pytest

from training.timing.proof.confounding import ConfoundingCheck, list_warnings, measure_confounding


def draw(rng: np.random.Generator, hidden: float, n: int = 3_000):
    """Draw handoffs whose picks rest, by ``hidden``, on what is not predicted."""
    seen, unseen = rng.normal(size=(2, n))
    picked = rng.random(n) < 1 / (1 + np.exp(-hidden * unseen))
    sql = rng.random(n) < 1 / (1 + np.exp(1 - seen - unseen))
    return picked, sql, 1 / (1 + np.exp(1 - 0.85 * seen)), np.arange(n)


def test_picks_by_what_nobody_logged_stand_out():
    check_hidden = measure_confounding("picked", *draw(np.random.default_rng(3), hidden=2.0))

    assert check_hidden.interval.low > 0.5


def test_picks_at_random_do_not_stand_out():
    check_hidden = measure_confounding("picked", *draw(np.random.default_rng(4), hidden=0.0))

    assert check_hidden.interval.covers(0.0)


def test_too_few_of_a_kind_state_nothing():
    picked, sql, predicted, lead = draw(np.random.default_rng(5), hidden=0.0, n=100)
    picked = np.arange(100) < 20

    assert np.isnan(measure_confounding("picked", picked, sql, predicted, lead).log_odds)


UNKNOWN = measure_confounding(
    "drawn by lot", np.zeros(9), np.zeros(9), np.full(9, 0.5), np.arange(9)
)
KNOWN = measure_confounding("picked", *draw(np.random.default_rng(6), hidden=0.0))


def stand_out(kind: str, sign: float) -> ConfoundingCheck:
    picked, sql, predicted, lead = draw(np.random.default_rng(7), hidden=2.0 * sign)
    return measure_confounding(kind, picked, sql, predicted, lead)


@pytest.mark.parametrize(
    ("confounding_checks", "words"),
    [
        ((stand_out("picked", 1.0), UNKNOWN), ["sellers see what the log does not hold"]),
        ((KNOWN, stand_out("lot", -1.0)), ["handed over at random become an SQL less often"]),
        ((UNKNOWN, UNKNOWN), ["It cannot be checked here whether sellers saw more"]),
        ((KNOWN, UNKNOWN), []),
    ],
    ids=["picks too good", "lots too bad", "nothing to go by", "nothing found"],
)
def test_what_is_found_is_stated_with_the_remedy(confounding_checks, words):
    output = list_warnings(confounding_checks)

    assert len(output) == len(words)
    assert all(part in line for part, line in zip(words, output, strict=True))
