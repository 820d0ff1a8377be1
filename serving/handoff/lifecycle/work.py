"""What a seller does with a lead that was taken: attempts, qualification, the deal and its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from serving.handoff.decision.conditions import Value, Verdict
from serving.handoff.decision.definitions import run_definitions
from serving.handoff.lifecycle.announce import announce
from serving.handoff.lifecycle.clocks import ATTEMPTED_AT
from serving.handoff.lifecycle.context import Occasion
from serving.handoff.lifecycle.errors import NotQualifiedError
from serving.handoff.lifecycle.give_back import put_on_track
from serving.handoff.lifecycle.lead_facts import read_known
from serving.handoff.lifecycle.record import SOURCE, lock_handoff, take
from serving.handoff.machine.transitions import MOVES, Signal, State
from serving.handoff.playbook.kept import read_cited
from serving.intake.records.landing import land_happenings
from serving.intake.records.reading import ReadAttempt
from serving.store.session import UnitOfWork
from serving.store.tables import Attempt, Handoff

# Of other systems, made since the lead came into these hands, and not yet followed by a move.
TOLD = """
SELECT h.handoff_id, a.attempt_number FROM handoff h
JOIN attempt a ON a.handoff_id = h.handoff_id::text
JOIN lead l ON l.lead_id = a.lead_id JOIN lead o ON o.lead_id = h.lead_id
WHERE h.closed_at IS NULL AND h.state = ANY(%(states)s) AND a.source <> %(own)s AND a.at <= %(at)s
    AND coalesce(l.merged_into, l.lead_id) = coalesce(o.merged_into, o.lead_id)
    AND (%(number)s::bigint IS NULL OR a.attempt_number = %(number)s)
    AND a.at >= (SELECT max(s.at) FROM assignment s WHERE s.handoff_id = h.handoff_id)
    AND NOT EXISTS (
        SELECT FROM handoff_move m WHERE m.handoff_id = h.handoff_id AND m.signal = %(signal)s
            AND m.facts ->> 'attempt' = a.attempt_number::text
    )
ORDER BY a.at, a.attempt_number LIMIT %(most)s
"""
ATTEMPTED_FROM = [state.value for state, signal in MOVES if signal is Signal.ATTEMPT]


@dataclass(frozen=True)
class Tried:
    """An attempt to reach the lead, as a seller logs it."""

    at: datetime
    channel: str
    result: str | None = None
    attempt_id: str | None = None
    """Theirs; left out, what the attempt itself makes unique."""


def log_attempt(
    work: UnitOfWork, handoff_id: int, tried: Tried, occasion: Occasion
) -> tuple[Handoff, bool]:
    """Record an attempt, once; the first one takes the lead if nobody had said so.

    Returns
    -------
    tuple of Handoff and bool
        The handoff, and whether the attempt was new.

    Raises
    ------
    ImpossibleMoveError
        If nobody works on it now.
    """
    row = lock_handoff(work, handoff_id)
    told = f"{handoff_id} {tried.at.isoformat()} {tried.channel} {tried.result}"
    attempt = ReadAttempt(
        row.lead_id,
        SOURCE,
        tried.attempt_id or sha256(told.encode()).hexdigest()[:24],
        tried.at,
        str(handoff_id),
        tried.channel,
        tried.result,
        row.seller_id,
    )
    # In a deal, attempts are conversations: they are kept, and move nothing.
    moves = (State(row.state), Signal.ATTEMPT) in MOVES
    if not moves and State(row.state) not in {State.QUALIFIED, State.IN_DEAL}:
        take(work, row, Signal.ATTEMPT, occasion)
    landed = land_happenings(work, [attempt], occasion.at, occasion.catalog)[0] == "landed"
    if landed and moves:
        facts = _say_attempt(tried.at, tried.channel, tried.result)
        take(work, row, Signal.ATTEMPT, occasion, facts=facts)
    return row, landed


def _say_attempt(at: datetime, channel: str, result: str | None) -> dict[str, Any]:
    return {ATTEMPTED_AT: at.isoformat(), "channel": channel, "result": result}


def list_told(
    work: UnitOfWork, at: datetime, most: int, number: int | None = None
) -> list[tuple[int, int]]:
    """List attempts that other systems told of and that no move has followed, oldest first.

    Parameters
    ----------
    number
        Of one attempt, to see whether it is among them.

    Returns
    -------
    list of tuple of int
        Handoff and number of the attempt.
    """
    asked = {
        "states": ATTEMPTED_FROM,
        "own": SOURCE,
        "signal": Signal.ATTEMPT.value,
        "at": at,
        "most": most,
        "number": number,
    }
    return [(handoff_id, number) for handoff_id, number in work.execute(TOLD, asked)]


def follow_told(work: UnitOfWork, handoff_id: int, number: int, occasion: Occasion) -> list[str]:
    """Have an attempt that another system told of move its handoff, as one logged here does."""
    row = lock_handoff(work, handoff_id)
    if not list_told(work, occasion.at, 1, number):
        return []  # another sweep was faster, or the lead has gone on
    attempt = work.session.get_one(Attempt, number)
    facts = _say_attempt(attempt.at, attempt.channel, attempt.result) | {"attempt": number}
    take(work, row, Signal.ATTEMPT, occasion, facts=facts)
    return ["attempt told"]


def qualify(
    work: UnitOfWork, handoff_id: int, answers: Mapping[str, Value], occasion: Occasion
) -> Handoff:
    """Record what the lead told after contact, and that it is a SQL by the agreed definition.

    Raises
    ------
    NotQualifiedError
        If it does not meet the definition with these answers, or nobody can tell.
    """
    row = lock_handoff(work, handoff_id)
    agreed = read_cited(work, row.playbook_version)
    known = read_known(work, row.lead_id, occasion.at, agreed.playbook.kinds)
    told = dict(known.facts.answers) | dict(answers)
    facts = type(known.facts)(
        known.facts.as_of,
        known.facts.attributes,
        known.facts.events,
        known.facts.stages,
        told,
        known.facts.score,
    )
    found = run_definitions(agreed.playbook, facts).sql
    if found.verdict is not Verdict.MET:
        raise NotQualifiedError(found.because)
    take(
        work,
        row,
        Signal.QUALIFY,
        occasion,
        facts={"answers": dict(answers)},
        told=("qualification",),
    )
    announce(work, row, "handoff.qualified", "qualified", occasion.at)
    return row


def open_deal(work: UnitOfWork, handoff_id: int, occasion: Occasion) -> Handoff:
    """Record that an opportunity is open."""
    row = lock_handoff(work, handoff_id)
    take(work, row, Signal.OPEN_DEAL, occasion)
    return row


def win(work: UnitOfWork, handoff_id: int, occasion: Occasion) -> Handoff:
    """Record that the lead became a customer."""
    row = lock_handoff(work, handoff_id)
    take(work, row, Signal.WIN, occasion)
    announce(work, row, "handoff.won", "won", occasion.at)
    return row


def lose(
    work: UnitOfWork, handoff_id: int, reason: str, occasion: Occasion, note: str | None = None
) -> Handoff:
    """Record that the deal was lost; the lead goes back to marketing, on the track for that."""
    row = lock_handoff(work, handoff_id)
    take(work, row, Signal.LOSE, occasion, reason=reason, note=note)
    section = read_cited(work, row.playbook_version).playbook.returns
    because = f"Lost: goes to the track {section.lost_track}."
    put_on_track(
        work,
        row,
        section.lost_track,
        occasion.at,
        because,
        rest_days=section.lost_cooling_days,
    )
    announce(work, row, "handoff.lost", "lost", occasion.at, track=section.lost_track)
    return row
