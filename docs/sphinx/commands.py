"""The reference of commands: what ``--help`` prints of each, found by walking the command line."""

from collections.abc import Iterator
from dataclasses import dataclass

from typer.main import get_command
from typer.testing import CliRunner

import baton

WIDTH = 100


@dataclass(frozen=True)
class CommandHelp:
    """One command, as its reader meets it."""

    words: tuple[str, ...]
    """``("baton", "store", "backup")``."""
    is_group: bool
    text: str
    """What ``--help`` prints, to the letter."""

    @property
    def title(self) -> str:
        """Say what a reader types."""
        return " ".join(self.words)


def find_commands() -> list[CommandHelp]:
    """Find every command, each group before its members."""
    return list(_walk(get_command(baton.app), ("baton",)))


def _walk(command: object, words: tuple[str, ...]) -> Iterator[CommandHelp]:
    members = dict(getattr(command, "commands", {}))
    yield CommandHelp(words, bool(members), _read_help(words[1:]))
    for name, member in members.items():
        yield from _walk(member, (*words, name))


def _read_help(words: tuple[str, ...]) -> str:
    runner = CliRunner(env={"COLUMNS": str(WIDTH), "TERMINAL_WIDTH": str(WIDTH), "NO_COLOR": "1"})
    result = runner.invoke(baton.app, [*words, "--help"], prog_name="baton")
    if result.exit_code != 0:
        raise RuntimeError(f"`baton {' '.join(words)} --help` failed: {result.output}")
    return result.output.strip("\n")
