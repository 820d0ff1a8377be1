"""What is read by columns is what the row reader reads; anything else is left to it."""

import math
import sys
from collections import Counter
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.clock import SECOND_US
from features.sources.cells import plain_cells
from features.sources.cells.convert import (
    EARLIEST_US,
    LARGEST_NUMBER,
    LATEST_US,
    Converters,
    RowSpan,
    UnusableCellError,
)
from features.sources.cells.plain_cells import parse_pattern
from features.sources.mapping.model import Cell, FieldType
from features.sources.readers.rows import RawRow
from tests.unit.sources.factories import EVENTS, LEADS, TOP, mapping_of

UTC_CELL = mapping_of(TOP.replace("Europe/Amsterdam", "UTC"), LEADS, EVENTS)
PATTERNS = ("%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M:%S", "%m/%d/%Y", "%d.%m.%Y %H.%M")
UNUSABLE = object()
FOUND = {FieldType.TIME: pa.int64(), FieldType.NUMBER: pa.float64()}
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


def _texts(texts: list[str]) -> pa.Array:
    return pa.array([text.strip() or None for text in texts], pa.string())


def _check_alike(texts: list[str], found: pa.Array, type_: FieldType, **cell: str) -> None:
    """What was found is what the row reader finds; a time that is out of range is found out later."""
    for text, value in zip(texts, found.cast(FOUND[type_]).to_pylist(), strict=True):
        if value is not None:
            judged = _judged(text, type_, **cell)
            assert judged == value or (judged is UNUSABLE and not _is_in_range(value, type_))
            assert judged is UNUSABLE or math.copysign(1, judged) == math.copysign(1, value)


def _is_in_range(value: float, type_: FieldType) -> bool:
    if type_ is FieldType.NUMBER:
        return abs(value) <= LARGEST_NUMBER
    return EARLIEST_US <= value < LATEST_US


@given(st.lists(_mended(iso_texts) | letters, max_size=60))
def test_times_read_by_columns_are_those_of_the_row_reader(texts: list[str]) -> None:
    for some in (texts, *([text] for text in texts)):
        local, instants = plain_cells.read_iso(_texts(some))
        assert not pc.any(pc.and_(local.is_valid(), instants.is_valid())).as_py()
        for found in (local, instants):
            _check_alike(some, found, FieldType.TIME, format="iso")


@pytest.mark.parametrize("pattern", PATTERNS)
@given(texts=st.lists(_mended(pattern_texts) | letters, max_size=60))
def test_times_of_a_pattern_are_those_of_the_row_reader(pattern: str, texts: list[str]) -> None:
    read = parse_pattern(pattern)
    assert read is not None
    found = plain_cells.read_pattern(_texts(texts), read)
    _check_alike(texts, found, FieldType.TIME, format=pattern)


@pytest.mark.parametrize(
    "pattern", ["%d %b %Y", "%H:%M", "%Y%m%d", "%d/%m/%Y %d", "%Y-%m-%d%%", "%Y-%m-%dT%H:%M%z"]
)
def test_other_patterns_are_left_to_the_row_reader(pattern: str) -> None:
    assert parse_pattern(pattern) is None


@given(st.lists(_mended(number_texts), max_size=60))
def test_numbers_read_by_columns_are_those_of_the_row_reader(texts: list[str]) -> None:
    for some in (texts, *([text] for text in texts)):
        found = plain_cells.read_numbers(_texts(some))
        _check_alike(some, pc.if_else(pc.is_nan(found), None, found), FieldType.NUMBER)


@given(st.lists(_mended(st.integers(-(10**14), 10**14).map(str)), max_size=60))
def test_counts_since_the_epoch_are_those_of_the_row_reader(texts: list[str]) -> None:
    found = pc.multiply(plain_cells.read_counts(_texts(texts)), SECOND_US)
    _check_alike(texts, found, FieldType.TIME, format="epoch seconds")


@pytest.mark.parametrize(
    ("text", "pattern", "is_read"),
    [
        ("2024-02-29", "iso", True),
        ("2023-02-29", "iso", False),
        ("2024-01-10 09:00:00", "iso", True),
        ("2024-01-10T09:00:00.123Z", "iso", True),
        ("2024-01-10T09:00:00+02:00", "iso", True),
        ("2024-01-10T24:00", "iso", False),
        ("29/02/2024 10:00", "%d/%m/%Y %H:%M", True),
        ("30/02/2024 10:00", "%d/%m/%Y %H:%M", False),
    ],
)
@pytest.mark.parametrize("neighbours", [[], ["never", "2024-01-10", "2024-01-10T09:00Z"]])
def test_the_usual_writings_are_read_whatever_stands_beside_them(
    text: str, pattern: str, is_read: bool, neighbours: list[str]
) -> None:
    texts, read = _texts([text, *neighbours]), parse_pattern(pattern)
    found = (
        plain_cells.read_iso(texts) if read is None else [plain_cells.read_pattern(texts, read)]
    )
    assert any(array[0].is_valid for array in found) is is_read


def test_blanks_are_what_python_strips() -> None:
    assert set(plain_cells.BLANKS) == {c for c in map(chr, range(sys.maxunicode)) if c.isspace()}
