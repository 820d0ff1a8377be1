"""What becomes a label, and what must not."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from features.clock import DAY_US
from features.contracts.attempts import ATTEMPT_SCHEMA
from features.contracts.events import EVENT_SCHEMA
from features.contracts.history import History, HistoryManifest
from features.contracts.leads import LEAD_SCHEMA
from features.contracts.stages import STAGE_SCHEMA
from features.lifecycle.reasons import Finding
from features.lifecycle.stages import Stage
from features.lifecycle.targets import TARGETS, find_target
from features.taxonomy import default_taxonomy
from training.labels.conversion import Grid, Outcome, label_history

BORN = datetime(2024, 1, 1, tzinfo=UTC)
SQL_IN_30 = Outcome(Stage.SQL, 30 * DAY_US)


def history(moves, *, until_day=365, observed_from=None) -> History:
    """One lead; moves as (day, stage), (day, stage, day it became known), or those and a reason."""
    rows = []
    for day, stage, *known in moves:
        at = BORN + timedelta(days=day)
        known_at = BORN + timedelta(days=known[0]) if known else at
        reason = known[1] if len(known) > 1 else None
        row = {"lead_id": "ann", "at": at, "known_at": known_at, "stage": stage}
        rows.append(row | {"reason": reason})
    lead = {"lead_id": "ann", "known_at": BORN, "created_at": BORN}
    return History(
        pa.Table.from_pylist([lead], LEAD_SCHEMA),
        pa.Table.from_pylist([], EVENT_SCHEMA),
        pa.Table.from_pylist(rows, STAGE_SCHEMA),
        pa.Table.from_pylist([], ATTEMPT_SCHEMA),
        HistoryManifest(
            "test", default_taxonomy(), BORN + timedelta(days=until_day), observed_from
        ),
    )


def labels(moves, days, outcome=SQL_IN_30, **about) -> dict[int, int]:
    """The label of each day looked at, as far as there is one."""
    grid = Grid(tuple(day * DAY_US for day in days), "at chosen days")
    labelled = label_history(history(moves, **about), outcome, grid)
    born_us = int(BORN.timestamp() * 1_000_000)
    seen = [(int(t) - born_us) // DAY_US for t in labelled.snapshots.as_of]
    return dict(zip(seen, labelled.converted.tolist(), strict=True))


@pytest.mark.parametrize(
    ("moves", "days", "meant"),
    [
        pytest.param([(20, "sql")], [1, 10], {1: 1, 10: 1}, id="reached within the horizon"),
        pytest.param([(60, "sql")], [1, 31], {1: 0, 31: 1}, id="reached later"),
        pytest.param([(31, "sql")], [1], {1: 0}, id="the end of the horizon is outside"),
        pytest.param([(1, "sql")], [1], {1: 1}, id="the moment of looking is inside"),
        pytest.param([(20, "won")], [1], {1: 1}, id="won means qualified, ticked or not"),
        pytest.param([(5, "sql")], [1, 8], {1: 1}, id="a qualified lead is not looked at"),
        pytest.param([(5, "lost")], [1, 8], {1: 0}, id="a lost lead is not looked at"),
        pytest.param(
            [(5, "sql"), (9, "returned"), (30, "sql")], [8, 10], {10: 1}, id="a return reopens"
        ),
        pytest.param(
            [(5, "sql", 12)], [8], {}, id="converted already, known only later: no label"
        ),
        pytest.param([(5, "lost", 12)], [8], {8: 0}, id="lost, known only later: still looked at"),
    ],
)
def test_labels(moves, days, meant):
    assert labels(moves, days) == meant


def test_a_label_exists_only_when_its_whole_horizon_was_observed():
    # The lead converts on day 12; seen on day 10 that is known at once, yet a lead that did not
    # convert would not be known by then: counting only the early winners would flatter.
    assert labels([(12, "sql")], [5, 10], until_day=36) == {5: 1}


def test_labels_wait_as_long_as_outcomes_take_to_be_recorded():
    # Outcomes are entered ten days late: on day 45 nobody can tell yet whether the horizon that
    # ended on day 40 brought one.
    late = [(20, "sql", 30)]
    assert labels(late, [1, 10], until_day=45) == {1: 1}
    assert labels(late, [1, 10], until_day=50) == {1: 1, 10: 1}
    labelled = label_history(history(late), SQL_IN_30, Grid((DAY_US,), "on day 1"))
    assert labelled.delay_us == 10 * DAY_US
    assert (labelled.known_at - labelled.snapshots.as_of).tolist() == [40 * DAY_US]


@pytest.mark.parametrize(
    ("stages", "is_looked_at"),
    [
        (["lost", "mql"], False),
        (["mql", "lost"], False),
        (["returned", "sql"], True),
        (["sql", "returned"], True),
        (["lost", "won"], False),
    ],
)
def test_changes_of_one_moment_replay_in_the_order_of_the_funnel(stages, is_looked_at):
    seen = labels([(5, stage) for stage in stages], [8])
    assert bool(seen) is is_looked_at


def test_leads_from_before_outcomes_were_recorded_are_left_out():
    assert labels([(20, "sql")], [1], observed_from=BORN + timedelta(days=1)) == {}
    assert labels([(20, "sql")], [1], observed_from=BORN) == {1: 1}


def test_any_stage_and_horizon_can_be_the_outcome():
    won_in_90 = Outcome(Stage.WON, 90 * DAY_US)
    assert labels([(20, "sql"), (80, "won")], [1, 30], won_in_90) == {1: 1, 30: 1}
    lost = Outcome(Stage.LOST, 7 * DAY_US)
    assert labels([(20, "lost")], [1, 15], lost) == {1: 0, 15: 1}


def returned(finding: Finding | None, days: int = 30) -> Outcome:
    return Outcome(Stage.RETURNED, days * DAY_US, finding)


@pytest.mark.parametrize(
    ("outcome", "meant"),
    [
        (returned(None), {6: 1, 9: 1, 31: 1}),
        (returned(Finding.UNREACHABLE), {6: 1, 9: 1, 31: 0}),
        (returned(Finding.REJECTED), {6: 0, 9: 0, 31: 1}),
        (returned(Finding.TOO_EARLY), {6: 0, 9: 0, 31: 0}),
    ],
)
def test_a_return_is_predicted_by_what_it_finds_of_leads_that_stand_with_sales(outcome, meant):
    moves = [
        (5, "mql"),
        (8, "sal"),
        (20, "returned", 20, "No answer"),
        (30, "mql"),
        (40, "returned", 40, "wrong industry"),
    ]
    # Day 1: not handed over yet. Days 21 and 41: back with marketing.
    assert labels(moves, [1, 6, 9, 21, 31, 41], outcome) == meant


@pytest.mark.parametrize("reason", [None, "", "duplicate", "nobody knows why"])
def test_a_return_without_a_finding_is_a_return_and_neither_a_rejection_nor_unreachable(reason):
    moves = [(5, "mql"), (20, "returned", 20, reason)]
    assert labels(moves, [6], returned(None)) == {6: 1}
    assert [labels(moves, [6], returned(finding)) for finding in Finding] == [{6: 0}] * 3


def test_a_lead_nobody_ever_moved_is_not_with_sales():
    labelled = label_history(history([]), returned(None), Grid((DAY_US,), "on day 1"))
    assert labelled.left_out == {"not with sales": 1}


def test_a_return_known_only_later_is_no_moment_to_predict_it():
    assert labels([(5, "mql"), (8, "returned", 12, "too early")], [9, 10], returned(None)) == {}


LOST_IN_30 = Outcome(Stage.LOST, 30 * DAY_US)


@pytest.mark.parametrize(
    "moves",
    [
        pytest.param([], id="never moved"),
        pytest.param([(5, "mql")], id="open with sales"),
        pytest.param([(5, "mql"), (9, "returned", 9, "no response")], id="unreachable"),
        pytest.param([(5, "mql"), (9, "returned", 9, "bad fit")], id="rejected"),
        pytest.param([(5, "sql")], id="qualified"),
        pytest.param([(50, "lost")], id="lost after the horizon"),
    ],
)
def test_an_open_lead_is_never_counted_as_lost(moves):
    assert set(labels(moves, [1, 10], LOST_IN_30).values()) == {0}


def test_a_censored_lead_has_no_label_lost_or_not():
    # Seen until day 35: what becomes of it until day 40 nobody knows.
    for moves in ([], [(5, "mql")], [(20, "lost")]):
        assert labels(moves, [10], LOST_IN_30, until_day=35) == {}


def test_lost_is_lost_whatever_reason_is_written_beside_it():
    moves = [(5, "mql"), (20, "lost", 20, "unreachable")]
    assert labels(moves, [6], LOST_IN_30) == {6: 1}
    assert labels(moves, [6], returned(Finding.UNREACHABLE)) == {6: 0}


def test_accepted_by_sales_within_two_weeks():
    sal_in_14 = Outcome(Stage.SAL, 14 * DAY_US)
    moves = [(5, "mql"), (12, "sal"), (20, "returned"), (40, "sql")]
    assert labels(moves, [1, 13, 21, 30], sal_in_14) == {1: 1, 21: 0, 30: 1}


def test_only_a_return_has_a_finding():
    with pytest.raises(ValueError, match="not won as that"):
        Outcome(Stage.WON, DAY_US, Finding.REJECTED)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.text)
def test_an_outcome_states_its_event_and_can_be_read_back(target):
    outcome = Outcome.of(target, 14 * DAY_US)
    assert find_target(outcome.target.text) == outcome.target == target
    assert outcome.words.endswith(" within 14 days")
    assert outcome.name.replace("-", "").isalpha()
    assert outcome.is_hoped_for is (target.stage not in {Stage.LOST, Stage.RETURNED})
