"""``[sources]``: whose word counts where sources differ about a lead."""

from typing import Annotated

from pydantic import Field, field_validator

from features.contracts.provenance import (
    DEFAULT_PRECEDENCE,
    Precedence,
    find_precedence_problem,
)
from serving.handoff.playbook.sections.section import Section, Words

Group = Annotated[tuple[Words, ...], Field(min_length=1, max_length=50)]


class Sources(Section):
    """``[sources]``: whose word counts where sources differ about a lead."""

    precedence: Annotated[tuple[Group, ...], Field(min_length=1, max_length=20)] = (
        DEFAULT_PRECEDENCE
    )
    """Groups of sources: the first stands over the second, and so on; within a group the newest word counts."""

    @field_validator("precedence")
    @classmethod
    def _check_precedence(cls, given: Precedence) -> Precedence:
        if problem := find_precedence_problem(given):
            raise ValueError(problem)
        return given
