"""The command line as a whole: what it imports, and that every help reads right."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.testing import CliRunner

from baton.command_line import COMMANDS, Entry, app, walk

ROOT = Path(__file__).parents[2]

SLOW = {
    "alembic", "dask", "distributed", "evidently", "fastapi", "fastapi_offline", "holidays", "jinja2",
    "lightgbm", "llvmlite", "matplotlib", "mlflow", "numba", "numpy", "optuna", "pandas",
    "procrastinate", "pyarrow", "scipy", "shap", "sklearn", "uvicorn",
}  # fmt: skip
"""What takes long to import, and is needed to compute, train or serve only."""

SCRIPT = """
import sys
from baton.__main__ import main
try:
    main()
finally:
    print("imported:", *sorted({name.split(".")[0] for name in sys.modules}))
"""


def list_imports(folder: Path, *words: str, **environment: str) -> set[str]:
    """Run a command in an interpreter of its own; give the packages it had imported at its end."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].removeprefix("imported: ").split())


def test_help_imports_nothing_that_a_command_works_with(tmp_path):
    imported = list_imports(tmp_path, "--help")
    assert "typer" in imported
    assert not imported & {*SLOW, "features", "training", "serving", "sqlalchemy", "psycopg"}


def test_listing_keys_imports_nothing_that_computes_trains_or_serves(tmp_path, database_url):
    url = database_url.replace("+psycopg", "")
    imported = list_imports(
        tmp_path,
        "keys",
        "list",
        BATON_DATABASE_URL=url,
        BATON_ALLOW_UNSAFE_DURABILITY="true",
    )
    assert "sqlalchemy" in imported
    assert not imported & SLOW


@pytest.mark.parametrize("name", ["serve", "worker", "store", "keys", "leads", "audit-log"])
def test_help_of_what_the_server_brings_waits_for_no_library(tmp_path, name):
    assert not list_imports(tmp_path, name, "--help") & SLOW


@pytest.fixture(scope="module")
def every() -> dict[tuple[str, ...], TyperCommand | TyperGroup]:
    return dict(walk())


def list_entries() -> list[tuple[tuple[str, ...], Entry]]:
    further = [
        ((name, other), own)
        for name, entry in COMMANDS.items()
        for other, own in entry.further.items()
    ]
    return [*(((name,), entry) for name, entry in COMMANDS.items()), *further]


@pytest.mark.parametrize(
    ("words", "entry"), list_entries(), ids=[" ".join(words) for words, _ in list_entries()]
)
def test_what_help_states_of_a_command_is_what_the_command_states_of_itself(every, words, entry):
    own = (every[words].help or "").split("\n\n")[0]
    assert entry.help == " ".join(own.split())


def squeeze(text: str) -> str:
    """Without white space, so that it does not matter where lines end."""
    return "".join(text.split())


def test_every_help_states_all_that_was_written_and_no_empty_default(every):
    assert len(every) > 40
    for words, command in every.items():
        shown = CliRunner(env={"COLUMNS": "80"}).invoke(app, [*words, "--help"])
        assert shown.exit_code == 0, words
        check_help(command, shown.output)


def check_help(command: TyperCommand | TyperGroup, shown: str) -> None:
    assert max(map(len, shown.splitlines())) <= 80
    output = squeeze(shown)
    assert squeeze(command.help) in output
    for parameter in command.params:
        assert parameter.help, parameter.name
        assert squeeze(parameter.help) in output
    for name, below in getattr(command, "commands", {}).items():
        own, _, _ = below.help.partition("\n\n")
        assert squeeze(f"{name} {own}") in output
    assert not re.search(r"default:? ?[.,;)\]]", " ".join(shown.split()))
    assert "None" not in shown


def test_a_wrong_name_is_refused_with_the_nearest_right_one():
    refused = CliRunner().invoke(app, ["stor"])
    assert refused.exit_code == 2
    assert "No such command 'stor'. Did you mean 'store', 'score'?" in refused.output
