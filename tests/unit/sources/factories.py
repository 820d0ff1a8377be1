"""Small exports and mappings that are valid; a test states only what matters."""

import csv
from pathlib import Path
from typing import Any

from features.sources.import_history import ImportReport, run_import
from features.sources.mapping.model import ImportMapping
from features.sources.read_mapping import parse_mapping

TOP = """
name = "shop"
time_zone = "Europe/Amsterdam"
"""
LEADS = """
[[source]]
record = "lead"
file = "leads.csv*"
[source.fields]
lead_id = "id"
created_at = "created"
[source.attributes]
"""
EVENTS = """
[[source]]
record = "event"
file = "events.csv*"
[source.fields]
lead_id = "lead"
occurred_at = "time"
name = "what"
"""
STAGES = """
[[source]]
record = "stage"
file = "stages.csv*"
[source.fields]
lead_id = "lead"
at = "time"
stage = "stage"
"""
CALLS = """
[[source]]
record = "attempt"
file = "calls.csv*"
[source.fields]
lead_id = "lead"
at = "time"
channel = { value = "call" }
"""
ANN = "id,created\n007,2024-01-10 09:00\n"


def mapping_of(*parts: str, file: str = "shop.toml") -> ImportMapping:
    """Read a mapping put together from its parts."""
    return parse_mapping("".join(parts).encode(), file)


def import_texts(folder: Path, mapping: ImportMapping, **texts: str | bytes) -> ImportReport:
    """Write each text to ``<name>.csv`` and import them all."""
    export = folder / "export"
    export.mkdir()
    for name, text in texts.items():
        raw = text.encode() if isinstance(text, str) else text
        (export / f"{name}.csv").write_bytes(raw)
    return run_import(mapping, export, folder / "history")


def read_rejects(report: ImportReport) -> list[dict[str, Any]]:
    """Read the rejects file."""
    assert report.rejects_file is not None
    with report.rejects_file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def places(report: ImportReport) -> list[tuple[str, int, str]]:
    """Tell file, line and reason of each reject."""
    rejects = read_rejects(report)
    return [(reject["file"], int(reject["line"]), reject["reason"]) for reject in rejects]
