"""A history on disk: four Parquet tables and ``history.json``, put in place in one move."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.contracts.history import History, HistoryManifest
from features.errors import HistoryNotFoundError
from features.sources.errors import HistoryFolderTakenError, HistoryUnreadableError
from features.taxonomy import read_taxonomy

TABLES = ("leads", "events", "stages", "attempts")
MANIFEST_FILE = "history.json"
REJECTS_FILE = "rejects.csv"
OWNED_FILES = frozenset({MANIFEST_FILE, REJECTS_FILE, *(f"{name}.parquet" for name in TABLES)})
FORMAT = 1
"""Raised when the files change shape; a folder of a newer format is refused."""


def read_history(folder: Path) -> History:
    """Read and check a history that ``write_history`` wrote.

    Raises
    ------
    HistoryNotFoundError
        If the folder or one of its five files is missing.
    HistoryUnreadableError
        If a file is damaged or of a newer format.
    ContractError
        If a table does not have the shape of its record.
    """
    for name in (MANIFEST_FILE, *(f"{table}.parquet" for table in TABLES)):
        if not (folder / name).is_file():
            raise HistoryNotFoundError(str(folder), name)
    tables = {name: _read_table(folder / f"{name}.parquet") for name in TABLES}
    history = History(**tables, about=_read_manifest(folder / MANIFEST_FILE))
    history.check()
    return history


def write_history(history: History, folder: Path) -> None:
    """Check a history and write it; the folder appears whole or, on failure, stays as it was.

    Raises
    ------
    ContractError
        If a table does not have the shape of its record.
    HistoryFolderTakenError
        If the folder holds files but no history.
    """
    history.check()
    with replaced_folder(folder) as beside:
        write_history_files(history, beside)


def write_history_files(history: History, folder: Path) -> None:
    """Write the five files into a folder that exists."""
    history.check()
    for name in TABLES:
        pq.write_table(getattr(history, name), folder / f"{name}.parquet", compression="zstd")
    text = json.dumps(_manifest_to_json(history.about), indent=2, ensure_ascii=False)
    (folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Give a new folder beside ``folder``; when the block ends well it takes its place.

    Files of the old folder that are not part of a history (notes, a model) move along.

    Raises
    ------
    HistoryFolderTakenError
        If the folder holds files but no history: nobody's documents are replaced by accident.
    """
    _check_replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    workspace = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    fresh, old = workspace / "new", workspace / "old"
    fresh.mkdir()
    try:
        yield fresh
        if folder.exists():
            for kept in folder.iterdir():
                if kept.name not in OWNED_FILES and not (fresh / kept.name).exists():
                    shutil.move(kept, fresh / kept.name)
            folder.rename(old)
        fresh.rename(folder)
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(workspace, ignore_errors=True)


def _check_replaceable(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / MANIFEST_FILE).is_file()):
        raise HistoryFolderTakenError(str(folder))


def _read_table(path: Path) -> pa.Table:
    try:
        # A ParquetFile, not a data set: folder names such as "year=2012" are not columns.
        with pq.ParquetFile(path) as file:
            return file.read()
    except (pa.ArrowException, OSError) as error:
        raise HistoryUnreadableError(str(path), str(error)) from error


def _manifest_to_json(about: HistoryManifest) -> dict[str, Any]:
    start = about.observed_from
    return {
        "format": FORMAT,
        "source": about.source,
        "observed_from": start.isoformat() if start else None,
        "observed_until": about.observed_until.isoformat(),
        "withheld": dict(about.withheld),
        "notes": dict(about.notes),
        "taxonomy": about.taxonomy.to_json(),
    }


def _read_manifest(path: Path) -> HistoryManifest:
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        if written["format"] > FORMAT:
            raise HistoryUnreadableError(
                str(path), f"it has format {written['format']}, this Baton reads up to {FORMAT}"
            )
        start = written["observed_from"]
        return HistoryManifest(
            source=written["source"],
            taxonomy=read_taxonomy(written["taxonomy"]),
            observed_until=datetime.fromisoformat(written["observed_until"]),
            observed_from=datetime.fromisoformat(start) if start else None,
            withheld=written["withheld"],
            notes=written["notes"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise HistoryUnreadableError(str(path), f"{type(error).__name__}: {error}") from error
