"""The one command line: mounts the commands of the three floors, and imports each when it is used."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group_from_info
from typer.models import TyperInfo


@dataclass(frozen=True)
class Entry:
    """Where a command is, and the line that ``--help`` shows of it; a test holds it to the command."""

    where: str
    """``module:name`` of a command's function, or of the application of a group."""
    help: str
    further: "Mapping[str, Entry]" = field(default_factory=dict)
    """Commands of the group that come from other rooms than its own."""


FEATURES = {
    "compute": Entry(
        "features.compute.commands:compute_command",
        "Compute the features of every lead at many moments, and write them as Parquet or Arrow.",
    ),
}

PLAYBOOK = {
    "replay": Entry(
        "serving.handoff.replay.command:replay_command",
        "Simulate a draft on recorded history: handoffs, precision, recall, load, and the best cut.",
    ),
    "agree": Entry(
        "serving.handoff.playbook.agree_command:agree_command",
        "Agree to a playbook for one side. It takes effect once both sides have.",
    ),
}

COMMANDS = {
    "import": Entry(
        "features.sources.commands:import_command",
        "Turn files into a checked history: leads, events, stage changes, attempts.",
    ),
    "simulate": Entry(
        "features.simulation.commands:simulate_command",
        "Make up a market whose truth is known, and write its history.",
    ),
    "cold-start": Entry(
        "training.commands.cold_start:cold_start_command",
        "Make a points table the champion, marked as not learned.",
    ),
    "audit": Entry(
        "training.commands.audit:audit_command",
        "Audit every field for knowledge of the outcome; print rule, figure, threshold and "
        "advice.",
    ),
    "train": Entry(
        "training.commands.train:train_command",
        "Train on a history, write the bundle and its card, and register it in MLflow.",
    ),
    "backtest": Entry(
        "training.commands.backtest:backtest_command",
        "Walk forward through a history: train on what was known then, score, compare with the outcomes.",
    ),
    "recalibrate": Entry(
        "training.commands.recalibrate:recalibrate_command",
        "Move the level of a model's chances to what its newest matured labels say.",
    ),
    "promote": Entry(
        "training.commands.promote:promote_command",
        "Compare challenger and champion on leads neither was trained on; report the impact; promote.",
    ),
    "rollback": Entry(
        "training.commands.promote:rollback_command",
        "Restore the previous champion. A second rollback undoes the first.",
    ),
    "score": Entry(
        "training.commands.score:score_command",
        "Score every lead of a history as of one moment, and write a Parquet file, a row per "
        "lead.",
    ),
    "serve": Entry("serving.commands:serve_command", "Serve scores over HTTP until stopped."),
    "worker": Entry(
        "serving.commands:worker_command",
        "Run the background work until stopped: live scores, outgoing messages, jobs.",
    ),
    "drift": Entry(
        "serving.monitoring.commands:drift_command",
        "Compare recent scored leads with those the model learned from.",
    ),
    "shadow": Entry(
        "serving.monitoring.shadow_command:shadow_command",
        "Write what champion and challenger said of the same leads as a Parquet file, a row per "
        "lead.",
    ),
    "store": Entry("serving.store.commands:store_app", "The database that remembers."),
    "keys": Entry("serving.auth.commands:keys_app", "Keys of machines that ask."),
    "users": Entry("serving.auth.commands:users_app", "People who sign in."),
    "leads": Entry("serving.privacy.commands:leads_app", "What is held on a person."),
    "audit-log": Entry("serving.audit_log.commands:audit_log_app", "Who did what."),
    "features": Entry(
        "features.guide.commands:features_app", "What Baton computes about a lead.", FEATURES
    ),
    "playbook": Entry(
        "serving.handoff.playbook.commands:playbook_app",
        "The agreement of marketing and sales in a form that runs.",
        PLAYBOOK,
    ),
}


class LazyCommand(TyperCommand):
    """A command of which only the name and the line of help are there until it is used."""

    def __init__(self, name: str, entry: Entry) -> None:
        super().__init__(name, help=entry.help)
        self._entry = entry

    def load(self) -> "TyperCommand | CommandGroup":
        """Import the command: a group comes with its further ones, which stay lazy."""
        module, _, name = self._entry.where.partition(":")
        found = getattr(import_module(module), name)
        if isinstance(found, typer.Typer):
            return build_group(found, self._entry.further)
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(self.name)(found)
        return get_command(alone)  # type: ignore[return-value]  # of one command, it is that

    # The context that is made here carries the real command, which Typer then invokes.
    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Parse the arguments by the command itself."""
        return self.load().make_context(*arguments, **options)


class CommandGroup(TyperGroup):
    """A group whose help shows whole lines: Typer's own cuts them at the width of the screen."""

    def add_lazily(self, entries: Mapping[str, Entry]) -> None:
        """Add commands without importing them."""
        for name, entry in entries.items():
            self.add_command(LazyCommand(name, entry))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the name of each command, and the first paragraph of its help."""
        paragraphs = ((command.help or "").split("\n\n")[0] for command in self.commands.values())
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, " ".join(words.split()))
                    for name, words in zip(self.list_commands(ctx), paragraphs, strict=True)
                ]
            )


class Commands(CommandGroup):
    """The group of all commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.add_lazily(COMMANDS)


def build_group(application: typer.Typer, further: Mapping[str, Entry]) -> CommandGroup:
    """Build the group of a room's application, with further commands of other rooms."""
    group = get_group_from_info(
        TyperInfo(application, cls=CommandGroup),
        pretty_exceptions_short=True,
        suggest_commands=True,
        rich_markup_mode=None,
    )
    assert isinstance(group, CommandGroup)  # noqa: S101 - what ``cls`` asks for
    group.add_lazily(further)
    return group


# Rich would draw boxes round help and errors, cut to the screen: it is slow to import, and what it
# prints is hard to read in a pipe.
app = typer.Typer(
    name="baton",
    cls=Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(no_args_is_help=True)
def baton() -> None:
    """Which leads will convert, why, and when to hand them over."""


def walk() -> Iterator[tuple[tuple[str, ...], TyperCommand | TyperGroup]]:
    """Walk over every command and group, imported, with the words that call it; a group comes first."""
    return _walk((), get_command(app))  # type: ignore[arg-type]  # of several commands, it is a group


def _walk(
    words: tuple[str, ...], command: TyperCommand | TyperGroup
) -> Iterator[tuple[tuple[str, ...], TyperCommand | TyperGroup]]:
    loaded = command.load() if isinstance(command, LazyCommand) else command
    yield words, loaded
    for name, below in getattr(loaded, "commands", {}).items():
        yield from _walk((*words, name), below)
