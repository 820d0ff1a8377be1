"""What every operation means, in plain Python: slow, obvious, and the judge of the kernel.

Nothing here is shared with the compiled path but the catalogue itself. Each function takes what
was visible at the moment of looking and answers for one feature; None means "not known".
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise

import numpy as np

from features.catalog.account import SENIORITY, is_senior
from features.catalog.families import get_formula
from features.catalog.feature import LIFE, STAGES_GROUP, Feature, Op, window_days
from features.catalog.fit import CONTACT_COMPLETENESS, OTHER_CATEGORY, is_contact
from features.catalog.journey import RETURNS_GROUP, finding_group, stage_group
from features.catalog.manifest import Catalog
from features.clock import DAY_US, EPOCH, MINUTE_US, from_us
from features.contracts.records import LeadRecord, StageRecord
from features.lifecycle.reasons import DISTINGUISHED, FINDING_OF, ReturnReason
from features.lifecycle.stages import Stage
from features.taxonomy import OTHER

LARGEST = 1e30
"""A number beyond this is unknown."""


def _return_for(reason: ReturnReason | None) -> str:
    is_distinguished = reason in DISTINGUISHED
    return f"{RETURNS_GROUP}:{reason}" if is_distinguished else RETURNS_GROUP


RETURNS = tuple(_return_for(reason) for reason in (None, *DISTINGUISHED))
"""Kinds of returns: for another reason or none, and for each reason that is told apart."""


def _move_kind(catalog: Catalog, move: StageRecord) -> str:
    stage = Stage(move.stage)
    if stage is not Stage.RETURNED:
        return stage_group(stage)
    return _return_for(catalog.taxonomy.reason_of(move.reason))


@dataclass(frozen=True)
class Happening:
    """An event or stage change, as the definitions see it."""

    at: int
    kind: str
    channel: str | None
    value: float | None


@dataclass(frozen=True)
class View:
    """One lead as it was known at one moment."""

    catalog: Catalog
    lead: LeadRecord
    as_of: int
    happenings: tuple[Happening, ...]

    def members(self, group: str) -> set[str]:
        """Name the kinds of a group."""
        if group == STAGES_GROUP:
            return {*(stage_group(stage) for stage in Stage), *RETURNS}
        if group == RETURNS_GROUP:
            return set(RETURNS)
        if group.startswith("stage:"):
            return {group}
        if group.startswith("returned:"):
            found = {r for r, f in FINDING_OF.items() if finding_group(f) == group}
            return {_return_for(reason) for reason in found}
        return set(self.catalog.taxonomy.kinds_in(group))

    def of(self, group: str, window: str = LIFE) -> list[Happening]:
        """List a group's happenings in ``[as_of - window, as_of)``, oldest first."""
        kinds = self.members(group)
        chosen = [h for h in self.happenings if h.kind in kinds]
        if window == LIFE:
            return chosen
        start = self.as_of - round(window_days(window) * DAY_US)
        return [h for h in chosen if h.at >= start]


def _order(happening: Happening, catalog: Catalog) -> tuple[float, ...]:
    kinds = (*catalog.taxonomy.kind_names, *(stage_group(stage) for stage in Stage), *RETURNS[1:])
    channels = catalog.taxonomy.channels
    channel = -1 if happening.channel is None else channels.index(happening.channel)
    value = math.inf if happening.value is None else happening.value
    return (happening.at, kinds.index(happening.kind), channel, value)


def view_of(catalog: Catalog, lead: LeadRecord, as_of: int) -> View:
    """Select what was visible: it had happened, and we could know."""
    taxonomy = catalog.taxonomy

    def channel_of(name: str | None) -> str | None:
        return name if name is None or name in taxonomy.channels else OTHER

    events = [
        Happening(
            e.occurred_at,
            e.kind if e.kind in taxonomy.kind_names else OTHER,
            channel_of(e.channel),
            e.value if e.value is not None and abs(e.value) <= LARGEST else None,
        )
        for e in lead.events
        if e.occurred_at < as_of and e.known_at < as_of
    ]
    moves = [
        Happening(m.at, _move_kind(catalog, m), None, None)
        for m in lead.stages
        if m.at < as_of and m.known_at < as_of
    ]
    ordered = sorted(events + moves, key=lambda h: _order(h, catalog))
    return View(catalog, lead, as_of, tuple(ordered))


def _days(us: float) -> float:
    return us / DAY_US


def count(view: View, f: Feature) -> float | None:
    """Count the happenings in the window."""
    return len(view.of(f.group, f.window))


def recency(view: View, f: Feature) -> float | None:
    """Days since the latest happening."""
    chosen = view.of(f.group)
    return _days(view.as_of - chosen[-1].at) if chosen else None


def since_first(view: View, f: Feature) -> float | None:
    """Days since the first happening."""
    chosen = view.of(f.group)
    return _days(view.as_of - chosen[0].at) if chosen else None


def intensity(view: View, f: Feature) -> float | None:
    """Sum of ``2 ** (-age / half-life)`` over all happenings."""
    ages = (_days(view.as_of - h.at) for h in view.of(f.group))
    return math.fsum(2.0 ** (-age / f.half_life_days) for age in ages)


def active_days(view: View, f: Feature) -> float | None:
    """Count the UTC days with a happening."""
    return len({h.at // DAY_US for h in view.of(f.group, f.window)})


def sessions(view: View, f: Feature) -> float | None:
    """Count runs of happenings with no pause of more than 30 minutes inside the window."""
    at = [h.at for h in view.of(f.group, f.window)]
    breaks = sum(b - a > 30 * MINUTE_US for a, b in pairwise(at))
    return breaks + 1 if at else 0


def channels(view: View, f: Feature) -> float | None:
    """Count distinct known channels."""
    return len({h.channel for h in view.of(f.group, f.window)} - {None})


def kinds(view: View, f: Feature) -> float | None:
    """Count distinct kinds."""
    return len({h.kind for h in view.of(f.group, f.window)})


def value_sum(view: View, f: Feature) -> float | None:
    """Sum the known values; zero if there is none."""
    return math.fsum(h.value for h in view.of(f.group, f.window) if h.value is not None)


def value_max(view: View, f: Feature) -> float | None:
    """Largest known value; not known if there is none."""
    return max((h.value for h in view.of(f.group, f.window) if h.value is not None), default=None)


def _gaps(view: View, f: Feature) -> list[float]:
    at = [h.at for h in view.of(f.group)]
    return [_days(b - a) for a, b in pairwise(at)]


def gap_mean(view: View, f: Feature) -> float | None:
    """Mean of the days between consecutive happenings."""
    gaps = _gaps(view, f)
    return math.fsum(gaps) / len(gaps) if gaps else None


def gap_std(view: View, f: Feature) -> float | None:
    """Sample standard deviation (n - 1) of those days; needs two gaps."""
    gaps = _gaps(view, f)
    if len(gaps) < 2:
        return None
    mean = math.fsum(gaps) / len(gaps)
    return math.sqrt(math.fsum((g - mean) ** 2 for g in gaps) / (len(gaps) - 1))


def silence(view: View, f: Feature) -> float | None:
    """Days since the latest happening, in units of the mean gap; needs a mean above zero."""
    mean, quiet = gap_mean(view, f), recency(view, f)
    return quiet / mean if mean and quiet is not None else None


def share(view: View, f: Feature) -> float | None:
    """One count as a share of another; not known if the other is zero."""
    whole = len(view.of(f.other_group, f.other_window))
    return len(view.of(f.group, f.window)) / whole if whole else None


def trend(view: View, f: Feature) -> float | None:
    """Happenings a day in the short window, less those a day in the rest of the long one."""
    if not view.of(f.group):
        return None
    short, long = window_days(f.window), window_days(f.other_window)
    recent = len(view.of(f.group, f.window))
    before = len(view.of(f.group, f.other_window)) - recent
    return recent / short - before / (long - short)


def calendar_share(view: View, f: Feature) -> float | None:
    """Share of happenings in a quarter of the UTC day, at the weekend, or in business hours."""
    chosen = [EPOCH + timedelta(microseconds=h.at) for h in view.of(f.group)]
    if not chosen:
        return None
    if f.position < 4:
        inside = [m for m in chosen if m.hour // 6 == f.position]
    elif f.position == 4:
        inside = [m for m in chosen if m.weekday() >= 5]
    else:
        inside = [m for m in chosen if m.weekday() < 5 and 9 <= m.hour < 17]
    return len(inside) / len(chosen)


def _channel(view: View, f: Feature, position: int) -> float | None:
    known = [h.channel for h in view.of(f.group) if h.channel is not None]
    return view.catalog.taxonomy.channels.index(known[position]) if known else None


def first_channel(view: View, f: Feature) -> float | None:
    """Code of the first known channel."""
    return _channel(view, f, 0)


def last_channel(view: View, f: Feature) -> float | None:
    """Code of the latest known channel."""
    return _channel(view, f, -1)


def _kind(view: View, f: Feature, position: int) -> float | None:
    chosen = view.of(f.group)
    if not chosen:
        return None
    kind = chosen[position].kind
    if f.group == RETURNS_GROUP:
        return RETURNS.index(kind)
    if f.group == STAGES_GROUP:
        stages = [stage_group(stage) for stage in Stage]
        return stages.index(RETURNS_GROUP if kind in RETURNS else kind)
    return view.catalog.taxonomy.kind_names.index(kind)


def first_kind(view: View, f: Feature) -> float | None:
    """Code of the first kind."""
    return _kind(view, f, 0)


def last_kind(view: View, f: Feature) -> float | None:
    """Code of the latest kind."""
    return _kind(view, f, -1)


def age(view: View, _: Feature) -> float | None:
    """Days since the lead was created."""
    return _days(view.as_of - view.lead.created_at)


def created_weekday(view: View, _: Feature) -> float | None:
    """Weekday of creation in UTC, Monday = 0."""
    return from_us(view.lead.created_at).weekday()


def created_hour(view: View, _: Feature) -> float | None:
    """Hour of creation in UTC."""
    return from_us(view.lead.created_at).hour


def _known_value(view: View, name: str) -> float | str | bool | None:
    """Find an attribute in the newest version known before the moment of looking."""
    versions = sorted(view.lead.versions, key=lambda v: v.known_at)
    known = [v for v in versions if v.known_at < view.as_of]
    return known[-1].attributes.get(name) if known else None


def attribute(view: View, f: Feature) -> float | None:
    """Read an attribute as known then; a category becomes its code."""
    value = _known_value(view, f.attribute)
    declared = next(a for a in view.catalog.attributes if a.name == f.attribute)
    if value is None:
        return None
    if declared.type == "category":
        known = str(value) if str(value) in declared.categories else OTHER_CATEGORY
        return declared.categories.index(known) if known in declared.categories else None
    return None if isinstance(value, str) or abs(value) > LARGEST else float(value)


def attribute_age(view: View, f: Feature) -> float | None:
    """Days since the moment a time attribute names."""
    value = _known_value(view, f.attribute)
    return None if value is None or isinstance(value, str) else _days(view.as_of - value)


def completeness(view: View, f: Feature) -> float | None:
    """Share of the attributes that were known: of all, or of those that are contact information.

    A flag such as "phone known" that says no is knowledge, but not contact information.
    """
    wants_contact = f.position == CONTACT_COMPLETENESS
    asked = [a for a in view.catalog.attributes if is_contact(a.name) or not wants_contact]
    if not asked:
        return None
    cells = {a.name: attribute(view, replace(f, attribute=a.name)) for a in asked}
    absent = {a.name for a in asked if wants_contact and a.type == "flag" and cells[a.name] == 0.0}
    return sum(c is not None and n not in absent for n, c in cells.items()) / len(asked)


@dataclass(frozen=True)
class Stay:
    """A time in which somebody was known to belong to an account."""

    account_id: str | None
    since: int
    until: float


def stays_of(lead: LeadRecord) -> list[Stay]:
    """List the accounts a lead was known to belong to, one after the other."""
    versions = sorted(lead.versions, key=lambda v: v.known_at)
    stays: list[Stay] = []
    for n, version in enumerate(versions):
        end = versions[n + 1].known_at if n + 1 < len(versions) else math.inf
        if stays and stays[-1].account_id == version.account_id:
            stays[-1] = replace(stays[-1], until=end)
        else:
            stays.append(Stay(version.account_id, version.known_at, end))
    return stays


@dataclass(frozen=True)
class Colleague:
    """Somebody else of the lead's account, as known at the moment of looking."""

    is_there: bool
    """Known to belong to the account right then; who has left it is not."""
    is_senior: bool
    view: View
    """What this person did as somebody of the account."""


def _colleague(view: View, person: LeadRecord, account_id: str) -> Colleague:
    stays = [s for s in stays_of(person) if s.account_id == account_id and s.since < view.as_of]

    def counts(at: int, known_at: int) -> bool:
        return any(max(at, known_at) < stay.until for stay in stays)

    own = person._replace(
        events=tuple(e for e in person.events if counts(e.occurred_at, e.known_at)),
        stages=tuple(m for m in person.stages if counts(m.at, m.known_at)),
    )
    seen = view_of(view.catalog, own, view.as_of)
    seniority = _known_value(seen, SENIORITY)
    declared = next((a for a in view.catalog.attributes if a.name == SENIORITY), None)
    named = declared is not None and str(seniority) in declared.categories
    return Colleague(
        any(view.as_of <= stay.until for stay in stays), named and is_senior(str(seniority)), seen
    )


def colleagues_of(view: View) -> list[Colleague] | None:
    """List the lead's colleagues; None if its account, or who belongs to it, is not known."""
    stays = [stay for stay in stays_of(view.lead) if stay.since < view.as_of]
    account_id = stays[-1].account_id if stays else None
    if account_id is None or view.lead.colleagues is None:
        return None
    return [_colleague(view, person, account_id) for person in view.lead.colleagues]


def colleagues(view: View, _: Feature) -> float | None:
    """Count the other leads known to belong to the account."""
    others = colleagues_of(view)
    return None if others is None else sum(c.is_there for c in others)


def colleagues_active(view: View, f: Feature) -> float | None:
    """Count the others, or the senior ones among them, with a happening in the window."""
    others = colleagues_of(view)
    if others is None:
        return None
    asked = [c for c in others if c.is_senior or not f.position]
    return sum(bool(c.view.of(f.group, f.window)) for c in asked)


def _of_others(view: View, group: str, window: str = LIFE) -> list[Happening] | None:
    others = colleagues_of(view)
    return None if others is None else [h for c in others for h in c.view.of(group, window)]


def colleague_count(view: View, f: Feature) -> float | None:
    """Count the happenings of others in the window."""
    found = _of_others(view, f.group, f.window)
    return None if found is None else len(found)


def colleague_recency(view: View, f: Feature) -> float | None:
    """Days since the latest happening of another."""
    found = _of_others(view, f.group)
    return _days(view.as_of - max(h.at for h in found)) if found else None


def colleague_trend(view: View, f: Feature) -> float | None:
    """Happenings of others a day in the short window, less those in the rest of the long one."""
    if not _of_others(view, f.group):
        return None
    short, long = window_days(f.window), window_days(f.other_window)
    recent = len(_of_others(view, f.group, f.window) or ())
    before = len(_of_others(view, f.group, f.other_window) or ()) - recent
    return recent / short - before / (long - short)


def colleague_kinds(view: View, f: Feature) -> float | None:
    """Count the distinct kinds of what others did."""
    found = _of_others(view, f.group, f.window)
    return None if found is None else len({h.kind for h in found})


def derived(view: View, f: Feature) -> float | None:
    """Compute the formula of the family on other features of the same row."""
    named = {feature.name: feature for feature in view.catalog.features}
    cells = [MEANINGS[named[name].op](view, named[name]) for name in f.inputs]
    columns = [np.array([math.nan if cell is None else cell], np.float64) for cell in cells]
    with np.errstate(all="ignore"):
        made = float(get_formula(f)(*columns)[0])
    return made if math.isfinite(made) else None


MEANINGS: dict[Op, Callable[[View, Feature], float | None]] = {
    Op.COUNT: count,
    Op.RECENCY: recency,
    Op.SINCE_FIRST: since_first,
    Op.INTENSITY: intensity,
    Op.ACTIVE_DAYS: active_days,
    Op.SESSIONS: sessions,
    Op.CHANNELS: channels,
    Op.KINDS: kinds,
    Op.VALUE_SUM: value_sum,
    Op.VALUE_MAX: value_max,
    Op.GAP_MEAN: gap_mean,
    Op.GAP_STD: gap_std,
    Op.SILENCE: silence,
    Op.SHARE: share,
    Op.TREND: trend,
    Op.CALENDAR_SHARE: calendar_share,
    Op.FIRST_CHANNEL: first_channel,
    Op.LAST_CHANNEL: last_channel,
    Op.FIRST_KIND: first_kind,
    Op.LAST_KIND: last_kind,
    Op.AGE: age,
    Op.CREATED_WEEKDAY: created_weekday,
    Op.CREATED_HOUR: created_hour,
    Op.ATTRIBUTE: attribute,
    Op.ATTRIBUTE_AGE: attribute_age,
    Op.COMPLETENESS: completeness,
    Op.COLLEAGUES: colleagues,
    Op.COLLEAGUES_ACTIVE: colleagues_active,
    Op.COLLEAGUE_COUNT: colleague_count,
    Op.COLLEAGUE_RECENCY: colleague_recency,
    Op.COLLEAGUE_TREND: colleague_trend,
    Op.COLLEAGUE_KINDS: colleague_kinds,
    Op.DERIVED: derived,
}


def reference_row(catalog: Catalog, lead: LeadRecord, as_of: int) -> list[float]:
    """Compute one row by definition: NaN where a feature is not known."""
    view = view_of(catalog, lead, as_of)
    cells: Sequence[float | None] = [MEANINGS[f.op](view, f) for f in catalog.features]
    return [math.nan if cell is None else float(cell) for cell in cells]
