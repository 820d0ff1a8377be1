"""Rows of a process log (XES, plain or gzipped): one per event, its case's fields beside it.

Columns are named as pm4py names them in a CSV export of the log: an event's attributes by their
key, its case's with ``case:`` before, so that one mapping reads either.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from xml.parsers import expat

from features.sources.errors import SourceFileError
from features.sources.readers.rows import HUGE_FIELD, READ_FAILURES, InputFile, RawRow
from features.sources.rejects import Reason

CHUNK = 256 * 1024
VALUE_TAGS = frozenset({"string", "date", "int", "float", "boolean", "id"})


class _Cells(dict[str, str]):
    """Cells by column; a column the event lacks is empty."""

    def __missing__(self, column: str) -> str:
        return ""


class XesRows:
    """Read a process log event by event, in bounded memory (one case at a time)."""

    def __init__(self, file: InputFile) -> None:
        self._file = file
        self._seen: dict[str, None] = {}

    def key_of(self, column: str) -> str:
        """Rows are by name; whether a column ever occurs is known only at the end."""
        return column

    def columns_seen(self) -> tuple[str, ...]:
        """List the columns met so far."""
        return tuple(self._seen)

    def fraction_read(self) -> float:
        """Tell how far into the file the reading is."""
        return self._file.fraction_read()

    def named(self, row: RawRow) -> Mapping[str, str]:
        """Give the cells by column."""
        cells: Mapping[str, str] = row.cells
        return cells

    def rows(self) -> Iterator[RawRow]:
        """Read the events in the log's order; a row's line is where its event begins."""
        log = _Log(str(self._file.path))
        stream = self._file.stream()
        number, cut_off, ended = 0, "", False
        while not ended:
            try:
                chunk = stream.read(CHUNK)
                ended = not chunk
                log.parser.Parse(chunk, ended)
            except READ_FAILURES as error:
                cut_off, ended = str(error) or type(error).__name__, True
            except expat.ExpatError as error:
                cut_off, ended = str(error), True
            if cut_off:
                log.close_case()
            for line, cells in log.take():
                self._seen.update(dict.fromkeys(cells))
                huge = max(map(len, cells.values()), default=0) > HUGE_FIELD
                yield RawRow(line, number, cells, Reason.HUGE_FIELD if huge else None)
                number += 1
        if not number and not cut_off:
            raise SourceFileError(str(self._file.path), "it is XML but holds no XES events.")
        if cut_off:
            yield RawRow(log.parser.CurrentLineNumber, number, {}, Reason.CUT_OFF, cut_off)


class _Log:
    """What the XML parser has met: the case being read and the events that are complete."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._case: dict[str, str] = {}
        self._event: dict[str, str] | None = None
        self._event_line = 0
        self._events: list[tuple[int, dict[str, str]]] = []
        self._complete: list[tuple[int, _Cells]] = []
        self._inside: list[str] = []
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype

    def take(self) -> list[tuple[int, _Cells]]:
        """Hand over the complete events."""
        complete, self._complete = self._complete, []
        return complete

    def close_case(self) -> None:
        """Put the case's fields beside each of its events, wherever in the case they stood."""
        self._complete += [(line, _Cells(self._case | event)) for line, event in self._events]
        self._case, self._events, self._event = {}, [], None

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        parent = self._inside[-1] if self._inside else ""
        self._inside.append(tag)
        if tag == "event" and parent == "trace":
            self._event, self._event_line = {}, self.parser.CurrentLineNumber
        elif tag in VALUE_TAGS and "key" in attributes:
            # Only a case's or an event's own fields count: nested ones belong to a field.
            if parent == "event" and self._event is not None:
                self._event[attributes["key"]] = attributes.get("value", "")
            elif parent == "trace":
                self._case[f"case:{attributes['key']}"] = attributes.get("value", "")

    def _end(self, _tag: str) -> None:
        tag = self._inside.pop()
        if tag == "event" and self._event is not None:
            self._events.append((self._event_line, self._event))
            self._event = None
        elif tag == "trace":
            self.close_case()

    def _refuse_doctype(self, *_: Any) -> None:
        # XES has no DTD; entities are how XML files exhaust memory or read other files.
        raise SourceFileError(self._path, "it declares a document type, which XES never does.")
