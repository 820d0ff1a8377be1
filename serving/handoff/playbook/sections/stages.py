"""``[stages]``: named criteria, and which of them make an MQL, a SAL and a SQL."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from features.lifecycle.stages import Stage
from serving.handoff.playbook.sections.condition import Condition, Matching
from serving.handoff.playbook.sections.section import Name, Section, Words


class Criterion(Matching):
    """``[stages.criteria.NAME]``: a question with the answers yes, no and not known."""

    words: Words
    """What is the case if it holds, to follow "the lead": "has a budget"."""


class StageDefinition(Section):
    """``[stages.mql]`` and so on: the criteria that make the stage."""

    words: Words
    """What both teams mean by it."""
    all: tuple[Name, ...] = ()
    """Criteria each of which must hold."""
    any: tuple[Name, ...] = ()
    """Criteria one of which must hold."""

    @model_validator(mode="after")
    def _ask_something(self) -> Self:
        if not (self.all or self.any):
            raise ValueError("no criterion is named; add one to all or to any.")
        return self


def _is_yes(answer: str) -> Condition:
    return Condition.model_validate({"answer": answer, "is": (True,)})


def _known(attribute: str) -> Condition:
    return Condition(attribute=attribute, known=True)


CRITERIA: Mapping[str, Criterion] = {
    "fits": Criterion(words="fits the ideal customer profile", all=(Condition(fit=("A", "B")),)),
    "engaged": Criterion(
        words="is engaged",
        any=(
            Condition(events="high_intent", at_least=1, days=30),
            Condition(events="content", at_least=3, days=90),
            Condition(events="email_click", at_least=3, days=30),
        ),
    ),
    "accepted": Criterion(words="was accepted by sales", all=(Condition(stage=Stage.SAL),)),
    "need": Criterion(words="has a need that we meet", all=(_is_yes("need"),)),
    "budget": Criterion(words="has a budget", all=(_is_yes("budget"),)),
    "authority": Criterion(words="has the authority to buy", all=(_is_yes("authority"),)),
    "timeline": Criterion(
        words="means to buy within half a year",
        all=(Condition(answer="timeline_months", at_most=6),),
    ),
    "decision_maker": Criterion(
        words="decides on the purchase",
        any=(
            _is_yes("decision_maker"),
            Condition.model_validate({"attribute": "seniority", "is": ("c_level", "vp")}),
        ),
    ),
    "contact_complete": Criterion(
        words="has given contact details and identity",
        all=(_known("email_domain_kind"), _known("company"), _known("job_title")),
    ),
    "subscribed": Criterion(
        words="reads our mail",
        all=(Condition(events="unsubscribe", at_most=0),),
        any=(
            Condition.model_validate({"attribute": "subscribed", "is": (True,)}),
            Condition(events="email_receive", at_least=1, days=90),
        ),
    ),
    "replacement_or_new": Criterion(
        words="replaces or supplements what it uses, or starts from scratch",
        all=(
            Condition.model_validate(
                {"answer": "purchase", "is": ("replacement", "supplement", "new")}
            ),
        ),
    ),
}
"""Criteria that ship with Baton; a playbook of one's own adds to them, or says them anew."""


class Stages(Section):
    """``[stages]``: what makes an MQL, a SAL and a SQL."""

    criteria: dict[Name, Criterion] = Field(default_factory=lambda: dict(CRITERIA))
    """Named questions; those that ship with Baton stay there beside a company's own."""
    mql: StageDefinition = StageDefinition(
        words="fits the ideal customer profile and showed interest: marketing may hand it over",
        all=("fits", "engaged"),
    )
    sal: StageDefinition = StageDefinition(
        words="sales looked at it and took it", all=("accepted",)
    )
    sql: StageDefinition = StageDefinition(
        words="need, budget, authority and timeline recorded by sales after contact",
        all=("accepted", "need", "budget", "authority", "timeline"),
    )

    @field_validator("criteria", mode="before")
    @classmethod
    def _keep_the_shipped(cls, given: Any) -> Any:
        return {**CRITERIA, **given} if isinstance(given, Mapping) else given

    @model_validator(mode="after")
    def _name_known_criteria(self) -> Self:
        for stage in ("mql", "sal", "sql"):
            definition: StageDefinition = getattr(self, stage)
            for name in (*definition.all, *definition.any):
                if name not in self.criteria:
                    raise ValueError(
                        f"{stage} names the criterion {name!r}, which there is not; add "
                        f"[stages.criteria.{name}], or use one of: {', '.join(self.criteria)}."
                    )
        return self
