"""Who is open at a moment: by what had happened and was known by then."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from features.clock import DAY_US, to_us
from features.contracts.attempts import ATTEMPT_SCHEMA
from features.contracts.events import EVENT_SCHEMA
from features.contracts.history import History, HistoryManifest
from features.contracts.leads import LEAD_SCHEMA
from features.contracts.stages import STAGE_SCHEMA
from features.lifecycle.replay import StageChange, standing_at
from features.lifecycle.stages import Stage
from features.lifecycle.targets import Target
from features.taxonomy import default_taxonomy
from training.dataset.open_leads import find_open, find_owners

BORN = datetime(2024, 1, 1, tzinfo=UTC)
SQL = Target(Stage.SQL)


def day(number: float) -> int:
    return to_us(BORN) + round(number * DAY_US)


def make_history(*moves: tuple[str, float, float, str, str | None]) -> History:
    """Make leads of some moves: lead, day it happened, day it was known, stage, who did it."""
    names = dict.fromkeys(name for name, *_ in moves)
    leads = [{"lead_id": name, "known_at": BORN, "created_at": BORN} for name in names]
    rows = [
        {
            "lead_id": name,
            "at": BORN + timedelta(days=at),
            "known_at": BORN + timedelta(days=known),
            "stage": stage,
            "actor": actor,
        }
        for name, at, known, stage, actor in moves
    ]
    return History(
        pa.Table.from_pylist(leads, LEAD_SCHEMA),
        pa.Table.from_pylist([], EVENT_SCHEMA),
        pa.Table.from_pylist(rows, STAGE_SCHEMA),
        pa.Table.from_pylist([], ATTEMPT_SCHEMA),
        HistoryManifest("test", default_taxonomy(), BORN + timedelta(days=365), None),
    )


def test_a_move_counts_once_it_has_happened_and_is_known() -> None:
    history = make_history(
        ("ann", 10, 20, "sql", "sam"), ("bob", 10, 10, "sql", "sue"), ("cid", 1, 1, "mql", "sue")
    )

    open_then = {at: find_open(history, SQL, day(at)).tolist() for at in (10, 15, 20, 21)}
    owners = {at: find_owners(history, day(at)) for at in (10, 15, 21)}

    assert open_then == {10: [0, 1, 2], 15: [0, 2], 20: [0, 2], 21: [2]}
    assert owners == {
        10: {"cid": "sue"},
        15: {"bob": "sue", "cid": "sue"},
        21: {"ann": "sam", "bob": "sue", "cid": "sue"},
    }


def test_nobody_is_open_before_they_were_created() -> None:
    history = make_history(("ann", 1, 1, "mql", None))

    assert find_open(history, SQL, day(0)).tolist() == []
    assert find_open(history, SQL, day(0) + 1).tolist() == [0]


def test_where_a_lead_stands_rests_on_what_was_known() -> None:
    moves = [
        StageChange(day(1), day(1), Stage.MQL),
        StageChange(day(10), day(20), Stage.SQL),
    ]

    standing = {at: standing_at(moves, day(at), SQL) for at in (1, 2, 10, 15, 20, 21)}

    assert [one.stage for one in standing.values()] == [
        Stage.LEAD,
        Stage.MQL,
        Stage.MQL,
        Stage.MQL,
        Stage.MQL,
        Stage.SQL,
    ]
    assert [one.is_open for one in standing.values()] == [True, True, True, True, True, False]
