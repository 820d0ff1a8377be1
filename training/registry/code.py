"""The code that a model of the registry carries: under a name that nobody else's package has."""

import hashlib
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("features", "training")
"""The packages that a model needs of Baton."""

MODEL = Path("training/registry/pyfunc.py")
"""What MLflow runs when it loads the model, below the private package."""

_OURS = "|".join(SOURCES)
_IMPORT = re.compile(rf"^(\s*from\s+)((?:{_OURS})[\w.]*\s+import\b)", re.MULTILINE)
_RESOURCE = re.compile(rf'(\bfiles\(")((?:{_OURS})\b)')


def write_code(to: Path) -> Path:
    """Copy Baton's packages below a private one, and have them import each other there.

    Whoever loads a model may have packages of their own called ``features`` or ``training``, or
    another version of Baton, and a process has only one package of a name. So the copy is called by
    the hash of what is in it, and its imports are renamed, as is done for vendored packages.

    Parameters
    ----------
    to
        An empty folder to write it in.

    Returns
    -------
    Path
        The private package, whose name is ``baton_`` and sixteen hexadecimal digits.
    """
    draft = to / "baton"
    for name in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, draft / name, ignore=ignored)
    (draft / "__init__.py").write_text('"""Baton, as it was when the model was logged."""\n')
    package = draft.rename(to / f"baton_{_hash(draft)[:16]}")
    for path in package.rglob("*.py"):
        text = rename_imports(path.read_text(encoding="utf-8"), package.name)
        path.write_text(text, encoding="utf-8")
    return package


def rename_imports(text: str, package: str) -> str:
    """Have a module import Baton's packages from below another one.

    >>> print(rename_imports("from features import clock", "p"))
    from p.features import clock
    >>> print(rename_imports('files("training.models")', "p"))
    files("p.training.models")
    """
    text = _IMPORT.sub(rf"\g<1>{package}.\g<2>", text)
    return _RESOURCE.sub(rf"\g<1>{package}.\g<2>", text)


def _hash(folder: Path) -> str:
    """Hash every file with its name."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
