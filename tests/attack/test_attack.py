"""The attacks and their measure are sound: at a small size, without a server of their own."""

import random

from tests.attack.__main__ import MOST_CPU_SECONDS, MOST_GROWTH, MOST_WAIT_SECONDS, Outcome
from tests.attack.attacks import ATTACKS
from tests.attack.hostile_bodies import draw_body


def test_an_attack_that_does_too_much_is_found_to_have_succeeded() -> None:
    assert not Outcome(requests=1, p99=0.1).succeeded
    for outcome in (
        Outcome(faults=1),
        Outcome(cpu_seconds=MOST_CPU_SECONDS + 0.1),
        Outcome(growth=MOST_GROWTH + 1),
        Outcome(p99=MOST_WAIT_SECONDS + 0.1),
        Outcome(others=["503"]),
    ):
        assert outcome.succeeded


def test_the_same_seed_draws_the_same_bodies() -> None:
    drawn = [
        [draw_body(rng) for _ in range(50)]
        for rng in (random.Random(7), random.Random(7))  # noqa: S311 - the same ones each time
    ]

    assert drawn[0] == drawn[1]


def test_every_attack_describes_what_it_sends() -> None:
    assert all(attack.__doc__ for attack in ATTACKS.values())
