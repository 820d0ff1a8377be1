"""``[routing]``: who gets a lead: sellers, teams, territories, rules, capacity."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from serving.handoff.playbook.sections.condition import Condition
from serving.handoff.playbook.sections.section import Days, Name, Section, Words, describe_known


def _check_id(text: str) -> str:
    if text in {".", ".."}:
        raise ValueError(f"{text!r} cannot stand in an address; use an id that is more than dots.")
    return text


SellerId = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_check_id)]
Hours = Annotated[float, Field(ge=0, le=24 * 60, allow_inf_nan=False)]


class AwayPeriod(Section):
    """A span of days on which a seller is away; both days count."""

    first: date
    last: date

    @model_validator(mode="after")
    def _run_forward(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"last ({self.last}) lies before first ({self.first}); swap the two.")
        return self


class PlaybookSeller(Section):
    """``[[routing.sellers]]``: somebody who takes leads, or a queue that somebody looks after."""

    id: SellerId
    """As the CRM knows the owner."""
    team: Name
    """One of the teams below; the seller's part of it follows from `share`."""
    calendar: Name = "office"
    """A name of `[sla.calendars]`: when the seller works."""
    capacity_per_day: Annotated[int, Field(ge=0, le=10_000)] = 10
    """Most new leads a day of the seller's calendar; 0: none for now."""
    share: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Part of the team's leads, beside the others' shares."""
    away: tuple[AwayPeriod, ...] = ()
    """Days on which the seller takes nothing."""


class Territory(Section):
    """``[routing.territories.NAME]``: where a lead is; one of each that is given must fit."""

    countries: tuple[Words, ...] = ()
    regions: tuple[Words, ...] = ()

    @model_validator(mode="after")
    def _lie_somewhere(self) -> Self:
        if not (self.countries or self.regions):
            raise ValueError("the territory is empty; give it countries or regions.")
        return self


class RoutingRule(Section):
    """``[[routing.rules]]``: which leads go to whom; the first rule that fits is taken."""

    name: Name
    sources: tuple[Words, ...] = ()
    """Sources of leads it is for; empty, here and below: any."""
    forms: tuple[Words, ...] = ()
    """Forms that led here."""
    territories: tuple[Name, ...] = ()
    """Names of `[routing.territories]`."""
    segments: tuple[Name, ...] = ()
    """Names of `[[profile.segments]]`, or hand_raiser."""
    products: tuple[Words, ...] = ()
    """Products of interest."""
    when: tuple[Condition, ...] = ()
    """Further conditions on attributes, each of which must hold."""
    team: Name | None = None
    """Team that gets these leads."""
    sellers: tuple[SellerId, ...] = ()
    """Or the sellers that get them."""
    pool_after_hours: Hours = 24.0
    """If none of them is free for so many hours, the pool takes the lead."""

    @model_validator(mode="after")
    def _lead_somewhere(self) -> Self:
        if bool(self.team) == bool(self.sellers):
            raise ValueError(
                f"the rule {self.name!r} must say who gets the leads; give it team or sellers, "
                "and not both."
            )
        return self


class Routing(Section):
    """``[routing]``: who gets a lead: the account's own seller, then the rules, then the pool."""

    teams: tuple[Name, ...] = Field(default=("sales",), min_length=1)
    """Teams there are."""
    pool: Name = "sales"
    """Team that takes whatever no rule gives to others."""
    sellers: tuple[PlaybookSeller, ...] = Field(
        default=(PlaybookSeller(id="sales-desk", team="sales", capacity_per_day=40),), min_length=1
    )
    """Who takes leads."""
    territories: dict[Name, Territory] = Field(default_factory=dict)
    """Where leads are, by name."""
    rules: tuple[RoutingRule, ...] = ()
    """Which leads go to whom, the most particular first."""
    same_account_days: Days = 120.0
    """A lead goes to the seller who had its account within so many days; 0: never."""
    same_account_wait_hours: Hours = 24.0
    """Hours a lead waits for that seller to be free, before others get it."""
    most_sellers: Annotated[int, Field(ge=1, le=20)] = 3
    """Sellers a lead is offered to, one after the other, before somebody must decide."""

    @model_validator(mode="after")
    def _name_what_is_there(self) -> Self:
        _check_once("sellers", (seller.id for seller in self.sellers))
        _check_once("rules", (rule.name for rule in self.rules))
        sellers = dict.fromkeys(seller.id for seller in self.sellers)
        teams, territories = dict.fromkeys(self.teams), dict.fromkeys(self.territories)
        _check_known("pool", "team", (self.pool,), teams)
        for seller in self.sellers:
            _check_known(f"seller {seller.id!r}", "team", (seller.team,), teams)
        for rule in self.rules:
            where = f"rule {rule.name!r}"
            _check_known(where, "team", (rule.team,) if rule.team else (), teams)
            _check_known(where, "seller", rule.sellers, sellers)
            _check_known(where, "territory", rule.territories, territories)
            _check_attributes(where, rule.when)
        used = {self.pool, *(rule.team for rule in self.rules if rule.team)}
        for team in sorted(used - {seller.team for seller in self.sellers}):
            raise ValueError(
                f"team {team!r} gets leads but has no seller; add one with team = {team!r}."
            )
        return self


def _check_once(listed: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{listed}: two are called {name!r}; give one another name.")
        seen.add(name)


def _check_known(where: str, what: str, named: Iterable[str], known: dict[str, None]) -> None:
    for name in named:
        if name not in known:
            raise ValueError(
                f"{where} names the {what} {name!r}, which there is not; add it, or use one of: "
                f"{describe_known(known)}."
            )


def _check_attributes(where: str, conditions: tuple[Condition, ...]) -> None:
    for condition in conditions:
        if condition.subject not in {"attribute", "fit", "persona", "score_from"}:
            raise ValueError(
                f"{where} asks for {condition.subject}; routing can ask for attribute, fit, "
                "persona and score_from."
            )
