"""Timelines drawn in plain text, read as leads with their records.

    days         | 0123456789
    ann          | x..x..x         a mark in column k happens when step k begins
      known      | x....x.         when each mark of the row above became known, if later
    ann, stage   | l..m            moves to another stage
    ann, account | A               the account from then on; leads that ever share one are colleagues
    ann, industry| b....s          attributes from then on; the spec says what b and s are
    ann, created | *               column 0 if it is not drawn
    look         |    A   B        moments of looking

Day 0 is Monday, 2 June 2025, midnight UTC. Rows of the same name lie over each other.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from features.clock import DAY_US, HOUR_US, MINUTE_US, to_us
from features.contracts.records import EventRecord, LeadRecord, LeadVersion, StageRecord

START_US = to_us(datetime(2025, 6, 2, tzinfo=UTC))
SCALES_US = {"day": DAY_US, "hour": HOUR_US, "minute": MINUTE_US, "week": 7 * DAY_US}
EMPTY = " ."

AttributeValue = float | str | bool | datetime | None


@dataclass(frozen=True)
class Mark:
    """What one letter of a drawing stands for."""

    kind: str
    channel: str | None = None
    value: float | None = None
    shift_us: int = 0
    """Added to the moment that is drawn: one microsecond cannot be."""

    @property
    def words(self) -> str:
        """Say it in the legend of the manual."""
        wording = f"{self.kind} ({self.channel or 'no channel'})"
        wording += f" worth {self.value:g}" if self.value is not None else ""
        minutes = -self.shift_us / MINUTE_US
        if minutes:
            early = f"{minutes:g} minutes" if minutes >= 1 else "one microsecond"
            wording += f", {early} before its column begins"
        return wording


MARKS = {
    "x": Mark("page_view", "web"),
    "p": Mark("pricing_view", "web"),
    "b": Mark("blog_view", "web"),
    "c": Mark("case_study_view", "web"),
    "d": Mark("demo_request", "web"),
    "e": Mark("email_open", "email"),
    "k": Mark("email_click", "email"),
    "r": Mark("email_receive", "email"),
    "w": Mark("webinar_attend", "event"),
}
STAGES = {
    "l": "lead",
    "m": "mql",
    "a": "sal",
    "q": "sql",
    "o": "opportunity",
    "w": "won",
    "z": "lost",
    "r": "returned",
}
RETURNS = {
    "j": "Not a fit",
    "p": "Wrong person",
    "u": "no_response",
    "n": "Too early!",
    "d": "duplicate",
    "y": "a reason nobody told us about",
}
"""Returns for a reason, as sales writes it."""


@dataclass(frozen=True)
class Look:
    """One lead at one moment of looking."""

    lead: int
    name: str
    """``ann``, or ``ann at B`` where there are several moments."""
    as_of: int


@dataclass(frozen=True)
class Timeline:
    """A drawing, read."""

    leads: tuple[LeadRecord, ...]
    looks: tuple[Look, ...]
    letters: Mapping[str, str]
    """Every letter that is used, and what it stands for."""


@dataclass
class _Lead:
    created_at: int = START_US
    events: list[EventRecord] = field(default_factory=list)
    stages: list[StageRecord] = field(default_factory=list)
    dated: dict[int, dict[str, float | str | bool | None]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    accounts: dict[int, str] = field(default_factory=dict)

    def record(self, name: str) -> LeadRecord:
        """Each version says everything that is known from then on, not only what changed."""
        versions, known = [], {}
        account = None
        for moment in sorted(self.dated.keys() | self.accounts.keys()):
            known = known | self.dated.get(moment, {})
            account = self.accounts.get(moment, account)
            versions.append(LeadVersion(moment, known, account))
        return LeadRecord(
            lead_id=name,
            created_at=self.created_at,
            versions=tuple(versions),
            events=tuple(self.events),
            stages=tuple(self.stages),
        )


def _with_colleagues(leads: list[LeadRecord]) -> tuple[LeadRecord, ...]:
    """Give each lead those that ever shared an account with it; none is said where it has none."""

    def accounts(lead: LeadRecord) -> set[str]:
        return {v.account_id for v in lead.versions if v.account_id is not None}

    return tuple(
        lead._replace(
            colleagues=tuple(o for o in leads if o is not lead and accounts(o) & accounts(lead))
            if accounts(lead)
            else None
        )
        for lead in leads
    )


class _Reader:
    def __init__(self, marks: Mapping[str, Mark], values: Mapping[str, AttributeValue]) -> None:
        self.marks, self.values = {**MARKS, **marks}, values
        self.leads: dict[str, _Lead] = {}
        self.looks: list[tuple[int, str]] = []
        self.letters: dict[str, str] = {}
        self.step_us = DAY_US

    def moments(self, cells: str) -> list[tuple[int, str]]:
        """List the letters of a row, each with the moment its column begins."""
        return [
            (START_US + column * self.step_us, letter)
            for column, letter in enumerate(cells)
            if letter not in EMPTY
        ]

    def read(self, label: str, cells: str, known: str | None) -> None:
        """Read one row."""
        name, _, what = (part.strip() for part in label.partition(","))
        if name == "look":
            self.looks += self.moments(cells)
            return
        lead = self.leads.setdefault(name, _Lead())
        if what == "created":
            lead.created_at = self.moments(cells)[0][0]
        elif what == "account":
            lead.accounts.update(self.moments(cells))
        elif what in {"", "stage"}:
            self._records(lead, cells, known, stages=bool(what))
        else:
            for moment, letter in self.moments(cells):
                value = self.values[letter]
                lead.dated[moment][what] = (
                    float(to_us(value)) if isinstance(value, datetime) else value
                )
                self.letters[letter] = f"{what}: {format_value(value)}"

    def _records(self, lead: _Lead, cells: str, known: str | None, *, stages: bool) -> None:
        arrivals: dict[str, list[int]] = defaultdict(list)
        for moment, letter in self.moments(known or ""):
            arrivals[letter].append(moment)
        for moment, letter in self.moments(cells):
            late = arrivals[letter].pop(0) if arrivals[letter] else None
            if stages:
                reason = RETURNS.get(letter)
                stage = STAGES["r"] if reason else STAGES[letter]
                lead.stages.append(StageRecord(moment, late or moment, stage, reason))
                self.letters[letter] = f"becomes {stage}" + (f" ({reason})" if reason else "")
                continue
            mark = self.marks[letter]
            at = moment + mark.shift_us
            lead.events.append(EventRecord(at, late or at, mark.kind, mark.channel, mark.value))
            self.letters[letter] = mark.words
        left = [letter for letter, moments in arrivals.items() if moments]
        if left:
            raise ValueError(f"{left} became known, but nothing of that name happened.")


def format_value(value: AttributeValue) -> str:
    """Say an attribute's value in a legend."""
    if value is None or isinstance(value, bool):
        return {None: "not known", True: "yes", False: "no"}[value]
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}"
    return value if isinstance(value, str) else f"{value:,g}"


def read_timeline(
    drawing: str,
    marks: Mapping[str, Mark] | None = None,
    values: Mapping[str, AttributeValue] | None = None,
) -> Timeline:
    """Read a drawing; see the module's docstring for how one looks."""
    reader = _Reader(marks or {}, values or {})
    rows = [line.partition("|") for line in drawing.strip("\n").splitlines() if line.strip()]
    labelled = [(label.strip(), cells.removeprefix(" ")) for label, _, cells in rows]
    scale = re.fullmatch(r"(\d*) ?(day|hour|minute|week)s?", labelled[0][0])
    if scale is None:
        raise ValueError(
            f"The first row names the step: days, 10 minutes. Not {labelled[0][0]!r}."
        )
    reader.step_us = int(scale[1] or 1) * SCALES_US[scale[2]]
    for position, (label, cells) in enumerate(labelled[1:], start=1):
        if label != "known":
            after = labelled[position + 1] if position + 1 < len(labelled) else ("", "")
            reader.read(label, cells, after[1] if after[0] == "known" else None)
    return Timeline(
        _with_colleagues([lead.record(name) for name, lead in reader.leads.items()]),
        tuple(
            Look(index, name if len(reader.looks) == 1 else f"{name} at {letter}", moment)
            for index, name in enumerate(reader.leads)
            for moment, letter in sorted(reader.looks)
        ),
        reader.letters,
    )
