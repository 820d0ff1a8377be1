"""The table of moves: what becomes of a handoff, of its lead's stage and of its clocks. Pure.

The state decides which clocks run, so a move starts, stops, pauses and resumes what differs between
its two states: no clock can be forgotten.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from features.lifecycle.stages import Stage
from serving.handoff.machine.errors import ImpossibleMoveError, MissingFactError


class State(StrEnum):
    """Where a handoff stands."""

    DECIDED = "decided"
    """The policy handed the lead over; nothing has been done yet."""
    HELD = "held"
    """Back with marketing until the packet holds what was agreed."""
    QUEUED = "queued"
    """Offered to sales; no seller yet."""
    ASSIGNED = "assigned"
    """A seller is asked: take it or not."""
    ASSIGNED_ASKING = "assigned_asking"
    """The seller asked marketing something before answering."""
    ACCEPTED = "accepted"
    """Taken; nobody has tried to reach the lead yet."""
    WORKING = "working"
    """Attempts are being made."""
    WORKING_ASKING = "working_asking"
    """The seller waits for something from marketing."""
    QUALIFIED = "qualified"
    """Need, budget, authority and timeline are known: a SQL."""
    IN_DEAL = "in_deal"
    """An opportunity is open."""
    WON = "won"
    LOST = "lost"
    REJECTED = "rejected"
    """Given back without being taken."""
    RETURNED = "returned"
    """Given back after being taken, with a reason."""
    GIVEN_UP = "given_up"
    """Given back because nobody could be reached, after the attempts that were agreed."""
    WITHDRAWN = "withdrawn"
    """Taken back by marketing or by rule: a duplicate, do not contact."""


class Signal(StrEnum):
    """What makes a handoff move."""

    HAND_OVER = "hand_over"
    HOLD = "hold"
    SUPPLY = "supply"
    """Marketing supplied what was missing or asked."""
    RELEASE = "release"
    """Marketing lets a held packet go as it is."""
    WITHDRAW = "withdraw"
    ASSIGN = "assign"
    ACCEPT = "accept"
    REJECT = "reject"
    HAND_ON = "hand_on"
    """The seller cannot take it now, which says nothing of the lead."""
    ANSWER_OVERDUE = "answer_overdue"
    CONTACT_OVERDUE = "contact_overdue"
    REASSIGN = "reassign"
    ASK = "ask"
    """The seller asks marketing; sales' clocks pause."""
    ATTEMPT = "attempt"
    QUALIFY = "qualify"
    OPEN_DEAL = "open_deal"
    WIN = "win"
    LOSE = "lose"
    GIVE_BACK = "give_back"
    GIVE_UP = "give_up"


class Clock(StrEnum):
    """What somebody promised to do within a time."""

    ASSIGNMENT = "assignment"
    """The system: find a seller."""
    ANSWER = "answer"
    """Sales: take the lead or reject it."""
    FIRST_CONTACT = "first_contact"
    """Sales: make the first attempt."""
    DECISION = "decision"
    """Sales: qualify the lead or give it back."""
    SUPPLY = "supply"
    """Marketing: supply what is missing or asked."""


class Custody(StrEnum):
    """In whose hands the lead lies. There is no "nobody"."""

    MARKETING = "marketing"
    QUEUE = "queue"
    """Whoever assigns in sales."""
    SELLER = "seller"
    CUSTOMER_TEAM = "customer_team"


@dataclass(frozen=True)
class StateFacts:
    """What a state means."""

    custody: Custody
    running: frozenset[Clock] = frozenset()
    paused: frozenset[Clock] = frozenset()
    closed: bool = False


def _open(custody: Custody, *running: Clock, paused: Iterable[Clock] = ()) -> StateFacts:
    return StateFacts(custody, frozenset(running), frozenset(paused))


def _closed(custody: Custody) -> StateFacts:
    return StateFacts(custody, closed=True)


STATES: Mapping[State, StateFacts] = MappingProxyType(
    {
        State.DECIDED: _open(Custody.MARKETING),
        State.HELD: _open(Custody.MARKETING, Clock.SUPPLY),
        State.QUEUED: _open(Custody.QUEUE, Clock.ASSIGNMENT),
        State.ASSIGNED: _open(Custody.SELLER, Clock.ANSWER),
        State.ASSIGNED_ASKING: _open(Custody.SELLER, Clock.SUPPLY, paused=(Clock.ANSWER,)),
        State.ACCEPTED: _open(Custody.SELLER, Clock.FIRST_CONTACT, Clock.DECISION),
        State.WORKING: _open(Custody.SELLER, Clock.DECISION),
        State.WORKING_ASKING: _open(Custody.SELLER, Clock.SUPPLY, paused=(Clock.DECISION,)),
        State.QUALIFIED: _open(Custody.SELLER),
        State.IN_DEAL: _open(Custody.SELLER),
        State.WON: _closed(Custody.CUSTOMER_TEAM),
        State.LOST: _closed(Custody.MARKETING),
        State.REJECTED: _closed(Custody.MARKETING),
        State.RETURNED: _closed(Custody.MARKETING),
        State.GIVEN_UP: _closed(Custody.MARKETING),
        State.WITHDRAWN: _closed(Custody.MARKETING),
    }
)
"""Custody and clocks of each state."""

OPEN = frozenset(state for state, facts in STATES.items() if not facts.closed)
BEFORE_SALES = frozenset({State.DECIDED, State.HELD})
"""The lead is still marketing's: its stage has not moved."""


@dataclass(frozen=True)
class Move:
    """What a signal does to a handoff."""

    origin: State
    to: State
    stage: Stage | None = None
    """Stage the lead enters; None: it stays where it is."""
    needs: tuple[str, ...] = ()
    """What must be told with it."""

    @property
    def starts(self) -> frozenset[Clock]:
        """Clocks that begin anew."""
        return self._known(self.to) - self._known(self.origin)

    @property
    def stops(self) -> frozenset[Clock]:
        """Clocks whose promise is kept or void."""
        return self._known(self.origin) - self._known(self.to)

    @property
    def pauses(self) -> frozenset[Clock]:
        """Clocks that wait for marketing."""
        return STATES[self.to].paused & STATES[self.origin].running

    @property
    def resumes(self) -> frozenset[Clock]:
        """Clocks that go on where they were paused."""
        return STATES[self.origin].paused & STATES[self.to].running

    @staticmethod
    def _known(state: State) -> frozenset[Clock]:
        return STATES[state].running | STATES[state].paused


_WITH_SELLER_BEFORE_SQL = (
    State.ACCEPTED,
    State.WORKING,
    State.WORKING_ASKING,
)

_LISTED = (
    (Signal.HAND_OVER, Move(State.DECIDED, State.QUEUED, Stage.MQL)),
    (Signal.HOLD, Move(State.DECIDED, State.HELD)),
    (Signal.SUPPLY, Move(State.HELD, State.QUEUED, Stage.MQL)),
    (Signal.RELEASE, Move(State.HELD, State.QUEUED, Stage.MQL)),
    (Signal.ASSIGN, Move(State.QUEUED, State.ASSIGNED, needs=("seller",))),
    (Signal.ACCEPT, Move(State.ASSIGNED, State.ACCEPTED, Stage.SAL)),
    # Who calls has taken the lead, box ticked or not.
    (Signal.ATTEMPT, Move(State.ASSIGNED, State.WORKING, Stage.SAL)),
    (Signal.REJECT, Move(State.ASSIGNED, State.REJECTED, Stage.RETURNED, ("reason",))),
    (Signal.REJECT, Move(State.ASSIGNED_ASKING, State.REJECTED, Stage.RETURNED, ("reason",))),
    (Signal.HAND_ON, Move(State.ASSIGNED, State.QUEUED)),
    (Signal.ANSWER_OVERDUE, Move(State.ASSIGNED, State.QUEUED)),
    (Signal.REASSIGN, Move(State.ASSIGNED, State.QUEUED)),
    (Signal.REASSIGN, Move(State.ASSIGNED_ASKING, State.QUEUED)),
    (Signal.ASK, Move(State.ASSIGNED, State.ASSIGNED_ASKING, needs=("question",))),
    (Signal.SUPPLY, Move(State.ASSIGNED_ASKING, State.ASSIGNED)),
    (Signal.ATTEMPT, Move(State.ACCEPTED, State.WORKING)),
    (Signal.CONTACT_OVERDUE, Move(State.ACCEPTED, State.QUEUED)),
    (Signal.ATTEMPT, Move(State.WORKING, State.WORKING)),
    (Signal.ASK, Move(State.WORKING, State.WORKING_ASKING, needs=("question",))),
    (Signal.SUPPLY, Move(State.WORKING_ASKING, State.WORKING)),
    (Signal.QUALIFY, Move(State.WORKING, State.QUALIFIED, Stage.SQL, ("qualification",))),
    (Signal.GIVE_UP, Move(State.WORKING, State.GIVEN_UP, Stage.RETURNED)),
    (Signal.OPEN_DEAL, Move(State.QUALIFIED, State.IN_DEAL, Stage.OPPORTUNITY)),
    (Signal.WIN, Move(State.QUALIFIED, State.WON, Stage.WON)),
    (Signal.LOSE, Move(State.QUALIFIED, State.LOST, Stage.LOST, ("reason",))),
    (Signal.WIN, Move(State.IN_DEAL, State.WON, Stage.WON)),
    (Signal.LOSE, Move(State.IN_DEAL, State.LOST, Stage.LOST, ("reason",))),
    (Signal.GIVE_BACK, Move(State.QUALIFIED, State.RETURNED, Stage.RETURNED, ("reason",))),
    *(
        (Signal.GIVE_BACK, Move(state, State.RETURNED, Stage.RETURNED, ("reason",)))
        for state in _WITH_SELLER_BEFORE_SQL
    ),
    # Its stage stays: a new MQL would count as a second handoff.
    *((Signal.REASSIGN, Move(state, State.QUEUED)) for state in _WITH_SELLER_BEFORE_SQL),
    *(
        (
            Signal.WITHDRAW,
            Move(
                state,
                State.WITHDRAWN,
                None if state in BEFORE_SALES else Stage.LEAD,
                ("reason",),
            ),
        )
        for state in State
        if state in OPEN
    ),
)

MOVES: Mapping[tuple[State, Signal], Move] = MappingProxyType(
    {(move.origin, signal): move for signal, move in _LISTED}
)
"""Every move there is."""


def list_signals(state: State) -> tuple[Signal, ...]:
    """List what a handoff in this state can take."""
    return tuple(signal for signal in Signal if (state, signal) in MOVES)


def move_from(state: State, signal: Signal) -> Move:
    """Get the move that a signal makes.

    Raises
    ------
    ImpossibleMoveError
        If there is none; it lists the signals that are possible.
    """
    move = MOVES.get((state, signal))
    if move is None:
        raise ImpossibleMoveError(state, signal, list_signals(state))
    return move


def check_supplied(signal: Signal, move: Move, supplied: Iterable[str]) -> None:
    """Check that everything the move needs was told with it.

    Raises
    ------
    MissingFactError
        Naming what is missing.
    """
    missing = tuple(need for need in move.needs if need not in set(supplied))
    if missing:
        raise MissingFactError(signal, missing)
