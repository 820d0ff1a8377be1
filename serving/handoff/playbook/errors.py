"""What a playbook is refused for: each names what is wrong where, and what to do."""

from collections.abc import Sequence

from serving.errors import FieldProblem, RefusedError
from serving.handoff.playbook.problem import PlaybookProblem


class PlaybookError(RefusedError):
    """Root of what is refused about playbooks."""


class PlaybookSyntaxError(PlaybookError):
    """The text is no TOML."""

    status, slug, title = 422, "playbook-syntax", "The playbook cannot be read"

    def __init__(self, file: str, problem: str) -> None:
        self.file = file
        self.problem = problem
        self.fix = "Correct that line; `baton playbook init` writes a playbook to begin with."
        super().__init__(f"{file} is not valid TOML: {problem}. {self.fix}")


class InvalidPlaybookError(PlaybookError):
    """The playbook says things that cannot be followed."""

    status, slug, title = 422, "invalid-playbook", "The playbook is not valid"
    fix = "Correct the fields listed under `errors`; `baton playbook check FILE` lists them too."

    def __init__(self, file: str, problems: Sequence[PlaybookProblem]) -> None:
        self.file = file
        self.problems = tuple(problems)
        self.errors = tuple(FieldProblem(p.path, p.problem, p.fix) for p in problems)
        count = len(problems)
        lines = "\n".join(f"  {problem.words}" for problem in problems)
        super().__init__(f"{file} has {count} problem{'s' if count > 1 else ''}:\n{lines}")


class NoSuchVersionError(PlaybookError):
    """A version nobody proposed."""

    status, slug, title = 404, "no-such-version", "No such version of the playbook"
    fix = "GET /v1/playbook/versions lists those there are."

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"There is no version {number} of the playbook.")


class SignatureRefusedError(PlaybookError):
    """A word on a version that does not count."""

    status, slug, title = 409, "signature-refused", "The signature does not count"
    fix = "GET /v1/playbook/versions lists the state of each version."

    def __init__(self, because: str) -> None:
        self.because = because
        super().__init__(because)
