"""What the store knows of a lead at a moment, as the rules of the handoff take it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from features import clock
from features.contracts.provenance import Facts, combine_facts
from features.contracts.records import EventRecord, StageRecord
from features.lifecycle.stages import Stage, funnel_position
from features.taxonomy import Taxonomy
from serving.explain.reasons import Reason
from serving.handoff.decision.activity import Activity
from serving.handoff.decision.conditions import ConditionFacts, Value
from serving.handoff.decision.cooling_down import EarlierHandoff
from serving.handoff.decision.rules import Drawn, ScoreFacts, TimingFacts
from serving.handoff.machine.transitions import State
from serving.handoff.packet.timeline import KindWords, Moment
from serving.handoff.playbook.sections.returns import SalesReason
from serving.leads.queries import get_lead, list_members
from serving.store.session import UnitOfWork

TICK = timedelta(microseconds=1)
WEEK = timedelta(days=7)
GAVE_BACK = frozenset({State.REJECTED, State.RETURNED, State.GIVEN_UP})
VERDICTS: Mapping[str, Literal["now", "wait", "let_go"]] = {
    "hand_off_now": "now",
    "hand_off_later": "wait",
    "keep_nurturing": "wait",
    "let_go": "let_go",
}
"""What the rules make of the verdict that came with a score; of no other they know."""

OF_THE_CRM = "of another system"
"""How a lead is named to be in hand that sales works without a handoff of ours."""

ATTRIBUTES = """
SELECT DISTINCT ON (lead_id) lead_id, source, account_id, attributes, origins, account_source
FROM lead_version
WHERE lead_id = ANY(%(ids)s) AND known_at < %(look)s ORDER BY lead_id, known_at DESC, version_id DESC
"""
# A kind that the taxonomy does not know is still what the source calls it.
EVENTS = """
SELECT occurred_at, known_at, kind, coalesce(name, sent_kind), channel, value,
    properties ->> 'campaign' FROM event
WHERE lead_id = ANY(%(ids)s) AND known_at < %(look)s AND occurred_at < %(look)s
ORDER BY occurred_at, event_number
"""
STAGES = """
SELECT at, known_at, stage, reason, source FROM stage_change
WHERE lead_id = ANY(%(ids)s) AND known_at < %(look)s AND at < %(look)s
"""
ATTEMPTS = """
SELECT at, channel, result, actor FROM attempt
WHERE lead_id = ANY(%(ids)s) AND known_at < %(look)s ORDER BY at, attempt_number
"""
ANSWERS = """
SELECT m.facts -> 'answers' FROM handoff_move m JOIN handoff h USING (handoff_id)
WHERE h.lead_id = ANY(%(ids)s) AND m.at < %(look)s AND m.facts ? 'answers' ORDER BY m.move_number
"""
SCORE = """
SELECT points, band, answer FROM score WHERE lead_id = %(id)s AND as_of < %(look)s
    AND (%(contract)s::text IS NULL OR contract = %(contract)s)
ORDER BY as_of DESC, score_number DESC LIMIT 1
"""
# One that was closed later was open then: state and reason are only read of those that were closed.
HANDOFFS = """
SELECT h.handoff_id, h.state, coalesce(h.handed_at, h.decided_at),
    CASE WHEN h.closed_at < %(look)s THEN h.closed_at END, h.seller_id, h.reason, h.reason_text, (
        SELECT count(*) FROM attempt a
        WHERE a.handoff_id = h.handoff_id::text AND a.known_at < %(look)s
    )
FROM handoff h WHERE h.lead_id = ANY(%(ids)s) AND h.decided_at < %(look)s ORDER BY h.handoff_id
"""
DRAWN = """
SELECT (SELECT count(*) FROM decision
        WHERE propensity IS NOT NULL AND verdict = 'hand_off' AND at >= %(since)s
            AND at < %(look)s),
    (SELECT max(at) FROM decision
        WHERE propensity IS NOT NULL AND lead_id = ANY(%(ids)s) AND at < %(look)s)
"""


@dataclass(frozen=True)
class LeadFacts:
    """What is known of a lead at a moment of looking."""

    lead_id: str
    """The lead it is by now, if it was merged."""
    members: tuple[str, ...]
    look: datetime
    """What became known before this moment counts."""
    account_id: str | None
    facts: ConditionFacts
    activities: tuple[Activity, ...]
    attempts: tuple[Moment, ...]
    stage: Stage
    stage_since: datetime | None
    in_hand: str | None
    """Id of the handoff that is open, or that another system has it."""
    earlier: tuple[EarlierHandoff, ...]
    score: ScoreFacts | None
    timing: TimingFacts | None
    """What came with that score about the best moment."""
    reasons: tuple[Reason, ...]
    worth: float | None
    """Expected value where amounts are known, else the points."""
    drawn: Drawn

    def find_attribute(self, *names: str) -> str | None:
        """Find the first attribute of some names that is known, as text."""
        values = (self.facts.attributes.get(name) for name in names)
        return next((str(v) for v in values if v is not None and v != ""), None)

    def is_so(self, *names: str) -> bool:
        """Whether one of some flags is set."""
        return any(self.facts.attributes.get(name) in {True, "true", "yes"} for name in names)


def read_lead_facts(
    work: UnitOfWork,
    lead_id: str,
    at: datetime,
    taxonomy: Taxonomy,
    contract: str | None = None,
    *,
    is_now: bool = True,
) -> LeadFacts:
    """Read what was known of a lead at a moment, what became known at that very moment too.

    Parameters
    ----------
    work
        To read with.
    lead_id
        The lead, or one that was merged into it.
    at
        The moment.
    taxonomy
        Says which kinds of events are the lead's own doing.
    contract
        Which score counts; the latest of any, if left out.
    is_now
        Whether the moment is now: then the latest score counts, whose look may lie a little ahead.

    Raises
    ------
    LeadNotFoundError
        If there is no such lead.
    """
    lead = get_lead(work, lead_id)
    members = list_members(work, lead.lead_id)
    ahead = lead.last_scored_as_of if is_now else None
    look = max(at, ahead or at) + TICK
    asked: dict[str, Any] = {"ids": members, "look": look, "id": lead.lead_id}
    score = work.execute(SCORE, {**asked, "contract": contract}).first()
    answer = _read_score(score)
    rows = list(work.execute(STAGES, asked))
    stages = sorted(rows, key=lambda row: (row[0], funnel_position(row[2])))
    handoffs = list(work.execute(HANDOFFS, asked))
    events = list(work.execute(EVENTS, asked))
    stage, since = (Stage(stages[-1][2]), stages[-1][0]) if stages else (Stage.LEAD, None)
    return LeadFacts(
        lead.lead_id,
        tuple(members),
        look,
        lead.account_id,
        ConditionFacts(
            clock.to_us(look),
            _read_attributes(work, members, asked),
            tuple(_as_event(row) for row in events),
            tuple(StageRecord(clock.to_us(r[0]), clock.to_us(r[1]), r[2], r[3]) for r in stages),
            _read_answers(work, asked),
            None if score is None else score[0],
        ),
        tuple(_as_activity(row, taxonomy) for row in events),
        tuple(_as_moment(row) for row in work.execute(ATTEMPTS, asked)),
        stage,
        since,
        _find_in_hand(handoffs, stages),
        tuple(_as_earlier(row) for row in handoffs if row[3] is not None),
        None if score is None else ScoreFacts(score[0], score[1], answer.get("why")),
        _read_timing(answer),
        tuple(_as_reason(one) for one in answer.get("reasons", ())),
        answer.get("expected_value") or (None if score is None else score[0]),
        _read_drawn(work, asked, at),
    )


def _read_score(row: Any) -> dict[str, Any]:
    if row is None:
        return {}
    answer = msgspec.json.decode(bytes(row[2]))
    return answer if isinstance(answer, dict) else {}


def _read_timing(answer: Mapping[str, Any]) -> TimingFacts | None:
    timing = answer.get("timing") or {}
    verdict = VERDICTS.get(timing.get("verdict") or "")
    if verdict is None:
        return None
    words = timing["words"]
    # "Hand off now: …" would say now twice; the other verdicts tell how long, which is worth saying.
    rest = words.partition(": ")[2] if verdict == "now" else words[:1].lower() + words[1:]
    return TimingFacts(verdict, rest or words)


def _read_attributes(
    work: UnitOfWork, members: Sequence[str], asked: Mapping[str, Any]
) -> dict[str, Value]:
    newest = {row[0]: Facts(*row[1:]) for row in work.execute(ATTRIBUTES, asked)}
    return combine_facts([newest[one] for one in reversed(members) if one in newest]).attributes


def _read_answers(work: UnitOfWork, asked: Mapping[str, Any]) -> dict[str, Value]:
    answers: dict[str, Value] = {}
    for recorded in work.execute(ANSWERS, asked).scalars():
        answers |= recorded
    return answers


def _read_drawn(work: UnitOfWork, asked: Mapping[str, Any], at: datetime) -> Drawn:
    this_week, last_at = work.execute(DRAWN, {**asked, "since": at - WEEK}).one()
    return Drawn(this_week, last_at)


def _as_event(row: Any) -> EventRecord:
    return EventRecord(clock.to_us(row[0]), clock.to_us(row[1]), row[2], row[4], row[5])


def _as_activity(row: Any, taxonomy: Taxonomy) -> Activity:
    engaging = row[2] in taxonomy.kinds_in("engagement")
    return Activity(row[0], row[2], row[3], row[4], row[6], engaging)


def _as_moment(row: Any) -> Moment:
    at, channel, result, _ = row
    return Moment(at, f"attempt by {channel}{f' ({result})' if result else ''}")


def _as_reason(reason: Mapping[str, Any]) -> Reason:
    return Reason(
        reason["field"],
        reason["label"],
        reason["sub_score"],
        reason["points"],
        reason["direction"],
        reason["words"],
    )


def _as_earlier(row: Any) -> EarlierHandoff:
    handoff_id, state, handed_at, closed_at, seller, reason, text, attempts = row
    gave_back = State(state) in GAVE_BACK
    return EarlierHandoff(
        str(handoff_id),
        handed_at,
        closed_at,
        seller,
        SalesReason(reason) if gave_back and reason else None,
        text if gave_back else None,
        attempts,
        State(state) is State.LOST,
    )


def _find_in_hand(handoffs: Sequence[Any], stages: Sequence[Any]) -> str | None:
    open_ones = [str(row[0]) for row in handoffs if row[3] is None]
    if open_ones:
        return open_ones[0]
    last = stages[-1] if stages else None
    worked = {Stage.SAL, Stage.SQL, Stage.OPPORTUNITY}
    return OF_THE_CRM if last is not None and Stage(last[2]) in worked else None


def list_kind_words(taxonomy: Taxonomy) -> KindWords:
    """Give the words of a taxonomy for timelines."""
    return KindWords(
        {kind.name: (kind.one, kind.many) for kind in taxonomy.kinds},
        frozenset(taxonomy.kinds_in("high_intent")),
    )
