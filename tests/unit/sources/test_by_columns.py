"""Reading by columns changes nothing but the time: the row reader is the judge."""

import contextlib
import csv
import dataclasses
import gzip
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.sources.errors import SourceFileError
from features.sources.gathering import event_spill
from features.sources.gathering import gather as gathering
from features.sources.gathering import sort as sort_history
from features.sources.gathering.event_ids import HashedIds
from features.sources.gathering.lead_index import UNKNOWN, LeadIndex
from features.sources.import_history import ImportReport, run_import
from features.sources.mapping.model import ImportMapping
from features.sources.readers import csv_blocks, csv_rows
from tests.unit.sources.factories import EVENTS, LEADS, TOP, mapping_of

LOCAL = (datetime(2023, 6, 1), datetime(2024, 9, 1))  # noqa: DTZ001 -- clocks on the wall
AT = datetime(2024, 8, 1, tzinfo=UTC)
IDS, VALUES, SEEN = 'event_id = "id"\n', 'value = "value"\n', 'known_at = "seen"\n'
MORE = 'channel = "channel"\nproperties = { columns = ["value", "channel"] }\n'
MAPPED = (
    'kind = { column = "what", map = { "Mail  Opened" = "email_open", x = "page_view" } }\n'
    'name = "what"\n'
)
STRICT = """
[[source]]
record = "event"
file = "events.csv*"
where = { channel = ["web", "mail", ""] }
where_not = { what = ["y"] }
[source.fields]
lead_id = { column = "lead", missing = ["none"] }
occurred_at = { column = "time", offset = "36h" }
name = "what"
value = { column = "value", decimal = ",", missing = ["7"] }
"""
PATTERN = EVENTS.replace('"time"', '{ column = "time", format = "%d/%m/%Y %H:%M" }')
EPOCH = EVENTS.replace('"time"', '{ column = "time", format = "epoch seconds" }')
PLACE = 'observed_until = "2024-07-01"\n'
MAPPINGS = {
    "plain": mapping_of(TOP, LEADS, EVENTS),
    "ids": mapping_of(TOP, LEADS, EVENTS, IDS, VALUES, SEEN, MORE),
    "kinds": mapping_of(TOP, PLACE, LEADS, EVENTS.replace('name = "what"\n', ""), MAPPED, IDS),
    "strict": mapping_of(TOP, LEADS, STRICT),
    "pattern": mapping_of(TOP, LEADS, PATTERN, IDS),
    "epoch": mapping_of(TOP, LEADS, EPOCH, VALUES),
}
PEOPLE = "id,created\n" + "".join(f"{n},2024-01-{n + 1:02} 09:00\n" for n in range(6))
COLUMNS = ("lead", "time", "what", "id", "value", "seen", "channel")

leads = st.sampled_from(["0", "1", "2", "3", "4", "5", " 5", "\xa01", "9", "", "none"])
times = st.sampled_from(
    [
        *("2024-02-01", "2024-02-01T10:00Z", "2024-02-02 10:00:00", "2024-02-02 10:00:00.123"),
        *("2024-03-31 02:30", "2024-10-27 02:30", "2024-06-30 23:59:59.999999+02:00", "never", ""),
        *("2024-02-30", "9999-12-31", "1800-01-01", "2024-02-01 10", "20240201", "24-02-01"),
        *("05/03/2024 10:15", "5/3/2024 1:15", "31/03/2024 02:30", "1706781600", "1706781600.5"),
        *("-5", "2024-02-01T10:00:00,5", " 2024-02-01 ", "2024-02-01T24:00", "2025-01-01"),
        *("2024-02-01T10:00:00.1", "2024-02-01 10:00:00 +01:00", "2024-02-01t10:00", "\u0662024"),
    ]
)
whats = st.sampled_from(["x", "X ", "y", "Email Opened", "mail  opened", "", 'say "hi"', "é,\xa0"])
ids = st.sampled_from([*"abcdefgh", "", " a", "\u2003b", "a\u2003"]) | st.uuids().map(str)
values = st.sampled_from(
    ["", "1", "-2.50", "1e3", "nan", "inf", "1_0", "7", "1,5", "0.1", "many", "4e38", "-0", "."]
) | st.floats(-1e6, 1e6).map(repr)
channels = st.sampled_from(["web", "MAIL", "mail", "", "fax", "a\nb"])
good_rows = st.tuples(leads, times, whats, ids, values, times, channels).map(list)
sound_rows = st.tuples(
    st.sampled_from("012345"),
    st.datetimes(*LOCAL).map(str),
    whats,
    st.uuids().map(str),
    st.floats(-1e6, 1e6).map(repr),
    st.just(""),
    st.sampled_from(["web", "mail"]),
).map(list)
rows = st.lists(
    sound_rows | good_rows | st.lists(st.sampled_from(["", "a", "1"]), max_size=8), max_size=40
)
noises = st.sampled_from([b"", b"", b"\xff", b'"', b"\r", b"\n\n", b"\x00", b",", b'"\n', b"\xc3"])


def _both(folder: Path, mapping: ImportMapping) -> tuple[ImportReport, ImportReport]:
    reports = []
    for by_columns in (True, False):
        to = folder / f"by-columns-{by_columns}"
        report = run_import(mapping, folder / "export", to, at=AT, by_columns=by_columns)
        assert sorted(p.name for p in to.iterdir() if p.name != "rejects.csv") == sorted(
            ["history.json", *(f"{t}.parquet" for t in ("leads", "events", "stages", "attempts"))]
        )
        reports.append(report)
    return reports[0], reports[1]


def _check_alike(by_columns: ImportReport, by_row: ImportReport) -> None:
    for field in dataclasses.fields(ImportReport):
        if field.name not in ("folder", "rejects_file"):
            assert getattr(by_columns, field.name) == getattr(by_row, field.name), field.name
    assert by_columns.exit_code == by_row.exit_code
    if by_row.rejects_file is not None and by_columns.rejects_file is not None:
        assert by_columns.rejects_file.read_bytes() == by_row.rejects_file.read_bytes()
    assert (by_columns.rejects_file is None) == (by_row.rejects_file is None)
    manifests = [(r.folder / "history.json").read_text("utf-8") for r in (by_columns, by_row)]
    assert manifests[0] == manifests[1]
    assert by_columns.history == by_row.history


def _as_csv(table: list[list[str]], ending: str = "\n", quoting: int = csv.QUOTE_MINIMAL) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, lineterminator=ending, quoting=quoting).writerows([COLUMNS, *table])
    return stream.getvalue().encode()


@contextlib.contextmanager
def _blocks_of(size: int) -> Iterator[None]:
    """Read, keep and sort in small pieces, so that there are many of each."""
    bits = {1: 0, 40: 1}.get(size, 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_blocks, "BLOCK", size)
        patch.setattr(csv_rows, "ODD_AT_ONCE", max(1, size // 10))
        patch.setattr(event_spill, "RUN_ROWS", size)
        patch.setattr(event_spill, "BUCKET_BITS", 2)
        patch.setattr(gathering, "MOST_AS_DICT", size)
        patch.setattr(sort_history, "partition_bits", lambda _: bits)
        yield


@pytest.mark.slow
@pytest.mark.parametrize("name", MAPPINGS)
@settings(deadline=None, max_examples=30)
@given(
    table=rows,
    noise=noises,
    place=st.integers(0, 2_000),
    style=st.sampled_from(["\n", "\r\n"]),
    packed=st.booleans(),
    block=st.sampled_from([1, 40, 40, 10**6]),
)
def test_a_messy_file_gives_the_same_either_way(
    name: str,
    table: list[list[str]],
    noise: bytes,
    place: int,
    style: str,
    packed: bool,
    block: int,
) -> None:
    raw = _as_csv(table, style, csv.QUOTE_ALL if place % 3 == 0 else csv.QUOTE_MINIMAL)
    place = max(place % len(raw), raw.index(b"\n") + 1)
    raw = raw[:place] + noise + raw[place:]
    with TemporaryDirectory() as folder, _blocks_of(block):
        export = Path(folder) / "export"
        export.mkdir()
        (export / "leads.csv").write_text(PEOPLE)
        if packed:
            zipped = gzip.compress(raw)
            cut = len(zipped) - place % 40 if place % 2 else len(zipped)
            (export / "events.csv.gz").write_bytes(zipped[:cut])
        else:
            (export / "events.csv").write_bytes(raw)
        # A packed file may be cut off within its header: then nothing can be read.
        with contextlib.suppress(SourceFileError):
            _check_alike(*_both(Path(folder), MAPPINGS[name]))


typed_rows = st.lists(
    st.tuples(
        st.integers(0, 8) | st.none(),
        st.datetimes(*LOCAL) | st.none(),
        st.sampled_from(["x", "Email Opened", " y ", None, "\xa0x"]),
        st.sampled_from(["web", "mail", None]),
        st.floats(width=32) | st.none(),
    ),
    max_size=30,
)
time_types = st.sampled_from(
    [
        *(pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.timestamp("ms", "America/New_York")),
        *(pa.timestamp("ns"), pa.string(), pa.date32()),
    ]
)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(table=typed_rows, time_type=time_types, coded=st.booleans(), wide=st.booleans())
def test_a_parquet_file_gives_the_same_either_way(
    table: list[tuple[object, ...]], time_type: pa.DataType, coded: bool, wide: bool
) -> None:
    columns = list(zip(*table, strict=True)) or [()] * 5
    times = pa.array(columns[1], pa.timestamp("us")).cast(time_type, safe=False)
    whats = pa.array(columns[2], pa.string())
    events = {
        "lead": pa.array(columns[0], pa.int64()).cast(pa.float64() if wide else pa.int64()),
        "time": times,
        "what": whats.dictionary_encode() if coded else whats,
        "channel": pa.array(columns[3], pa.string()),
        "value": pa.array(columns[4], pa.float64()),
    }
    mapping = mapping_of(
        TOP,
        LEADS,
        EVENTS.replace("events.csv*", "events.parquet"),
        VALUES,
        'channel = "channel"\n',
    )
    with TemporaryDirectory() as folder, _blocks_of(40):
        export = Path(folder) / "export"
        export.mkdir()
        (export / "leads.csv").write_text(PEOPLE)
        pq.write_table(pa.table(events), export / "events.parquet", row_group_size=7)
        _check_alike(*_both(Path(folder), mapping))


def test_bytes_that_are_no_text_in_parquet_cost_their_rows_either_way(tmp_path: Path) -> None:
    raw = pa.array([b"x", b"\xff", b"y" * 70_000, b"z"])
    whats = pa.Array.from_buffers(pa.string(), 4, raw.buffers())
    times = pa.array([datetime(2024, 2, n, tzinfo=UTC) for n in (1, 2, 3, 4)])
    mapping = mapping_of(TOP, LEADS, EVENTS.replace("events.csv*", "events.parquet"))
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "leads.csv").write_text(PEOPLE)
    events = pa.table({"lead": ["0", "1", "2", "3"], "time": times, "what": whats})
    pq.write_table(events, tmp_path / "export" / "events.parquet")
    by_columns, by_row = _both(tmp_path, mapping)
    _check_alike(by_columns, by_row)
    assert by_columns.rows["events"] == 2


@settings(deadline=None)
@given(st.lists(st.text(max_size=3), max_size=50), st.lists(st.text(max_size=3), max_size=50))
def test_ids_are_reported_apart_like_a_set_does(first: list[str], second: list[str]) -> None:
    ids, seen = HashedIds(capacity=4), set()
    for texts in (first, second):
        expected = [not (text in seen or seen.add(text)) for text in texts]
        found = ids.add_all(*ids.hashes(pa.array(texts, pa.string())))
        assert found.tolist() == expected
    assert [ids.add(text) for text in first] == [False] * len(first)


@settings(deadline=None)
@given(st.lists(st.text(max_size=4), unique=True), st.lists(st.text(max_size=4) | st.none()))
def test_leads_are_found_like_a_dictionary_does(
    listed: list[str], sought: list[str | None]
) -> None:
    index = LeadIndex(pa.array(listed, pa.string()))
    expected = [listed.index(lead) if lead in listed else UNKNOWN for lead in sought]
    assert index.find(pa.array(sought, pa.string())).tolist() == expected
