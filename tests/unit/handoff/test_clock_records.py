"""Promises of time as moves tell them: kept, broken, void; in time or late, whenever one looks."""

from datetime import UTC, datetime, timedelta

from serving.handoff.clocks.rules import list_promises
from serving.handoff.clocks.working_hours import WorkingHours
from serving.handoff.lifecycle.clocks import list_runs
from serving.handoff.machine.transitions import Clock, Signal, State, move_from
from serving.handoff.playbook.sections.sla import Calendar, Sla
from serving.handoff.scoreboard.clock_records import list_records
from serving.handoff.scoreboard.rules import ClockRecord
from serving.store.tables import HandoffMove

MONDAY = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
NIGHT_AND_DAY = WorkingHours(
    Calendar(time_zone="UTC", hours=("mon-sun 00:00-24:00",), country=None)
)
PROMISES = list_promises(Sla(), Sla().priorities[1])  # answer and first contact within 4 hours


def hours(n: float) -> datetime:
    return MONDAY + timedelta(hours=n)


def make_moves(*listed: tuple[float, Signal, str | None]) -> list[HandoffMove]:
    """Make moves from a handoff's start, each so many hours after Monday at nine."""
    state, moves = State.DECIDED, []
    for at, signal, seller in listed:
        move = move_from(state, signal)
        moves.append(
            HandoffMove(
                at=hours(at),
                origin=state,
                state=move.to,
                signal=signal,
                seller_id=seller,
                facts={},
            )
        )
        state = move.to
    return moves


def read(moves: list[HandoffMove], at: datetime) -> dict[Clock, list[ClockRecord]]:
    records: dict[Clock, list[ClockRecord]] = {}
    for record in list_records(
        list_runs(moves),
        PROMISES,
        lambda _: NIGHT_AND_DAY,
        at,
        team_of={"ann": "north"}.get,
        source="fair",
    ):
        records.setdefault(record.clock, []).append(record)
    return records


ASSIGNED = ((0, Signal.HAND_OVER, None), (0, Signal.ASSIGN, "ann"))


def test_an_answer_in_time_keeps_the_promise_and_starts_the_next_ones() -> None:
    records = read(make_moves(*ASSIGNED, (2, Signal.ACCEPT, "ann")), hours(3))

    (answer,) = records[Clock.ANSWER]
    assert (answer.started_at, answer.due_at, answer.done_at) == (hours(0), hours(4), hours(2))
    assert (answer.team, answer.seller, answer.source) == ("north", "ann", "fair")
    assert records[Clock.FIRST_CONTACT][0].done_at is None


def test_a_promise_nobody_touches_is_broken_by_time_alone() -> None:
    (answer,) = read(make_moves(*ASSIGNED), hours(100))[Clock.ANSWER]

    assert (answer.due_at, answer.done_at) == (hours(4), None)


def test_a_lead_taken_back_before_the_answer_was_due_counts_for_nobody() -> None:
    moves = make_moves(*ASSIGNED, (1, Signal.WITHDRAW, None))

    assert Clock.ANSWER not in read(moves, hours(100))


def test_a_lead_taken_away_because_the_answer_was_late_is_a_broken_promise_of_that_seller() -> (
    None
):
    moves = make_moves(*ASSIGNED, (9, Signal.ANSWER_OVERDUE, None), (9, Signal.ASSIGN, "bob"))

    first, second = read(moves, hours(10))[Clock.ANSWER]

    assert (first.seller, first.due_at, first.done_at) == ("ann", hours(4), None)
    assert (second.seller, second.started_at) == ("bob", hours(9))


def test_time_in_which_marketing_is_asked_does_not_count_against_sales() -> None:
    moves = make_moves(
        *ASSIGNED, (1, Signal.ASK, "ann"), (11, Signal.SUPPLY, "ann"), (13, Signal.ACCEPT, "ann")
    )

    records = read(moves, hours(20))

    (answer,) = records[Clock.ANSWER]
    assert (answer.due_at, answer.done_at) == (hours(14), hours(13))
    (supply,) = records[Clock.SUPPLY]
    assert (supply.started_at, supply.done_at) == (hours(1), hours(11))


def test_giving_a_lead_back_unreached_decides_it_but_is_no_first_contact() -> None:
    moves = make_moves(*ASSIGNED, (1, Signal.ACCEPT, "ann"), (2, Signal.GIVE_BACK, "ann"))

    records = read(moves, hours(20))

    assert records[Clock.DECISION][0].done_at == hours(2)
    assert Clock.FIRST_CONTACT not in records
