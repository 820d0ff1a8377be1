"""Refusals of the import room: each names the file, the place in it, and the fix."""

from collections.abc import Sequence

from features.errors import FeaturesError


class SourcesError(FeaturesError):
    """Root of what the import refuses."""


class HistoryFolderTakenError(SourcesError):
    """The target folder holds something that is not a history; replacing it would destroy it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        super().__init__(
            f"{folder} holds files that are not a Baton history, and would be replaced. "
            "Choose a new or empty folder with --to."
        )


class HistoryUnreadableError(SourcesError):
    """A history folder is there, but one of its files is damaged."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(
            f"{path} cannot be read: {problem}. Make the history again with `baton import` or "
            "`baton simulate`."
        )


class MappingError(SourcesError):
    """A mapping file says something that cannot be followed."""

    def __init__(self, file: str, section: str, field: str, problem: str) -> None:
        self.file = file
        self.section = section
        self.field = field
        self.problem = problem
        place = f"[{section}]" if section else "top of the file"
        super().__init__(f"{file}, {place}, {field}: {problem}")


class MappingNotFoundError(SourcesError):
    """No mapping has that name."""

    def __init__(self, name: str, shipped: Sequence[str]) -> None:
        self.name = name
        self.shipped = tuple(shipped)
        super().__init__(
            f"There is no mapping {name!r}. Baton ships {', '.join(shipped)}; for your own, give "
            "the path of a .toml file. docs/tutorials/bring-your-own-crm-export.md shows how to "
            "write one."
        )


class SourceFileError(SourcesError):
    """An input file is missing, or cannot be read at all."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}")


class NothingUsableError(SourcesError):
    """Not one lead could be read."""

    def __init__(self, rows_read: int, rejected: int, rejects_file: str | None) -> None:
        self.rows_read = rows_read
        self.rejected = rejected
        self.rejects_file = rejects_file
        where = f" {rejects_file} says why, row by row." if rejects_file else ""
        super().__init__(
            f"None of the {rows_read:,} rows read became a lead ({rejected:,} were rejected)."
            f"{where} Check the file, `where` and column names of the lead source in the mapping."
        )
