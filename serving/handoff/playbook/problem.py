"""What is wrong with a playbook: the section, the field, the problem and what to do. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlaybookProblem:
    """One thing to mend in a playbook."""

    section: str
    """The section's name; empty for the file as a whole."""
    field: str
    """Where in the section, such as ``sellers[2].calendar``."""
    problem: str
    """What is wrong."""
    fix: str
    """What to do."""

    @property
    def path(self) -> str:
        """The whole way to the field, such as ``routing.sellers[2].calendar``."""
        return f"{self.section}.{self.field}" if self.section and self.field else self.section

    @property
    def words(self) -> str:
        """Say it in one line.

        >>> PlaybookProblem("bands", "A", "must be below 100", "Use a smaller number.").words
        '[bands] A: must be below 100. Use a smaller number.'
        """
        place = " ".join(part for part in (f"[{self.section}]", self.field) if part)
        start = f"{place}: " if self.section else ""
        return f"{start}{self.problem}. {self.fix}"
