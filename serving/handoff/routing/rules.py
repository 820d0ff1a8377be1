"""Who gets a lead: its account's seller, then the first rule that fits, then the pool. Pure.

Within a group a lead goes to whoever is furthest behind their share, of those who are free. Each lead
adds to the credit of everyone who works that day, by their shares, and takes one from whoever got it. So two equal sellers of thirty leads get fifteen each; whoever opens late in the day
makes up for the morning; nobody catches up on days on which they were away.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property

from serving.handoff.clocks.rules import format_moment
from serving.handoff.clocks.working_hours import NoWorkingTimeError, WorkingHours
from serving.handoff.decision.conditions import ConditionFacts, ConditionResult, fold
from serving.handoff.decision.definitions import Definitions, check_all
from serving.handoff.machine.errors import UnknownSellerError
from serving.handoff.playbook.playbook import ASKS_FOR_SALES, Playbook
from serving.handoff.playbook.sections.routing import PlaybookSeller, Routing, RoutingRule
from serving.handoff.playbook.wording import format_list

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class AccountOwner:
    """Who had the lead's account last."""

    seller: str
    at: datetime
    """When they were last given a lead of it."""


@dataclass(frozen=True)
class LeadToRoute:
    """A lead that needs a seller."""

    lead_id: str
    since: datetime
    """When it was handed over."""
    facts: ConditionFacts
    found: Definitions
    """What the definitions say of it."""
    value: float | None = None
    """What it is worth, such as P(won) times the amount, or its points; the highest is routed first."""
    is_hand_raiser: bool = False
    form: str | None = None
    account_id: str | None = None
    owner: AccountOwner | None = None
    offered_to: tuple[str, ...] = ()
    """Sellers who refused it or did not answer."""

    @property
    def segments(self) -> frozenset[str]:
        """The lead's segment, and that of hand-raisers."""
        own = {self.found.segment} - {None}
        return frozenset({*map(str, own), *((ASKS_FOR_SALES,) if self.is_hand_raiser else ())})


@dataclass(frozen=True)
class Ledger:
    """What sellers were given so far. A value: each lead makes a new one."""

    credits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By group and seller: leads they are behind their share; negative: ahead of it."""
    given: Mapping[str, tuple[date, int]] = field(default_factory=dict)
    """By seller: the latest day on which they were given leads, and how many."""
    last_at: Mapping[str, datetime] = field(default_factory=dict)
    """By seller: when they were given the last one."""

    def given_on(self, seller: str, day: date) -> int:
        """Count a seller's new leads of a day, which is the latest or a later one."""
        on, count = self.given.get(seller, (day, 0))
        return count if on == day else 0


class RouteVerdict(StrEnum):
    """What becomes of a lead that needs a seller."""

    ASSIGNED = "assigned"
    WAITS = "waits"
    """Until somebody is free."""
    NEEDS_DECISION = "needs_decision"
    """No rule can help; the team's lead must decide."""


@dataclass(frozen=True)
class Route:
    """Who gets a lead, and why."""

    lead_id: str
    verdict: RouteVerdict
    because: str
    seller: str | None = None
    group: str | None = None
    """The team, or the rule that names sellers, whose turn it was."""
    rule: str | None = None
    wait_until: datetime | None = None
    """When somebody will be free."""


class Roster:
    """The sellers of a playbook with their working hours."""

    def __init__(self, playbook: Playbook) -> None:
        self.section: Routing = playbook.routing
        self.sellers: dict[str, PlaybookSeller] = {
            seller.id: seller for seller in self.section.sellers
        }
        self.hours: dict[str, WorkingHours] = {
            seller.id: WorkingHours(playbook.sla.calendars[seller.calendar], seller.away)
            for seller in self.section.sellers
        }

    @cached_property
    def teams(self) -> dict[str, tuple[str, ...]]:
        """Sellers of each team, in the order of the playbook."""
        return {
            team: tuple(s.id for s in self.section.sellers if s.team == team)
            for team in self.section.teams
        }

    def free_at(self, seller: str, at: datetime, ledger: Ledger) -> datetime | None:
        """Find from when on a seller works and has room; None if never within years."""
        if not self.sellers[seller].capacity_per_day:
            return None
        hours = self.hours[seller]
        day = hours.local_day(at)
        try:
            if ledger.given_on(seller, day) < self.sellers[seller].capacity_per_day:
                return hours.next_working(at)
            return next(first for first, _ in hours.intervals(at) if hours.local_day(first) > day)
        except NoWorkingTimeError:
            return None

    def works_on_day_of(self, seller: str, at: datetime) -> bool:
        """Whether a seller takes leads at some hour of a day."""
        hours = self.hours[seller]
        takes_any = self.sellers[seller].capacity_per_day > 0
        return takes_any and bool(hours.intervals_on(hours.local_day(at)))


@dataclass(frozen=True)
class _Group:
    """Those who may get a lead, and why they are asked."""

    name: str
    sellers: tuple[str, ...]
    because: str
    rule: str | None = None
    wait: timedelta | None = None
    """How long the lead may wait for them; None: for ever."""


def route_queue(
    leads: Iterable[LeadToRoute], roster: Roster, ledger: Ledger, at: datetime
) -> tuple[list[Route], Ledger]:
    """Route leads that wait, those who asked for sales first, then the highest value first.

    Leads of one account in one queue go to one seller, as if they had come one after the other.
    """
    routes: list[Route] = []
    owners: dict[str, AccountOwner] = {}
    for lead in sorted(leads, key=_urgency):
        owner = owners.get(lead.account_id or "", lead.owner)
        route, ledger = decide_route(replace(lead, owner=owner), roster, ledger, at)
        if route.seller is not None and lead.account_id:
            owners[lead.account_id] = AccountOwner(route.seller, at)
        routes.append(route)
    return routes, ledger


def _urgency(lead: LeadToRoute) -> tuple[bool, float, datetime, str]:
    value = float("-inf") if lead.value is None else lead.value
    return (not lead.is_hand_raiser, -value, lead.since, lead.lead_id)


def decide_route(
    lead: LeadToRoute, roster: Roster, ledger: Ledger, at: datetime
) -> tuple[Route, Ledger]:
    """Decide who gets a lead now, and give the ledger after it.

    A lead that was refused stays counted where it was: refusing does not move a seller to the front.
    """
    section = roster.section
    if len(lead.offered_to) >= section.most_sellers:
        tried = format_list(lead.offered_to)
        because = (
            f"{tried} did not take it, as many as it may be offered to: somebody must decide."
        )
        return Route(lead.lead_id, RouteVerdict.NEEDS_DECISION, because), ledger
    passed_over: list[str] = []
    for group in _list_groups(lead, roster):
        free = {s: roster.free_at(s, at, ledger) for s in group.sellers}
        now = tuple(s for s, moment in free.items() if moment is not None and moment <= at)
        if now:
            return _assign(lead, group, now, passed_over, roster, ledger, at)
        later = {s: moment for s, moment in free.items() if moment is not None}
        wait_until = min(later.values(), default=None)
        if wait_until and (group.wait is None or wait_until <= lead.since + group.wait):
            return _wait(lead, group, later, wait_until, roster), ledger
        passed_over.append(_describe_passed_over(group, wait_until, roster))
    because = " ".join([*passed_over, "Nobody is left who could get it: somebody must decide."])
    return Route(lead.lead_id, RouteVerdict.NEEDS_DECISION, because), ledger


def _list_groups(lead: LeadToRoute, roster: Roster) -> list[_Group]:
    """List who is asked, in order: the account's seller, those of the rule, the pool."""
    section, groups = roster.section, []
    owner = lead.owner
    if owner is not None and owner.seller in roster.sellers:
        age = lead.since - owner.at
        if section.same_account_days and age <= timedelta(days=section.same_account_days):
            team = roster.sellers[owner.seller].team
            because = f"{owner.seller} had the same account on {owner.at:%Y-%m-%d}"
            wait = section.same_account_wait_hours * _HOUR
            groups.append(_Group(team, (owner.seller,), because, "same account", wait))
    rule, fits = _find_rule(lead, section)
    if rule is not None:
        sellers = roster.teams[rule.team] if rule.team else rule.sellers
        because = f"rule {rule.name!r} fits ({fits})"
        name = rule.team or f"rule {rule.name}"
        groups.append(_Group(name, sellers, because, rule.name, rule.pool_after_hours * _HOUR))
    groups.append(_Group(section.pool, roster.teams[section.pool], "it falls to the pool"))
    left = [
        replace(group, sellers=tuple(s for s in group.sellers if s not in lead.offered_to))
        for group in groups
    ]
    return [group for group in left if group.sellers]


def _find_rule(lead: LeadToRoute, section: Routing) -> tuple[RoutingRule | None, str]:
    for rule in section.rules:
        fits = _find_fit(lead, rule, section)
        if fits is not None:
            return rule, format_list(fits) or "everyone"
    return None, ""


def _find_fit(lead: LeadToRoute, rule: RoutingRule, section: Routing) -> list[str] | None:
    """Find in what respects a rule fits; None if it does not. What is not known does not fit."""
    attributes = lead.facts.attributes
    asked = (
        ("source", rule.sources, attributes.get("source")),
        ("form", rule.forms, lead.form),
        ("product", rule.products, attributes.get("product_interest")),
    )
    fits = []
    for name, wanted, value in asked:
        if wanted and not _is_among(value, wanted):
            return None
        fits += [f"{name} {value}"] if wanted else []
    lies_in = [name for name in rule.territories if _lies_in(attributes, section, name)]
    is_in = [segment for segment in rule.segments if segment in lead.segments]
    if (rule.territories and not lies_in) or (rule.segments and not is_in):
        return None
    fits += [f"territory {name}" for name in lies_in[:1]]
    fits += [f"segment {name}" for name in is_in[:1]]
    if rule.when:
        verdict, statement = check_all(rule.when, lead.facts, lead.found)
        if verdict is not ConditionResult.MET:
            return None
        fits.append(statement)
    return fits


def _lies_in(
    attributes: Mapping[str, float | str | bool | None], section: Routing, name: str
) -> bool:
    territory = section.territories[name]
    asked = (("country", territory.countries), ("region", territory.regions))
    return all(not wanted or _is_among(attributes.get(field), wanted) for field, wanted in asked)


def _is_among(value: float | str | bool | None, wanted: Collection[str]) -> bool:
    return value is not None and fold(value) in {fold(entry) for entry in wanted}


def _assign(
    lead: LeadToRoute,
    group: _Group,
    free: Sequence[str],
    passed_over: Sequence[str],
    roster: Roster,
    ledger: Ledger,
    at: datetime,
) -> tuple[Route, Ledger]:
    # Who has the account gets the lead outside the turn, but it counts as one of the team's.
    sellers = roster.teams[group.name] if group.rule == "same account" else group.sellers
    credit = _add_shares(group.name, sellers, roster, ledger, at)
    seller = max(free, key=lambda s: _claim(s, credit, ledger))
    because = f"{seller} gets it: {group.because}"
    if len(free) > 1:
        others = format_list([s for s in free if s != seller], "and")
        because += f", and {seller} is furthest behind the agreed share, before {others}"
    elif len(group.sellers) > 1:
        because += f", and only {seller} is at work with room for it"
    route = Route(
        lead.lead_id,
        RouteVerdict.ASSIGNED,
        " ".join([*passed_over, f"{because}."]),
        seller,
        group.name,
        group.rule,
    )
    return route, _book(group.name, seller, credit, roster, ledger, at)


def assign_by_hand(
    lead_id: str,
    seller: str,
    *,
    by: str,
    reason: str,
    roster: Roster,
    ledger: Ledger,
    at: datetime,
) -> tuple[Route, Ledger]:
    """Give a lead to the seller somebody chose: outside the turn, but counted as one of the team's.

    Raises
    ------
    UnknownSellerError
        If the playbook has no such seller.
    """
    if seller not in roster.sellers:
        raise UnknownSellerError(seller, tuple(roster.sellers))
    team = roster.sellers[seller].team
    credit = _add_shares(team, roster.teams[team], roster, ledger, at)
    credit.setdefault(seller, ledger.credits.get(team, {}).get(seller, 0.0))
    because = f"{seller} gets it: {by} chose so, because {reason.strip().rstrip('.')}."
    route = Route(lead_id, RouteVerdict.ASSIGNED, because, seller, team, "by hand")
    return route, _book(team, seller, credit, roster, ledger, at)


def _book(
    group: str,
    seller: str,
    credit: Mapping[str, float],
    roster: Roster,
    ledger: Ledger,
    at: datetime,
) -> Ledger:
    """Write into the ledger who was credited and who got the lead."""
    credit = {**credit, seller: credit[seller] - 1.0}
    day = roster.hours[seller].local_day(at)
    return Ledger(
        {**ledger.credits, group: {**ledger.credits.get(group, {}), **credit}},
        {**ledger.given, seller: (day, ledger.given_on(seller, day) + 1)},
        {**ledger.last_at, seller: at},
    )


def _add_shares(
    group: str, sellers: Sequence[str], roster: Roster, ledger: Ledger, at: datetime
) -> dict[str, float]:
    """Credit everyone who works that day with their part of one lead.

    Nobody is ever further behind than a day's room: else hours in which few leads come would be made
    up for by weeks of having all of them. What one is not credited, the others are.
    """
    takes_part = [s for s in sellers if roster.works_on_day_of(s, at)]
    before = ledger.credits.get(group, {})
    credit = {s: before.get(s, 0.0) for s in takes_part}
    part, open_to = 1.0, takes_part
    while open_to and part > 1e-12:
        total = sum(roster.sellers[s].share for s in open_to)
        for name in open_to:
            credit[name] += part * roster.sellers[name].share / total
        most = {s: float(roster.sellers[s].capacity_per_day) for s in open_to}
        part = sum(max(0.0, credit[s] - most[s]) for s in open_to)
        for name in open_to:
            credit[name] = min(credit[name], most[name])
        open_to = [s for s in open_to if credit[s] < most[s]]
    return credit


def _claim(
    seller: str, credit: Mapping[str, float], ledger: Ledger
) -> tuple[float, float, list[int]]:
    """Order sellers: furthest behind, then longest without a lead, then by name."""
    last = ledger.last_at.get(seller)
    # Rounded, lest the last bit of a sum of thirds decide whose turn it is.
    return (
        round(credit[seller], 9),
        -last.timestamp() if last else float("inf"),
        [-ord(letter) for letter in seller],
    )


def _wait(
    lead: LeadToRoute,
    group: _Group,
    later: Mapping[str, datetime],
    until: datetime,
    roster: Roster,
) -> Route:
    first = next(s for s, moment in later.items() if moment == until)
    moment = format_moment(until, roster.hours[first])
    because = f"It waits: {group.because}, and nobody there is free before {first} is, {moment}."
    if group.sellers == (first,):
        because = f"It waits: {group.because}, and is free again {moment}."
    return Route(
        lead.lead_id, RouteVerdict.WAITS, because, None, group.name, group.rule, wait_until=until
    )


def _describe_passed_over(group: _Group, until: datetime | None, roster: Roster) -> str:
    sentence = group.because[:1].upper() + group.because[1:]
    if until is None:
        return f"{sentence}, but nobody there takes leads."
    moment = format_moment(until, roster.hours[group.sellers[0]])
    return f"{sentence}, but nobody there is free before {moment}."
