"""What a seller does with a lead that was taken: attempts, qualification, the deal and its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from serving.handoff.decision.conditions import ConditionResult, Value
from serving.handoff.decision.definitions import run_definitions
from serving.handoff.lifecycle.clocks import (
    ATTEMPTED_AT,
    COUNTED_FROM,
    find_counted_from,
    find_held_since,
)
from serving.handoff.lifecycle.context import SOURCE, ActionContext
from serving.handoff.lifecycle.enqueue import enqueue_event
from serving.handoff.lifecycle.errors import AttemptTimeError, NotQualifiedError
from serving.handoff.lifecycle.give_back import put_on_track
from serving.handoff.lifecycle.lead_facts import read_lead_facts
from serving.handoff.lifecycle.record import apply_transition, lock_handoff
from serving.handoff.machine.transitions import MOVES, Signal, State
from serving.handoff.playbook.repository import read_cited
from serving.intake.records.ingest import ingest_records
from serving.intake.records.parsing import ParsedAttempt
from serving.intake.records.skew import TOLERATED
from serving.store.session import UnitOfWork
from serving.store.tables import Attempt, Handoff

# Of other systems, made since the lead came into these hands, and not yet followed by a move.
REPORTED = """
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
    work: UnitOfWork, handoff_id: int, tried: Tried, context: ActionContext
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
    AttemptTimeError
        If it is still to come, or was made before the lead came into these hands.
    """
    row = lock_handoff(work, handoff_id)
    identity = f"{handoff_id} {tried.at.isoformat()} {tried.channel} {tried.result}"
    at = min(tried.at, context.at)
    attempt = ParsedAttempt(
        row.lead_id,
        SOURCE,
        tried.attempt_id or sha256(identity.encode()).hexdigest()[:24],
        at,
        str(handoff_id),
        tried.channel,
        tried.result,
        row.seller_id,
    )
    # In a deal, attempts are conversations: they are kept, and move nothing.
    moves = (State(row.state), Signal.ATTEMPT) in MOVES
    if not moves and State(row.state) not in {State.QUALIFIED, State.IN_DEAL}:
        apply_transition(work, row, Signal.ATTEMPT, context)
    _check_time(work, row, tried.at, context.at)
    landed = ingest_records(work, [attempt], context.at, context.catalog)[0] == "landed"
    if landed and moves:
        counted_from = find_counted_from(at, context.at, SOURCE)
        facts = _describe_attempt(at, counted_from, tried.channel, tried.result)
        apply_transition(work, row, Signal.ATTEMPT, context, facts=facts)
    return row, landed


def _check_time(work: UnitOfWork, row: Handoff, at: datetime, now: datetime) -> None:
    if at > now + TOLERATED:
        raise AttemptTimeError("lies in the future", "Log an attempt once it was made.")
    since = find_held_since(work, row)
    if since is not None and at < since:
        raise AttemptTimeError(
            f"lies before the lead was taken ({since:%Y-%m-%d %H:%M:%S} UTC)",
            "Log what was done since; who called earlier says so when taking the lead.",
        )


def _describe_attempt(
    at: datetime, counted_from: datetime, channel: str, result: str | None
) -> dict[str, Any]:
    times = {ATTEMPTED_AT: at.isoformat(), COUNTED_FROM: counted_from.isoformat()}
    return {**times, "channel": channel, "result": result}


def list_reported_attempts(
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
    return [(handoff_id, number) for handoff_id, number in work.execute(REPORTED, asked)]


def follow_reported_attempt(
    work: UnitOfWork, handoff_id: int, number: int, context: ActionContext
) -> list[str]:
    """Have an attempt that another system told of move its handoff, as one logged here does."""
    row = lock_handoff(work, handoff_id)
    if not list_reported_attempts(work, context.at, 1, number):
        return []  # another sweep was faster, or the lead has gone on
    attempt = work.session.get_one(Attempt, number)
    counted_from = find_counted_from(attempt.at, attempt.known_at, attempt.source)
    facts = _describe_attempt(attempt.at, counted_from, attempt.channel, attempt.result)
    facts |= {"attempt": number}
    apply_transition(work, row, Signal.ATTEMPT, context, facts=facts)
    return ["attempt told"]


def qualify(
    work: UnitOfWork, handoff_id: int, answers: Mapping[str, Value], context: ActionContext
) -> Handoff:
    """Record what the lead told after contact, and that it is a SQL by the agreed definition.

    Raises
    ------
    NotQualifiedError
        If it does not meet the definition with these answers, or nobody can tell.
    """
    row = lock_handoff(work, handoff_id)
    agreed = read_cited(work, row.playbook_version)
    lead_facts = read_lead_facts(work, row.lead_id, context.at, agreed.playbook.kinds)
    answers_known = dict(lead_facts.facts.answers) | dict(answers)
    facts = type(lead_facts.facts)(
        lead_facts.facts.as_of,
        lead_facts.facts.attributes,
        lead_facts.facts.events,
        lead_facts.facts.stages,
        answers_known,
        lead_facts.facts.score,
    )
    found = run_definitions(agreed.playbook, facts).sql
    if found.verdict is not ConditionResult.MET:
        raise NotQualifiedError(found.because)
    apply_transition(
        work,
        row,
        Signal.QUALIFY,
        context,
        facts={"answers": dict(answers)},
        supplied=("qualification",),
    )
    enqueue_event(work, row, "handoff.qualified", "qualified", context.at)
    return row


def open_deal(work: UnitOfWork, handoff_id: int, context: ActionContext) -> Handoff:
    """Record that an opportunity is open."""
    row = lock_handoff(work, handoff_id)
    apply_transition(work, row, Signal.OPEN_DEAL, context)
    return row


def win(work: UnitOfWork, handoff_id: int, context: ActionContext) -> Handoff:
    """Record that the lead became a customer."""
    row = lock_handoff(work, handoff_id)
    apply_transition(work, row, Signal.WIN, context)
    enqueue_event(work, row, "handoff.won", "won", context.at)
    return row


def lose(
    work: UnitOfWork, handoff_id: int, reason: str, context: ActionContext, note: str | None = None
) -> Handoff:
    """Record that the deal was lost; the lead goes back to marketing, on the track for that."""
    row = lock_handoff(work, handoff_id)
    apply_transition(work, row, Signal.LOSE, context, reason=reason, note=note)
    section = read_cited(work, row.playbook_version).playbook.returns
    because = f"Lost: goes to the track {section.lost_track}."
    put_on_track(
        work,
        row,
        section.lost_track,
        context.at,
        because,
        rest_days=section.lost_cooling_days,
    )
    enqueue_event(work, row, "handoff.lost", "lost", context.at, track=section.lost_track)
    return row
