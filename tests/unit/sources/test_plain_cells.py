"""What is read by columns is what the row reader reads; anything else is left to it."""

import math
from collections import Counter
from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.clock import SECOND_US
from features.sources.cells import plain_cells
from features.sources.cells.convert import Converters, RowSpan, UnusableCellError
from features.sources.cells.plain_cells import ABSOLUTE, EMPTY, LOCAL, UNREAD, parse_pattern
from features.sources.mapping.model import Cell, FieldType
from features.sources.readers.rows import RawRow
from features.sources.text_hash import text_buffers
from tests.unit.sources.factories import EVENTS, LEADS, TOP, mapping_of

UTC_CELL = mapping_of(TOP.replace("Europe/Amsterdam", "UTC"), LEADS, EVENTS)
PATTERNS = ("%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M:%S", "%m/%d/%Y", "%d.%m.%Y %H.%M")
UNUSABLE = object()
FIRST, LAST = datetime(1890, 1, 1), datetime(2210, 1, 1)  # noqa: DTZ001 -- clocks on the wall

moments = st.datetimes(FIRST, LAST)
iso_texts = st.builds(
    lambda moment, how, zone: moment.isoformat(*how) + zone,
    moments,
    st.sampled_from([(" ", "seconds"), ("T", "milliseconds"), ("T", "auto"), (" ", "minutes")]),
    st.sampled_from(
        ["", "", "Z", "z", "+01:00", "-09:30", "+0100", "+23:59", "+24:00", " +01:00"]
    ),
)
letters = st.text("0123456789-:T+Z. /,eE_", max_size=22)
pattern_texts = st.builds(
    lambda moment, how: moment.strftime(how), moments, st.sampled_from(PATTERNS)
)
number_texts = (
    st.from_regex(r"-?[0-9]{0,17}(\.[0-9]{0,9})?", fullmatch=True)
    | st.floats().map(repr)
    | st.integers().map(str)
)


def _mended(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Change a letter here and there."""
    return texts | st.builds(
        lambda text, place, letter: text[: place % 20] + letter + text[place % 20 + 1 :],
        texts,
        st.integers(0, 19),
        st.sampled_from([*"0123456789-: TZ.,", "\t", "\u0661", ""]),
    )


def _judged(text: str, type_: FieldType, **cell: str) -> object:
    zone = UTC_CELL.zone
    make = Converters(lambda column: column, Counter(), RowSpan(0, 0))
    getter = make.field("x", Cell(zone, column="x", **cell), type_)
    try:
        return getter(RawRow(1, 0, {"x": text}))
    except UnusableCellError:
        return UNUSABLE


def _read_times(texts: list[str], steps: np.ndarray) -> tuple[list[int], list[int]]:
    times, kinds = np.empty(len(texts), np.int64), np.empty(len(texts), np.int8)
    buffers = text_buffers(pa.array(texts, pa.string()))
    plain_cells.read_times(*buffers, steps, times, kinds)
    return times.tolist(), kinds.tolist()


@given(st.lists(_mended(iso_texts) | letters, max_size=60))
def test_times_read_by_columns_are_those_of_the_row_reader(texts: list[str]) -> None:
    times, kinds = _read_times(texts, np.empty((0, 2), np.int64))
    for text, time, kind in zip(texts, times, kinds, strict=True):
        if kind == EMPTY:
            assert not text.strip()
        elif kind != UNREAD:
            # A time that is out of range is found out later.
            assert _judged(text, FieldType.TIME, format="iso") in (time, UNUSABLE)


@pytest.mark.parametrize("pattern", PATTERNS)
@given(texts=st.lists(_mended(pattern_texts) | letters, max_size=60))
def test_times_of_a_pattern_are_those_of_the_row_reader(pattern: str, texts: list[str]) -> None:
    steps = parse_pattern(pattern)
    assert steps is not None
    times, kinds = _read_times(texts, steps)
    for text, time, kind in zip(texts, times, kinds, strict=True):
        if kind == LOCAL:
            assert _judged(text, FieldType.TIME, format=pattern) == time


@pytest.mark.parametrize(
    "pattern", ["%d %b %Y", "%H:%M", "%Y%m%d", "%d/%m/%Y %d", "%Y-%m-%d%%", "%Y-%m-%dT%H:%M%z"]
)
def test_other_patterns_are_left_to_the_row_reader(pattern: str) -> None:
    assert parse_pattern(pattern) is None


@given(st.lists(_mended(number_texts), max_size=60))
def test_numbers_read_by_columns_are_those_of_the_row_reader(texts: list[str]) -> None:
    numbers, kinds = np.empty(len(texts)), np.empty(len(texts), np.int8)
    plain_cells.read_numbers(*text_buffers(pa.array(texts, pa.string())), numbers, kinds)
    for text, number, kind in zip(texts, numbers.tolist(), kinds.tolist(), strict=True):
        if kind == LOCAL:
            judged = _judged(text, FieldType.NUMBER)
            assert judged == number
            assert math.copysign(1, judged) == math.copysign(1, number)


@given(st.lists(_mended(st.integers(-(10**14), 10**14).map(str)), max_size=60))
def test_counts_since_the_epoch_are_those_of_the_row_reader(texts: list[str]) -> None:
    times, kinds = np.empty(len(texts), np.int64), np.empty(len(texts), np.int8)
    buffers = text_buffers(pa.array(texts, pa.string()))
    plain_cells.read_counts(*buffers, SECOND_US, times, kinds)
    for text, time, kind in zip(texts, times.tolist(), kinds.tolist(), strict=True):
        if kind == ABSOLUTE:
            assert _judged(text, FieldType.TIME, format="epoch seconds") in (time, UNUSABLE)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2024-02-29", LOCAL),
        ("2023-02-29", UNREAD),
        ("2024-01-10 09:00:00", LOCAL),
        (" 2024-01-10T09:00:00.123Z", ABSOLUTE),
        ("2024-01-10T09:00:00+02:00", ABSOLUTE),
        ("2024-01-10T24:00", UNREAD),
        ("  ", EMPTY),
    ],
)
def test_the_usual_writings_are_read(text: str, kind: int) -> None:
    assert _read_times([text], np.empty((0, 2), np.int64))[1] == [kind]
