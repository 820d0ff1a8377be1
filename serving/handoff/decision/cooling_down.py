"""What becomes of a lead that sales gives back: its track, its rest, and what wakes it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from features.lifecycle.reasons import FINDING_OF, Finding, ReturnReason
from serving.handoff.decision.activity import Activity
from serving.handoff.machine.errors import MissingFactError, NotPersistentEnoughError
from serving.handoff.machine.transitions import Signal
from serving.handoff.playbook.sections.returns import MEANS, Returns, SalesReason
from serving.handoff.pursuit.rules import Persisted
from serving.handoff.wording import format_count

_REASON_WORDS = {
    SalesReason.BAD_FIT: "bad fit",
    SalesReason.NO_BUDGET: "no budget",
    SalesReason.NO_AUTHORITY: "no authority to decide",
    SalesReason.NO_NEED_NOW: "no need now",
    SalesReason.NO_INTEREST: "no interest",
    SalesReason.UNREACHABLE: "could not be reached",
    SalesReason.WRONG_DATA: "wrong contact data",
    SalesReason.DUPLICATE: "a duplicate",
    SalesReason.COMPETITOR: "with a competitor",
    SalesReason.OTHER: "another reason",
}


def name_sales_reason(reason: SalesReason) -> str:
    """Say a reason within a sentence.

    >>> name_sales_reason(SalesReason.NO_NEED_NOW)
    'no need now'
    """
    return _REASON_WORDS[reason]


def check_return(
    section: Returns, reason: SalesReason, text: str | None, persisted: Persisted | None
) -> None:
    """Check that a lead may be given back for this reason.

    Parameters
    ----------
    section
        ``[returns]`` of the playbook.
    reason, text
        What the seller says.
    persisted
        What was tried, by ``pursuit.find_persistence``; None if there was no pursuit, which counts
        as nothing tried.

    Raises
    ------
    MissingFactError
        If the reason asks for a sentence and there is none.
    NotPersistentEnoughError
        If the reason asks for the attempts of the plan and they were not made.
    """
    rule = section.reasons[reason]
    if rule.needs_text and len((text or "").strip()) < section.text_letters:
        raise MissingFactError(Signal.GIVE_BACK, (f"a text of {section.text_letters} letters",))
    if not rule.needs_persistence:
        return
    if persisted is None:
        raise NotPersistentEnoughError(
            "No attempt to reach the lead is recorded.",
            "Log the attempts that were made, or make those of the plan.",
        )
    if not persisted.enough:
        raise NotPersistentEnoughError(persisted.because, persisted.fix)


@dataclass(frozen=True)
class Recycle:
    """What becomes of a returned lead."""

    reason: SalesReason
    means: ReturnReason
    """As the stage change says it, so that labels and features read it."""
    finding: Finding | None
    """What the return says of the lead, as models are taught it."""
    track: str
    """Nurture track; its owner is marketing."""
    rests_until: datetime
    because: str


def decide_recycle(section: Returns, reason: SalesReason, returned_at: datetime) -> Recycle:
    """Decide where a returned lead goes and how long it rests."""
    rule = section.reasons[reason]
    until = returned_at + timedelta(days=rule.cooling_days)
    rest = f"and rests until {until:%Y-%m-%d}" if rule.cooling_days else "without a rest"
    because = f"Given back ({name_sales_reason(reason)}): goes to the track {rule.track} {rest}."
    means = MEANS[reason]
    return Recycle(reason, means, FINDING_OF.get(means), rule.track, until, because)


@dataclass(frozen=True)
class EarlierHandoff:
    """A handoff of the same lead that has ended, for the next one to know of."""

    handoff_id: str
    handed_at: datetime
    ended_at: datetime
    seller: str | None
    reason: SalesReason | None
    """Of a return; None: it ended otherwise."""
    text: str | None = None
    """What the seller added."""
    attempts: int = 0
    lost: bool = False

    @property
    def words(self) -> str:
        """Say it to the next seller."""
        by = f" to {self.seller}" if self.seller else ""
        if self.reason is not None:
            ended = f"returned on {self.ended_at:%Y-%m-%d} ({name_sales_reason(self.reason)})"
        else:
            ended = f"{'lost' if self.lost else 'ended'} on {self.ended_at:%Y-%m-%d}"
        tried = format_count(self.attempts, "attempt", "attempts")
        sentence = f'; the seller wrote: "{self.text.strip()}"' if self.text else ""
        return f"Handed over{by} on {self.handed_at:%Y-%m-%d}, {ended} after {tried}{sentence}."


@dataclass(frozen=True)
class Rest:
    """Whether a lead that came back still rests."""

    resting: bool
    until: datetime
    because: str


def find_rest(
    section: Returns, earlier: EarlierHandoff, since: Iterable[Activity], at: datetime
) -> Rest:
    """Find whether a lead still rests after its last handoff ended.

    Parameters
    ----------
    section
        ``[returns]`` of the playbook.
    earlier
        The lead's last handoff.
    since
        Activities of the lead; those up to the end of that handoff do not count.
    at
        The moment of looking.
    """
    if earlier.reason is None:
        days = section.lost_cooling_days if earlier.lost else 0.0
        until = earlier.ended_at + timedelta(days=days)
        return _rest_by_time("was lost" if earlier.lost else "ended", earlier, until, at)
    rule = section.reasons[earlier.reason]
    until = earlier.ended_at + timedelta(days=rule.cooling_days)
    fresh = [a for a in since if earlier.ended_at < a.at < at and a.engaging]
    for activity in sorted(fresh, key=lambda a: a.at):
        if activity.kind in rule.reopened_by:
            kind = activity.kind.replace("_", " ")
            return Rest(False, until, f"re-opened by {kind} on {activity.at:%Y-%m-%d}")
    if rule.reopened_after and len(fresh) >= rule.reopened_after:
        many = format_count(len(fresh), "activity", "activities")
        return Rest(False, until, f"re-opened by {many} since it came back")
    sentence = f"was given back ({name_sales_reason(earlier.reason)})"
    return _rest_by_time(sentence, earlier, until, at)


def _rest_by_time(what: str, earlier: EarlierHandoff, until: datetime, at: datetime) -> Rest:
    when = f"it {what} on {earlier.ended_at:%Y-%m-%d}"
    if at < until:
        return Rest(True, until, f"{when} and rests until {until:%Y-%m-%d}")
    return Rest(False, until, f"{when}; its rest ended on {until:%Y-%m-%d}")


def find_waking(section: Returns, earlier: EarlierHandoff, since: Iterable[Activity]) -> datetime:
    """Find the first moment at which a lead rests no more, given all that it will do.

    For looking back on a history: ``find_rest`` calls the lead resting at exactly the moments before.
    """
    if earlier.reason is None:
        days = section.lost_cooling_days if earlier.lost else 0.0
        return earlier.ended_at + timedelta(days=days)
    rule = section.reasons[earlier.reason]
    until = earlier.ended_at + timedelta(days=rule.cooling_days)
    fresh = sorted(
        (a for a in since if a.at > earlier.ended_at and a.engaging), key=lambda a: a.at
    )
    waking = [a.at for a in fresh if a.kind in rule.reopened_by][:1]
    if rule.reopened_after and len(fresh) >= rule.reopened_after:
        waking.append(fresh[rule.reopened_after - 1].at)
    # An activity counts from the moment after it.
    return min([until, *(at + timedelta(microseconds=1) for at in waking)])
