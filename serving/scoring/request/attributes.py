"""A lead's attributes, from what a caller sent to cells; and how they became known. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic_core import PydanticCustomError

from features import clock
from features.catalog.fit import OTHER_CATEGORY, LeadAttribute
from features.contracts.leads import AttributeType
from features.contracts.records import LeadVersion
from serving.errors import FieldProblem, InvalidBodyError
from serving.scoring.moments import read_moment
from serving.scoring.schemas import ColleagueIn, LeadIn

MOST_PROBLEMS = 20
"""Wrong attributes told at once, at most."""

Cell = float | str | bool | None


@dataclass(frozen=True, slots=True)
class ReadAttributes:
    """A lead's attributes over time."""

    versions: tuple[LeadVersion, ...]
    """The first as known from the lead's creation on, each later one complete."""
    ignored: list[str]
    """Names the model does not know."""
    warnings: list[str]
    known: frozenset[str]
    """Attributes of the catalogue that came with a value, in whichever version."""


def _as_category(value: Cell) -> str | None:
    if not isinstance(value, str):
        raise TypeError
    # As imports read a cell: outer blanks do not matter, and an empty one is not known.
    return value.strip() or None


def _as_number(value: Cell) -> float:
    if isinstance(value, str | bool) or value is None:
        raise TypeError
    return value


def _as_flag(value: Cell) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _as_time(value: Cell) -> float:
    try:
        return float(clock.to_us(read_moment(value)))
    except PydanticCustomError as error:
        raise TypeError from error


_READERS: dict[AttributeType, tuple[Callable[[Cell], Cell], str, str]] = {
    "category": (_as_category, "is not text", 'Send text in quotes, e.g. "software".'),
    "number": (_as_number, "is not a number", "Send a number without quotes, e.g. 250."),
    "flag": (_as_flag, "is not true or false", "Send true or false without quotes."),
    "time": (
        _as_time,
        "is not a time with a zone",
        "Send a time with its zone, e.g. 2026-03-01T09:00:00Z.",
    ),
}


def read_cells(
    sent: Mapping[str, Cell], known: Mapping[str, LeadAttribute], where: str
) -> dict[str, Cell]:
    """Read those attributes the model knows.

    Raises
    ------
    InvalidBodyError
        Listing those of the wrong type.
    """
    cells: dict[str, Cell] = {}
    problems: list[FieldProblem] = []
    for name, value in sent.items():
        attribute = known.get(name)
        if attribute is None:
            continue
        read, problem, fix = _READERS[attribute.type]
        try:
            cells[name] = None if value is None else read(value)
        except TypeError:
            problems.append(FieldProblem(f"{where}.{name}", problem, fix))
    if problems:
        raise InvalidBodyError(tuple(problems[:MOST_PROBLEMS]))
    return cells


def _warn_of_rare_values(
    versions: tuple[LeadVersion, ...], known: Mapping[str, LeadAttribute]
) -> list[str]:
    rare = dict.fromkeys(
        name
        for version in versions
        for name, value in version.attributes.items()
        if known[name].type == "category"
        and value is not None
        and value not in known[name].categories
    )
    warnings_ = []
    for name in rare:
        has_other = OTHER_CATEGORY in known[name].categories
        counted = "counts as another rare value" if has_other else "counts as not known"
        warnings_.append(f"The value of {name} was too rare in training; it {counted}.")
    return warnings_


def _add_account(
    versions: list[LeadVersion], account_id: str, known_us: int
) -> tuple[LeadVersion, ...]:
    """Name the account in every version from the moment on at which it was known."""
    later = [v.known_at for v in versions[1:]]
    if known_us > versions[0].known_at and known_us not in later:
        held = [v for v in versions if v.known_at < known_us][-1]
        versions = sorted([*versions, held._replace(known_at=known_us)], key=lambda v: v.known_at)
    return tuple(
        v._replace(account_id=account_id) if v.known_at >= known_us else v for v in versions
    )


def read_attributes(
    lead: LeadIn | ColleagueIn,
    attributes: tuple[LeadAttribute, ...],
    *,
    account_id: str | None = None,
    where: str = "",
) -> ReadAttributes:
    """Read a lead's attributes, and each later version on top of those before it.

    Parameters
    ----------
    lead
        As sent.
    attributes
        Those the model knows.
    account_id
        The account to name in every version, if it is known.
    where
        What problems are said to be of, such as ``colleagues[2].``.

    Raises
    ------
    InvalidBodyError
        Listing every attribute of the wrong type, of the first version that has any.
    """
    known = {attribute.name: attribute for attribute in attributes}
    created_us = clock.to_us(lead.created_at)
    state = read_cells(lead.attributes, known, f"{where}attributes")
    versions = [LeadVersion(created_us, state)]
    ignored = dict.fromkeys(name for name in lead.attributes if name not in known)
    for position, version in sorted(enumerate(lead.versions), key=lambda pair: pair[1].known_at):
        cells = read_cells(version.attributes, known, f"{where}versions[{position}].attributes")
        state = {**state, **cells}
        versions.append(LeadVersion(max(clock.to_us(version.known_at), created_us), state))
        ignored |= dict.fromkeys(name for name in version.attributes if name not in known)
    read = tuple(versions)
    if account_id is not None:
        since = lead.created_at if lead.account_known_at is None else lead.account_known_at
        read = _add_account(versions, account_id, max(clock.to_us(since), created_us))
    return ReadAttributes(
        versions=read,
        ignored=list(ignored),
        warnings=_warn_of_rare_values(read, known),
        known=frozenset(
            name for v in read for name, value in v.attributes.items() if value is not None
        ),
    )
