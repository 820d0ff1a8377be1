"""The house keeps its shape: sizes, floors, one lock without addresses."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = ("features", "training", "serving")
SOURCES = sorted(p for floor in ("baton", *FLOORS) for p in (ROOT / floor).rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_module_outgrows_its_room(path):
    assert len(path.read_text().splitlines()) <= 500


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_states_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


FOLDERS = sorted({path.parent for path in SOURCES})
MOST_MODULES = 15
"""Beside each other in a folder: beyond it nobody sees what belongs together."""


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_folder_is_a_flat_hall(folder):
    modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= MOST_MODULES, sorted(path.name for path in modules)


def test_floors_and_rooms_hold():
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["all.lock", "server.lock", "bench.lock", "docs.lock", "uv.lock"])
def test_locks_carry_hashes_and_no_address(name):
    text = (ROOT / "requirements" / name).read_text()
    assert not re.search(r"https?://|file:|--(extra-)?index|--find-links", text)
    requirements = re.findall(r"^[a-z0-9].*==", text, flags=re.MULTILINE)
    hashed = re.findall(r"^[a-z0-9][^\n]*\\\n    --hash=sha256:", text, flags=re.MULTILINE)
    assert len(requirements) == len(hashed) > 0


def test_the_server_lock_holds_nothing_of_training():
    text = (ROOT / "requirements" / "server.lock").read_text()
    names = set(re.findall(r"^([a-z0-9-]+)==", text, flags=re.MULTILINE))
    assert not names & {
        "mlflow",
        "pandas",
        "scikit-learn",
        "shap",
        "evidently",
        "dask",
        "lightgbm",
    }
    assert {"fastapi", "numba", "uvicorn"} <= names


def test_top_level_is_the_design_card():
    kept = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    top = {path.split("/")[0] for path in kept}
    assert {"training", "serving", "features", "mlruns", "tests", "pyproject.toml"} <= top
    assert top - {path for path in top if path.startswith(".")} <= {
        "training", "serving", "features", "notebooks", "mlruns", "tests", "docs", "benchmarks",
        "requirements", "baton", "pyproject.toml", "Makefile", "README.md", "CHANGELOG.md",
        "CONTRIBUTING.md", "LICENSE", "SECURITY.md", "compose.yaml", "Dockerfile",
    }  # fmt: skip


OWN_FORMULA = re.compile(
    r"1(\.0)? ?/ ?\(1(\.0)? ?\+ ?np\.exp\(-"  # sigmoid
    r"|np\.log\((\w+)\) ?- ?np\.log1?p?\((1(\.0)? ?)?- ?\3\)"  # logit
    r"|np\.logaddexp\(0"  # log loss by log-odds
)


def test_sigmoid_logit_and_log_loss_are_written_once():
    # SciPy and scikit-learn have them; serving, which has neither, reads them from one module.
    own = {"training/models/odds.py", "training/evaluation/logistic.py"}
    found = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] != "features" and OWN_FORMULA.search(path.read_text())
    }
    assert found == own


def _list_edges(tree: ast.AST) -> list[ast.ExceptHandler]:
    """List where any error at all is caught."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
    ]


def _list_calls(node: ast.AST) -> set[str]:
    return {ast.unparse(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}


SERVING = [path for path in SOURCES if path.is_relative_to(ROOT / "serving")]


@pytest.mark.parametrize("path", SERVING, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_edge_of_a_job_states_where_it_failed(path):
    """Nine of them once kept an error's class alone: of what nobody could say where it came from."""
    tree = ast.parse(path.read_text())
    for edge in _list_edges(tree):
        raises = any(isinstance(node, ast.Raise) for node in ast.walk(edge))
        logs = any(call.startswith("log.") for call in _list_calls(edge))
        keeps = any(isinstance(node, ast.Assign) for node in edge.body) and not logs
        result = "describe_fault" in _list_calls(edge)
        assert result or keeps or (raises and not logs), f"{path.name}:{edge.lineno}"
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("log."):
            given = [ast.unparse(keyword.value) for keyword in call.keywords]
            assert "type(error).__name__" not in given, f"{path.name}:{call.lineno}"
