"""``history.json``: what a history says about itself, and how its tables are split."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from features.contracts.history import HistoryManifest
from features.sources.errors import HistoryUnreadableError
from features.sources.history.paths import Place
from features.taxonomy import read_taxonomy

TABLES = ("leads", "events", "stages", "attempts")
MANIFEST_FILE = "history.json"
FORMAT = 2
"""Raised when the files change shape; a folder of a newer format is refused.

1: tables as they came. 2: split into partitions, whose rows ``history.json`` counts.
"""

Counts = Mapping[str, Sequence[int]]
"""Rows of each table, partition by partition."""


def table_file(table: str) -> str:
    """Name the file of a table."""
    return f"{table}.parquet"


def write_manifest(folder: Path, about: HistoryManifest, counts: Counts) -> None:
    """Write ``history.json``."""
    written = _manifest_to_json(about, counts)
    text = json.dumps(written, indent=2, ensure_ascii=False)
    (folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")


def read_manifest(place: Place) -> tuple[HistoryManifest, Counts | None]:
    """Read ``history.json``; the counts are None if the history is not split.

    Raises
    ------
    HistoryUnreadableError
        If it is damaged, or of a newer format.
    """
    path = place.named(MANIFEST_FILE)
    try:
        with place.open(MANIFEST_FILE) as stream:
            written = json.loads(stream.read().decode("utf-8"))
        if written["format"] > FORMAT:
            raise HistoryUnreadableError(
                path, f"it has format {written['format']}, this Baton reads up to {FORMAT}"
            )
        counts = None
        if written["format"] > 1:
            counts = {table: [int(n) for n in written["partitions"][table]] for table in TABLES}
        return _manifest_from_json(written), counts
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise HistoryUnreadableError(path, f"{type(error).__name__}: {error}") from error


def _manifest_from_json(written: Mapping[str, Any]) -> HistoryManifest:
    start = written["observed_from"]
    return HistoryManifest(
        source=written["source"],
        taxonomy=read_taxonomy(written["taxonomy"]),
        observed_until=datetime.fromisoformat(written["observed_until"]),
        observed_from=datetime.fromisoformat(start) if start else None,
        withheld=written["withheld"],
        notes=written["notes"],
    )


def _manifest_to_json(about: HistoryManifest, counts: Counts) -> dict[str, Any]:
    start = about.observed_from
    return {
        "format": FORMAT,
        "source": about.source,
        "observed_from": start.isoformat() if start else None,
        "observed_until": about.observed_until.isoformat(),
        "withheld": dict(about.withheld),
        "notes": dict(about.notes),
        "partitions": {table: list(counts[table]) for table in TABLES},
        "taxonomy": about.taxonomy.to_json(),
    }
