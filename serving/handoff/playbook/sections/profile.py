"""``[profile]``: the ideal customer, the personas, and the segments leads fall into."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from serving.handoff.playbook.sections.condition import Condition, Matching
from serving.handoff.playbook.sections.section import Name, Section, Share, Words


class FitRule(Section):
    """``[[profile.ideal]]``: one thing that the ideal customer is."""

    words: Words
    """As people say it: "in one of our industries"."""
    when: Condition
    """What is checked."""
    weight: Annotated[float, Field(gt=0, le=100)] = 1.0
    """How much it counts beside the others."""
    must: bool = False
    """Whether a lead that fails it has grade D, whatever else it is."""


class Grades(Section):
    """``[profile.grades]``: from which share of the weight on a lead has which grade; below C is D."""

    A: Share = 0.75
    B: Share = 0.5
    C: Share = 0.25

    @model_validator(mode="after")
    def _fall(self) -> Self:
        if not self.A > self.B > self.C:
            raise ValueError("the grades do not fall from A to C; A needs the largest share.")
        return self


class Persona(Matching):
    """``[[profile.personas]]``: a kind of person one talks to."""

    name: Name
    words: Words
    """As people call it: "head of a department"."""


class Segment(Matching):
    """``[[profile.segments]]``: a kind of lead that is pursued or routed in its own way."""

    name: Name


def _person(
    name: str, words: str, seniorities: tuple[str, ...], titles: tuple[str, ...]
) -> Persona:
    return Persona(
        name=name,
        words=words,
        any=(
            Condition.model_validate({"attribute": "seniority", "is": seniorities}),
            Condition(attribute="job_title", has_words=titles),
        ),
    )


_IDEAL = (
    FitRule(
        words="in one of our industries",
        when=Condition.model_validate(
            {
                "attribute": "industry",
                "is": ("software", "financial_services", "manufacturing", "logistics"),
            }
        ),
        weight=2,
    ),
    FitRule(
        words="of a size we serve",
        when=Condition(attribute="employees", at_least=20, at_most=5_000),
        weight=2,
    ),
    FitRule(
        words="senior enough to decide or to recommend",
        when=Condition.model_validate(
            {"attribute": "seniority", "is": ("c_level", "vp", "director", "manager")}
        ),
        weight=2,
    ),
    FitRule(
        words="where we sell",
        when=Condition.model_validate(
            {"attribute": "region", "is": ("north_america", "europe", "asia_pacific")}
        ),
    ),
    FitRule(words="with a budget that pays", when=Condition(attribute="budget", at_least=5_000)),
)

_PERSONAS = (
    _person("executive", "executive", ("c_level", "vp"), ("chief", "president", "vp", "owner")),
    _person("head", "head of a department", ("director",), ("director", "head of")),
    _person("manager", "manager", ("manager",), ("manager", "team lead")),
    _person("specialist", "specialist", ("specialist",), ("specialist", "analyst", "assistant")),
)

_SEGMENTS = (
    Segment(name="enterprise", all=(Condition(attribute="employees", at_least=1_000),)),
    Segment(name="mid_market", all=(Condition(attribute="employees", at_least=100),)),
    Segment(name="small", all=(Condition(attribute="employees", at_most=99),)),
)


class Profile(Section):
    """``[profile]``: whom both teams want."""

    ideal: tuple[FitRule, ...] = Field(default=_IDEAL, min_length=1)
    """What the ideal customer is; the share of the weight that holds gives the grade of fit."""
    grades: Grades = Grades()
    personas: tuple[Persona, ...] = _PERSONAS
    """Kinds of people, the first that a lead matches is its persona."""
    segments: tuple[Segment, ...] = _SEGMENTS
    """Kinds of leads, the first that a lead matches is its segment."""

    @model_validator(mode="after")
    def _stand_on_facts(self) -> Self:
        for listed in ("personas", "segments"):
            names = [entry.name for entry in getattr(self, listed)]
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{listed}: two are called {name!r}; give one another name.")
        facts = [rule.when for rule in self.ideal]
        facts += [condition for persona in self.personas for condition in persona.conditions]
        for condition in facts:
            if condition.subject in {"fit", "persona"}:
                raise ValueError(
                    f"fit and personas cannot rest on {condition.subject}, which rests on them; "
                    "ask for attributes, answers or events."
                )
        return self
