"""The month as both teams read it: rates, findings, and what to change in the next playbook. Pure.

Rates have Wilson intervals; what was drawn by lot counts by its weight. A recommendation is made only
where the whole interval lies beyond what was agreed, and never about a person.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from serving.handoff.decision.cooling_down import name_sales_reason
from serving.handoff.intervals import Rate, find_rate
from serving.handoff.oversight.rules import (
    Rejection,
    ReviewFinding,
    Ruling,
    Sampled,
    check_rejection,
)
from serving.handoff.playbook.sections.oversight import Oversight
from serving.handoff.playbook.sections.triggers import Trigger
from serving.handoff.wording import format_count

OTHERS = "all others"


@dataclass(frozen=True)
class Answered:
    """A handoff that sales has answered."""

    accepted: bool
    trigger: Trigger
    source: str | None = None
    seller: str | None = None


@dataclass(frozen=True)
class Review:
    """What the overseer found of a sampled rejection."""

    sampled: Sampled
    finding: ReviewFinding


@dataclass(frozen=True)
class Cell:
    """A rate of some of the leads."""

    name: str
    rate: Rate


@dataclass(frozen=True)
class Breakdown:
    """A rate of all, and the same by source, seller and rule; names in the order of the alphabet."""

    everyone: Rate
    by_source: tuple[Cell, ...]
    by_seller: tuple[Cell, ...]
    by_rule: tuple[Cell, ...]


@dataclass(frozen=True)
class Recommendation:
    """What the next playbook might change."""

    place: str
    """Section and field."""
    proposal: str
    because: str


@dataclass(frozen=True)
class MonthlyReport:
    """A month of handoffs, rejections and findings."""

    month: date
    versions: tuple[str, ...]
    """Playbooks under which the rejected leads were handed over."""
    acceptance: Breakdown
    rejections: int
    rulings: Mapping[Ruling, int]
    """What the rule says of every rejection, drawn or not."""
    reviewed: int
    not_reviewed: int
    """Rejections in strata of which the lot took none: no share below speaks for them."""
    findings: Mapping[ReviewFinding, Rate]
    overturned: Breakdown
    recommendations: tuple[Recommendation, ...]


@dataclass(frozen=True)
class _Vote:
    """One lead's part of a rate."""

    counts: bool
    weight: float
    source: str
    seller: str
    rule: str


def build_report(
    month: date,
    answered: Sequence[Answered],
    rejections: Sequence[Rejection],
    reviews: Sequence[Review],
    section: Oversight,
) -> MonthlyReport:
    """Assemble the report of a month.

    Parameters
    ----------
    month
        Its first day.
    answered
        Handoffs that sales answered in the month.
    rejections
        All of the month.
    reviews
        Findings on the month's sample, as far as they are there.
    section
        ``[oversight]`` of the playbook.
    """
    taken = [_vote_of(a.accepted, 1.0, a.source, a.seller, a.trigger) for a in answered]
    acceptance = _break_down(taken, section)
    overturned = _break_down([_overturn(review) for review in reviews], section)
    findings = {
        finding: _rate_of([_found(review, finding) for review in reviews], section)
        for finding in ReviewFinding
    }
    rulings = Counter(check_rejection(r).ruling for r in rejections)
    represented = sum(review.sampled.weight for review in reviews)
    return MonthlyReport(
        month=month,
        versions=tuple(sorted({r.playbook_version for r in rejections})),
        acceptance=acceptance,
        rejections=len(rejections),
        rulings={ruling: rulings[ruling] for ruling in Ruling},
        reviewed=len(reviews),
        not_reviewed=max(len(rejections) - round(represented), 0),
        findings=findings,
        overturned=overturned,
        recommendations=tuple(
            _recommend(acceptance, overturned, findings, rejections, reviews, section)
        ),
    )


def _vote_of(
    counts: bool,
    weight: float,
    source: str | None,
    seller: str | None,
    trigger: Trigger,
) -> _Vote:
    return _Vote(counts, weight, source or "not known", seller or "not known", trigger.value)


def _overturn(review: Review) -> _Vote:
    return _found(review, ReviewFinding.TO_ACCEPT)


def _found(review: Review, finding: ReviewFinding) -> _Vote:
    rejection = review.sampled.rejection
    same = review.finding is finding
    return _vote_of(
        same, review.sampled.weight, rejection.source, rejection.seller, rejection.trigger
    )


def _rate_of(votes: Sequence[_Vote], section: Oversight, least: float = 1) -> Rate:
    """Compute a weighted share; its interval is that of as many simple draws as tell as much.

    The number is Kish's effective sample size, (sum w)^2 / sum w^2 (Survey Sampling, 1965).
    """
    total = sum(vote.weight for vote in votes)
    if len(votes) < least or not total:
        return Rate(None, None, None, len(votes))
    share = sum(vote.weight for vote in votes if vote.counts) / total
    effective = total**2 / sum(vote.weight**2 for vote in votes)
    return find_rate(share * effective, effective, section.confidence)


def _break_down(votes: Sequence[_Vote], section: Oversight) -> Breakdown:
    def cells(of: Callable[[_Vote], str]) -> tuple[Cell, ...]:
        return _list_cells(votes, of, section)

    everyone = _rate_of(votes, section, section.least_cell)
    return Breakdown(
        everyone, cells(lambda v: v.source), cells(lambda v: v.seller), cells(lambda v: v.rule)
    )


def _list_cells(
    votes: Sequence[_Vote], of: Callable[[_Vote], str], section: Oversight
) -> tuple[Cell, ...]:
    """List the rate of each value; small cells are folded into one.

    What is folded is at least two cells and, together, no small cell either: else a small one could
    be told by taking the others from the whole.
    """
    members: dict[str, list[_Vote]] = defaultdict(list)
    for vote in votes:
        members[of(vote)].append(vote)
    smallest_first = sorted(members, key=lambda name: (len(members[name]), name))
    folded: list[str] = []
    for name in smallest_first:
        count = sum(len(members[other]) for other in folded)
        enough = not folded or (len(folded) > 1 and count >= section.least_cell)
        if len(members[name]) >= section.least_cell and enough:
            break
        folded.append(name)
    cells = [
        Cell(name, _rate_of(members[name], section, section.least_cell))
        for name in sorted(set(members) - set(folded))
    ]
    if folded:
        rest = [vote for name in folded for vote in members[name]]
        cells.append(Cell(OTHERS, _rate_of(rest, section, section.least_cell)))
    return tuple(cells)


_TIGHTEN = {
    Trigger.SCORE: ("triggers.score_from", "raise the threshold, or replay a higher one first"),
    Trigger.TIMING: ("triggers.timing_now", 'ask `mql = "met"` of leads the timing model names'),
    Trigger.HAND_RAISER: (
        "triggers.hand_raiser_kinds",
        "take out the requests that are none, such as support or job applications",
    ),
    Trigger.MANUAL: ("triggers.manual_reason_letters", "agree what a reason must say"),
}
"""What to change where a trigger's leads are not accepted. Exploration is meant to be mixed."""


def _recommend(
    acceptance: Breakdown,
    overturned: Breakdown,
    findings: Mapping[ReviewFinding, Rate],
    rejections: Sequence[Rejection],
    reviews: Sequence[Review],
    section: Oversight,
) -> Iterable[Recommendation]:
    yield from _recommend_on_acceptance(acceptance, section)
    yield from _recommend_on_findings(overturned, findings, reviews, section)
    yield from _recommend_on_rulings(rejections, section)


def _recommend_on_acceptance(
    acceptance: Breakdown, section: Oversight
) -> Iterable[Recommendation]:
    agreed = f"agreed are {100 * section.accepted_below:.0f} %"
    for cell in acceptance.by_source:
        if cell.name != OTHERS and _below(cell.rate, section.accepted_below):
            yield Recommendation(
                "stages.mql",
                f"Ask more of leads from {cell.name} before they are handed over.",
                f"Sales accepted {cell.rate.words} of them; {agreed}.",
            )
    for cell in acceptance.by_rule:
        if cell.name in {t.value for t in _TIGHTEN} and _below(cell.rate, section.accepted_below):
            place, proposal = _TIGHTEN[Trigger(cell.name)]
            yield Recommendation(
                place,
                f"{proposal[0].upper()}{proposal[1:]}.",
                f"Of leads handed over by {cell.name.replace('_', ' ')} sales accepted "
                f"{cell.rate.words}; {agreed}.",
            )


def _recommend_on_findings(
    overturned: Breakdown,
    findings: Mapping[ReviewFinding, Rate],
    reviews: Sequence[Review],
    section: Oversight,
) -> Iterable[Recommendation]:
    if _above(overturned.everyone, section.overturned_above):
        reasons = Counter(
            r.sampled.rejection.reason for r in reviews if r.finding is ReviewFinding.TO_ACCEPT
        )
        reason = min(reasons, key=lambda r: (-reasons[r], r.value))
        yield Recommendation(
            f"returns.reasons.{reason.value}.needs_text",
            f"Agree what giving back as {name_sales_reason(reason)} takes, and ask for a sentence.",
            f"{overturned.everyone.words} of the rejections should have been accepted, most often "
            f"this reason; agreed are {100 * section.overturned_above:.0f} % at most.",
        )
    if _above(findings[ReviewFinding.UNCLEAR], section.unclear_above):
        yield Recommendation(
            "stages.mql",
            "Put the criteria in other words; the sampled leads show where the two teams read them "
            "differently.",
            f"The definition was found unclear in {findings[ReviewFinding.UNCLEAR].words}.",
        )
    if _above(findings[ReviewFinding.NOT_FOLLOWED], section.unclear_above):
        yield Recommendation(
            "pursuit.plans",
            "Look at the plan together: a process that many do not follow may be the wrong one.",
            f"The process was not followed in {findings[ReviewFinding.NOT_FOLLOWED].words}.",
        )


def _recommend_on_rulings(
    rejections: Sequence[Rejection], section: Oversight
) -> Iterable[Recommendation]:
    rulings = [check_rejection(rejection).ruling for rejection in rejections]
    unmet = find_rate(
        rulings.count(Ruling.NOT_MET), len(rulings), section.confidence, section.least_cell
    )
    if _above(unmet, section.unclear_above):
        yield Recommendation(
            "triggers.mql",
            'Set it to "met", so that no score hands over a lead that fails the definition.',
            f"{unmet.words} of the rejected leads did not meet what both teams had agreed on.",
        )
    untold = find_rate(
        rulings.count(Ruling.CANNOT_TELL), len(rulings), section.confidence, section.least_cell
    )
    if _above(untold, section.unclear_above):
        counts = Counter(name for r in rejections for name in r.definition.unknown)
        names = sorted(counts, key=lambda name: (-counts[name], name))[:3]
        which = f" ({', '.join(names)})" if names else ""
        leads = format_count(len(rejections), "rejection", "rejections")
        yield Recommendation(
            "packet.required",
            f"Ask for what the definition needs and is not known{which}.",
            f"For {untold.words} of {leads} it cannot be decided whether the definition was met.",
        )


def _below(rate: Rate, agreed: float) -> bool:
    return rate.high is not None and rate.high < agreed


def _above(rate: Rate, agreed: float) -> bool:
    return rate.low is not None and rate.low > agreed
