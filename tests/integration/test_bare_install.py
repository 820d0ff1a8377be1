"""What ``pip install .`` leaves without any extra: a command that says what to install, and types."""

import ast
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from baton.extras import SERVER, TRAIN, explain_missing

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

PACKAGES = ("baton", "features", "training", "serving")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built without an index."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory) -> Path:
    """The programs of an environment in which nothing but the wheel is installed."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / "bin"
    install = [programs / "python", "-m", "pip", "install", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, cwd=folder)
    return programs


def run(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin"},
    )


@pytest.mark.parametrize("words", [(), ("--help",), ("train", "var/simulated"), ("keys", "list")])
def test_the_command_names_what_to_install(bare, tmp_path, words):
    done = run(tmp_path, bare / "baton", *words)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "Baton needs typer, which is not installed: it comes with an extra. In Baton's folder: "
        "pip install '.[server]' (to train, too: '.[server,train]')\n"
    )


def test_the_package_can_be_imported_and_its_use_names_what_it_needs(bare, tmp_path):
    script = "import baton; print(baton.__all__); baton.load_bundle('var/champion')"
    done = run(tmp_path, bare / "python", "-c", script)
    assert done.returncode == 1
    assert "load_bundle" in done.stdout
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: Baton needs ")
    assert "pip install '.[server]'" in last


def test_a_folder_in_the_way_is_named(bare, tmp_path):
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "__init__.py").write_text("")
    for words in (["-c", "import baton; baton.train"], ["-m", "baton", "--help"]):
        done = run(tmp_path, bare / "python", *words)
        assert done.returncode == 1
        assert f"Python finds {tmp_path / 'features'} where Baton's own" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_wheel_carries_types_and_every_file_of_the_packages(wheel):
    names = set(ZipFile(wheel).namelist())
    assert {f"{name}/py.typed" for name in PACKAGES} <= names
    tracked = subprocess.run(
        ["git", "ls-files", *PACKAGES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert set(tracked) <= names


def test_a_type_checker_reads_the_types_of_the_public_face(bare, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import baton\nnumber: int = baton.load_bundle('var/champion').version\nbaton.train(3)\n"
    )
    words = ["--python-executable", bare / "python", "--cache-dir", tmp_path / "cache", "mine.py"]
    done = run(tmp_path, sys.executable, "-m", "mypy", *words)
    assert 'expression has type "str", variable has type "int"' in done.stdout
    assert 'Argument 1 to "train" has incompatible type "int"; expected "History"' in done.stdout


def find_modules(extra: str) -> set[str]:
    """The modules that the distributions of an extra bring."""
    wanted = {canonicalize_name(Requirement(line).name) for line in EXTRAS[extra]}
    return {
        module
        for module, owners in packages_distributions().items()
        if {canonicalize_name(owner) for owner in owners} & wanted
    }


def list_imports() -> set[str]:
    """The packages that Baton's modules import."""
    imported = set()
    for path in (path for name in PACKAGES for path in (ROOT / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])
            elif isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
    return imported


@pytest.mark.parametrize(("extra", "modules"), [("server", SERVER), ("train", TRAIN)])
def test_whatever_baton_imports_is_explained_by_the_extra_that_brings_it(extra, modules):
    assert list_imports() & find_modules(extra) <= modules <= find_modules(extra)


def test_a_module_of_nobody_is_not_explained():
    assert explain_missing(ModuleNotFoundError(name="features.nothing")) is None
    words = explain_missing(ModuleNotFoundError(name="sklearn.linear_model"))
    assert words is not None
    assert words.endswith("pip install '.[server,train]'")
