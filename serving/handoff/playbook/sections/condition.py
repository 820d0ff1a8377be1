"""A condition: one thing about a lead that can be checked, and may be unknown."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from features.lifecycle.stages import Stage
from serving.handoff.playbook.sections.section import Name, Section, Words

Grade = Literal["A", "B", "C", "D"]
"""How well a lead fits the ideal customer profile, A best."""

Scalar = bool | float | Annotated[str, Field(min_length=1, max_length=200)]

SUBJECTS = ("attribute", "answer", "events", "stage", "fit", "persona", "score_from")
"""What a condition can be about."""

_TESTS = ("is", "is_not", "has_words", "at_least", "at_most", "known")
_ALLOWED: dict[str, frozenset[str]] = {
    "attribute": frozenset(_TESTS),
    "answer": frozenset(_TESTS),
    "events": frozenset({"at_least", "at_most", "days"}),
    "stage": frozenset(),
    "fit": frozenset(),
    "persona": frozenset(),
    "score_from": frozenset(),
}


class Condition(Section):
    """One thing about a lead: `{ attribute = "industry", is = ["software"] }`."""

    attribute: Name | None = None
    """An attribute of the lead, such as industry; asked with is, is_not, has_words, at_least, at_most
    or known."""
    answer: Name | None = None
    """What sales recorded after contact, such as budget; asked like an attribute."""
    events: Words | None = None
    """A kind of events, or a group of kinds, that is counted; asked with at_least or at_most, days."""
    stage: Stage | None = None
    """A stage that the lead has reached since it last came to marketing."""
    fit: tuple[Grade, ...] = ()
    """Grades of fit."""
    persona: tuple[Name, ...] = ()
    """Names of personas."""
    score_from: Annotated[float, Field(ge=0, le=100)] | None = None
    """Points from which on it holds."""
    is_: tuple[Scalar, ...] = Field(default=(), alias="is")
    """Values that hold; texts are compared without case and outer blanks."""
    is_not: tuple[Scalar, ...] = ()
    """Values that fail; any other one holds."""
    has_words: tuple[Words, ...] = ()
    """Words, or several in a row, one of which must stand in the text."""
    at_least: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Smallest number that holds."""
    at_most: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Largest number that holds."""
    known: bool | None = None
    """Whether anything at all must be known; never unknown itself."""
    days: Annotated[float, Field(gt=0, le=3_650)] | None = None
    """How far back events are counted; left out: the whole history."""

    @property
    def subject(self) -> str:
        """What it is about: one of `SUBJECTS`."""
        return next(name for name in SUBJECTS if getattr(self, name) not in (None, ()))

    @model_validator(mode="after")
    def _ask_one_thing(self) -> Self:
        given = [name for name in SUBJECTS if getattr(self, name) not in (None, ())]
        if len(given) != 1:
            has = f"has {' and '.join(given)}" if given else "says nothing of what it is about"
            raise ValueError(f"a condition {has}; give it exactly one of: {', '.join(SUBJECTS)}.")
        self._check_tests(given[0])
        return self

    def _check_tests(self, subject: str) -> None:
        asked = {name for name in (*_TESTS, "days") if self._describes(name)}
        allowed = _ALLOWED[subject]
        if strange := sorted(asked - allowed):
            may = ", ".join(sorted(allowed)) or "nothing beside it"
            raise ValueError(f"{subject} cannot be asked with {strange[0]}; it takes {may}.")
        if allowed and not asked - {"days"}:
            may = ", ".join(sorted(allowed - {"days"}))
            raise ValueError(f"{subject} is not asked anything; add one of: {may}.")
        low, high = self.at_least, self.at_most
        if low is not None and high is not None and low > high:
            raise ValueError(
                f"at_least {low:g} lies above at_most {high:g}, so nothing can hold; swap the two."
            )

    def _describes(self, name: str) -> bool:
        value: Any = self.is_ if name == "is" else getattr(self, name)
        return value is not None and value != ()


class Matching(Section):
    """Conditions taken together: every one of `all`, and one of `any` where there are any."""

    all: tuple[Condition, ...] = ()
    """Conditions each of which must hold."""
    any: tuple[Condition, ...] = ()
    """Conditions one of which must hold."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Every condition there is."""
        return (*self.all, *self.any)

    @model_validator(mode="after")
    def _ask_something(self) -> Self:
        if not self.conditions:
            raise ValueError("no condition is given; add one to all or to any.")
        return self
