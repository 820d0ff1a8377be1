from datetime import UTC, datetime

import pytest

from serving.handoff.playbook.agreement import (
    Side,
    Signature,
    Version,
    VersionState,
    Word,
    decide_signature,
    find_version_in_force,
    standing_at,
)


def may(day: int) -> datetime:
    return datetime(2026, 5, day, 12, tzinfo=UTC)


ONE = Version(1, "aaa", "mia", may(1))
TWO = Version(2, "bbb", "sam", may(10))
BOTH = (ONE, TWO)


def signed(number, side, day, by=None, word=Word.AGREE):
    who = by or {Side.MARKETING: "mia", Side.SALES: "sam"}[side]
    return Signature(number, side, word, who, may(day))


def agreed(number, *days):
    return [signed(number, side, day) for side, day in zip(Side, days, strict=False)]


def test_a_version_holds_from_the_moment_the_second_side_agrees():
    signatures = agreed(1, 2, 4)

    assert find_version_in_force(BOTH, signatures, may(3)) is None
    assert find_version_in_force(BOTH, signatures, may(4)) == ONE
    standing = standing_at(ONE, BOTH, signatures, may(5))
    assert (standing.state, standing.from_at) == (VersionState.IN_FORCE, may(4))
    assert standing.because == (
        "Version 1 was agreed by mia for marketing and sam for sales; it holds since 2026-05-04 12:00."
    )


def test_one_side_alone_puts_nothing_into_force_and_who_is_missing_is_stated():
    standing = standing_at(ONE, BOTH, agreed(1, 2), may(9))

    assert standing.state is VersionState.PROPOSED
    assert standing.agreed[Side.MARKETING].by == "mia"
    assert standing.because == "Version 1 waits for sales to agree."


def test_the_old_version_holds_until_the_new_one_is_agreed_by_both():
    signatures = [*agreed(1, 2, 4), *agreed(2, 11, 13)]

    assert find_version_in_force(BOTH, signatures, may(12)) == ONE
    assert find_version_in_force(BOTH, signatures, may(13)) == TWO
    assert standing_at(ONE, BOTH, signatures, may(12)).state is VersionState.IN_FORCE
    replaced = standing_at(ONE, BOTH, signatures, may(14))
    assert replaced.state is VersionState.REPLACED
    assert replaced.because == "Version 2 took the place of version 1."


def test_an_agreement_can_be_taken_back_until_the_other_side_agrees():
    back = signed(1, Side.MARKETING, 3, word=Word.WITHDRAW)
    signatures = [*agreed(1, 2), back, signed(1, Side.SALES, 4)]

    assert decide_signature(back, BOTH, agreed(1, 2)).counts
    assert find_version_in_force(BOTH, signatures, may(9)) is None
    assert (
        standing_at(ONE, BOTH, signatures, may(9)).because
        == "Version 1 waits for marketing to agree."
    )
    late = signed(1, Side.MARKETING, 8, word=Word.WITHDRAW)
    decided = decide_signature(late, BOTH, agreed(1, 2, 4))
    assert not decided.counts
    assert decided.because == (
        "Both sides have agreed to version 1. Propose another version instead."
    )
    assert find_version_in_force(BOTH, [*agreed(1, 2, 4), late], may(9)) == ONE


def test_there_is_nothing_to_take_back_where_nobody_agreed():
    decided = decide_signature(signed(1, Side.SALES, 2, word=Word.WITHDRAW), BOTH, [])

    assert (decided.counts, decided.because) == (
        False,
        "There is no agreement of sales to take back.",
    )


def test_the_first_signature_waits_for_the_other_side_and_the_second_completes_it():
    first = decide_signature(signed(1, Side.SALES, 2), BOTH, [])
    second = decide_signature(signed(1, Side.MARKETING, 3), BOTH, [signed(1, Side.SALES, 2)])

    assert first.because == "sam agreed to version 1 for sales; it waits for marketing."
    assert second.because == (
        "mia agreed to version 1 for marketing: both sides have, so it holds from now on."
    )


@pytest.mark.parametrize(
    ("signature", "before", "because"),
    [
        (signed(9, Side.SALES, 2), [], "There is no version 9."),
        (
            signed(1, Side.SALES, 3),
            [signed(1, Side.SALES, 2)],
            "sam has agreed for sales already.",
        ),
        (
            signed(1, Side.SALES, 20),
            agreed(2, 11, 13),
            "Version 2 is in force, which is later than version 1. "
            "Propose the earlier text again to return to it.",
        ),
        (
            signed(1, Side.SALES, 3, by="mia"),
            agreed(1, 2),
            "mia has agreed for the other side. Somebody else must agree for sales, or the "
            "playbook say one_person_for_both = true in [goals].",
        ),
    ],
    ids=["no such version", "twice", "an older version", "one person for both"],
)
def test_a_signature_that_does_not_count_states_why(signature, before, because):
    decided = decide_signature(signature, BOTH, before)

    assert (decided.counts, decided.because) == (False, because)


def test_one_person_may_agree_for_both_where_the_playbook_states_so():
    signature = signed(1, Side.SALES, 3, by="mia")

    assert decide_signature(signature, BOTH, agreed(1, 2), one_person_for_both=True).counts
