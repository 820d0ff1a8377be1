"""The reference of commands: what ``--help`` prints of each, found by walking the command line."""

from dataclasses import dataclass

from typer.testing import CliRunner

from baton.command_line import app, walk

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
    return [
        CommandHelp(("baton", *words), hasattr(command, "commands"), _read_help(words))
        for words, command in walk()
    ]


def _read_help(words: tuple[str, ...]) -> str:
    runner = CliRunner(env={"COLUMNS": str(WIDTH), "TERMINAL_WIDTH": str(WIDTH), "NO_COLOR": "1"})
    result = runner.invoke(app, [*words, "--help"], prog_name="baton")
    if result.exit_code != 0:
        raise RuntimeError(f"`baton {' '.join(words)} --help` failed: {result.output}")
    return result.output.strip("\n")
