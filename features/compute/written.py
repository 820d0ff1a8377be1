"""What was written of a matrix, part by part."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from features.compute.output import MatrixFormat
from features.compute.part import Job


@dataclass(frozen=True)
class Written:
    """The file of one part."""

    position: int
    rows: int
    leads: int
    left_out: int


def describe_matrix(job: Job, format_: MatrixFormat, parts: Iterable[Written]) -> dict[str, Any]:
    """Say what a matrix is, for those who read it: its catalogue, grid, and rows of each file."""
    ordered = sorted(parts, key=lambda part: part.position)
    return {
        "format": str(format_),
        "grid": job.grid.words,
        "catalog_fingerprint": job.catalog.fingerprint,
        "rows": [part.rows for part in ordered],
        "leads": sum(part.leads for part in ordered),
        "left_out": sum(part.left_out for part in ordered),
        "catalog": job.catalog.to_json(),
    }
