"""Rejects: every row or cell that could not be used, with its place and the reason."""

import csv
import json
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Self, TextIO

CELL_SHOWN = 1_000
"""Characters of a cell that are copied into the rejects file; the source keeps the rest."""

COLUMNS = ("file", "line", "record", "kind", "field", "reason", "row")


class Reason(StrEnum):
    """Why a row or a cell was not used."""

    UNKNOWN_LEAD = "unknown lead"
    MISSING_ID = "missing id"
    DUPLICATE_ID = "duplicate id"
    MISSING_TIME = "missing time"
    UNPARSABLE_TIME = "unparsable time"
    UNPARSABLE_NUMBER = "unparsable number"
    TIME_OUT_OF_RANGE = "time before 1900 or after 2199, such as 9999-12-31 for no end date"
    NO_CHANCE = "no chance between 0 and 1"
    NUMBER_OUT_OF_RANGE = "number beyond 3e38"
    UNPARSABLE_FLAG = "neither yes nor no"
    MISSING_VALUE = "missing value"
    UNKNOWN_STAGE = "unknown stage"
    UNDATED = "value without its date"
    BEFORE_1980 = "created before 1980"
    BEFORE_CREATION = "before the lead was created"
    AFTER_CUT = "after the cut"
    IN_THE_FUTURE = "in the future"
    HUGE_FIELD = "field over 64 KiB"
    WRONG_ENCODING = "wrong encoding"
    WRONG_COLUMNS = "wrong number of columns"
    BROKEN_QUOTES = "quote never closed, or text after a closing quote"
    CUT_OFF = "file cut off or damaged"


class RejectKind(StrEnum):
    """What was lost."""

    ROW = "row rejected"
    FIELD = "field set to unknown"
    FILE = "rest of the file not read"


class Rejects:
    """Write rejects as they come, and count them.

    Use as a context manager; the file is made when the first reject arrives.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[tuple[RejectKind, Reason]] = Counter()
        self._stream: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()

    @property
    def total(self) -> int:
        """How many lines the rejects file has, without its header."""
        return sum(self.counts.values())

    def worded_counts(self) -> dict[str, int]:
        """Count the rejects by kind and reason, in words, most frequent first."""
        return {f"{kind}: {reason}": n for (kind, reason), n in self.counts.most_common()}

    def add(
        self,
        kind: RejectKind,
        reason: Reason,
        *,
        file: str,
        line: int,
        record: str,
        field: str = "",
        cells: Mapping[str, str] | None = None,
    ) -> None:
        """Write one reject."""
        self.counts[kind, reason] += 1
        row = json.dumps({k: _shortened(v) for k, v in (cells or {}).items()}, ensure_ascii=False)
        writer = csv.writer(self._opened())
        writer.writerow((file, line, record, kind, field, reason, row))

    def _opened(self) -> TextIO:
        if self._stream is None:
            # Undecodable bytes travel as lone surrogates; they are written as \udcxx.
            self._stream = self.path.open(
                "w", encoding="utf-8", errors="backslashreplace", newline=""
            )
            csv.writer(self._stream).writerow(COLUMNS)
        return self._stream


def _shortened(cell: str) -> str:
    if len(cell) <= CELL_SHOWN:
        return cell
    return f"{cell[:CELL_SHOWN]}… ({len(cell):,} characters)"
