"""Process logs and Parquet files read like the CSV they could have been."""

import gzip
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.clock import from_us, to_us
from features.sources.errors import SourceFileError
from features.sources.import_history import ImportReport, run_import
from features.sources.read_mapping import read_mapping
from features.sources.rejects import Reason
from tests.unit.sources.factories import LEADS, TOP, mapping_of, places


def _event(name: str, time: str, transition: str = "COMPLETE") -> str:
    return f"""
    <event>
      <string key="concept:name" value="{name}"><string key="nested" value="no"/></string>
      <string key="lifecycle:transition" value="{transition}"/>
      <date key="time:timestamp" value="{time}"/>
    </event>"""


LOG = f"""<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1.0" xmlns="http://www.xes-standard.org/">
  <global scope="event"><string key="concept:name" value="UNKNOWN"/></global>
  <trace>
    <string key="AMOUNT_REQ" value="5000"/>
    {_event("A_SUBMITTED", "2011-10-01T00:00:00.000+02:00")}
    {_event("A_PREACCEPTED", "2011-10-01T00:00:00.001+02:00")}
    {_event("W_Nabellen offertes", "2011-10-02T10:00:00.000+02:00", "START")}
    {_event("W_Nabellen offertes", "2011-10-02T10:05:00.000+02:00")}
    {_event("O_SENT", "2011-10-03T00:00:00.000+02:00")}
    {_event("A_APPROVED", "2011-10-09T00:00:00.000+02:00")}
    {_event("A_REGISTERED", "2011-10-09T00:00:00.000+02:00")}
    <string key="concept:name" value="0173688"/>
  </trace>
</log>
"""
AS_CSV = """case:concept:name,case:AMOUNT_REQ,concept:name,lifecycle:transition,time:timestamp,org:resource
0173688,5000,A_SUBMITTED,COMPLETE,2011-10-01 00:00:00+02:00,
0173688,5000,A_PREACCEPTED,COMPLETE,2011-10-01 00:00:00.001000+02:00,
0173688,5000,W_Nabellen offertes,START,2011-10-02 10:00:00+02:00,
0173688,5000,W_Nabellen offertes,COMPLETE,2011-10-02 10:05:00+02:00,
0173688,5000,O_SENT,COMPLETE,2011-10-03 00:00:00+02:00,
0173688,5000,A_APPROVED,COMPLETE,2011-10-09 00:00:00+02:00,
0173688,5000,A_REGISTERED,COMPLETE,2011-10-09 00:00:00+02:00,
"""


@pytest.mark.parametrize("file", ["log.xes", "log.xes.gz"])
def test_a_log_becomes_leads_stages_attempts_and_events(tmp_path: Path, file: str) -> None:
    raw = LOG.encode()
    (tmp_path / file).write_bytes(gzip.compress(raw) if file.endswith(".gz") else raw)
    report = run_import("bpi2012", tmp_path, tmp_path / "out")
    history = report.history
    assert history.leads["lead_id"].to_pylist() == ["0173688"]
    assert history.leads["amount_requested"].to_pylist() == [5000.0]
    assert history.stages["stage"].to_pylist() == ["mql", "opportunity", "won"]
    assert history.attempts["channel"].to_pylist() == ["call"]
    assert history.events["kind"].to_pylist() == ["offer_sent"]
    assert history.events["channel"].to_pylist() == ["completed"]
    assert report.exit_code == 0
    assert report.columns_unmet == {file: ("org:resource",)}


def test_the_same_mapping_reads_the_log_exported_as_csv(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "log.xes").write_text(LOG)
    (tmp_path / "b" / "log.csv").write_text(AS_CSV)
    log = run_import("bpi2012", tmp_path / "a", tmp_path / "a" / "out").history
    export = run_import("bpi2012", tmp_path / "b", tmp_path / "b" / "out").history
    assert log.leads == export.leads
    assert log.stages == export.stages
    assert log.attempts == export.attempts
    assert log.events.drop_columns(["event_id"]) == export.events.drop_columns(["event_id"])


def test_events_on_one_line_have_ids_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "log.xes").write_text(LOG.replace("\n", "").replace("A_REGISTERED", "O_CREATED"))
    events = run_import("bpi2012", tmp_path, tmp_path / "out").history.events
    assert events["event_id"].to_pylist() == ["log.xes:5", "log.xes:7"]


def test_a_log_that_breaks_off_keeps_the_events_before(tmp_path: Path) -> None:
    broken = LOG[: LOG.index("A_APPROVED")]
    broken = broken.replace(
        '<string key="AMOUNT_REQ"',
        '<string key="concept:name" value="1"/><string key="AMOUNT_REQ"',
    )
    (tmp_path / "log.xes").write_text(broken)
    report = run_import("bpi2012", tmp_path, tmp_path / "out")
    assert report.history.stages["stage"].to_pylist() == ["mql", "opportunity"]
    assert report.rejected == {"rest of the file not read: file cut off or damaged": 1}
    assert places(report)[0][1] == broken.count("\n") + 1


def test_a_log_cut_off_while_packed_keeps_the_events_before(tmp_path: Path) -> None:
    trace = LOG[LOG.index("<trace>") : LOG.index("</log>")]
    many = "".join(trace.replace("0173688", str(n)) for n in range(3_000))
    packed = gzip.compress(LOG.replace(trace, many).encode())
    (tmp_path / "log.xes.gz").write_bytes(packed[: len(packed) * 3 // 4])
    report = run_import("bpi2012", tmp_path, tmp_path / "out")
    assert 1_000 < report.lead_count < 3_000
    assert "rest of the file not read: file cut off or damaged" in report.rejected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('<!DOCTYPE log [<!ENTITY a "b">]><log/>', "document type"),
        ("<log></log>", "no XES events"),
    ],
)
def test_xml_that_is_no_log_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "log.xes").write_text(text)
    with pytest.raises(SourceFileError, match=problem):
        run_import("bpi2012", tmp_path, tmp_path / "out")


PARQUET = LEADS.replace("leads.csv*", "leads.parquet") + (
    'size = { column = "size", type = "number", known = "at creation" }\n'
    'vip = { column = "vip", type = "flag", known = "at creation" }\n'
)


BEGIN = to_us(datetime(2024, 1, 10, tzinfo=UTC))


def _import_parquet(folder: Path, *, mapping: str = PARQUET, **columns: object) -> ImportReport:
    there = {"id": ["1", "2"], "created": ["2024-01-10"] * 2, "size": [1, 2], "vip": [True] * 2}
    pq.write_table(pa.table(there | columns), folder / "leads.parquet")
    return run_import(mapping_of(TOP, mapping), folder, folder / "out")


@pytest.mark.parametrize(
    ("ids", "read"),
    [
        (pa.array([7.0, 2.0**52]), ["7", "4503599627370496"]),
        (pa.array([Decimal("7.000"), Decimal("7.500")]), ["7", "7.500"]),
        (pa.array([b"007", "é".encode()]), ["007", "é"]),
        (pa.array([b"007", b"8"], pa.large_binary()), ["007", "8"]),
        (pa.array(["007", "8"]).dictionary_encode(), ["007", "8"]),
    ],
)
def test_parquet_ids_are_the_text_a_person_would_write(
    tmp_path: Path, ids: pa.Array, read: list[str]
) -> None:
    report = _import_parquet(tmp_path, id=ids)
    assert report.history.leads["lead_id"].to_pylist() == read
    assert report.exit_code == 0


def test_a_gap_in_a_parquet_column_of_floats_is_an_empty_cell(tmp_path: Path) -> None:
    report = _import_parquet(tmp_path, id=[7.0, float("nan")])
    assert report.history.leads["lead_id"].to_pylist() == ["7"]
    assert places(report) == [("leads.parquet", 2, "missing id")]


def test_parquet_bytes_that_are_no_text_cost_their_row(tmp_path: Path) -> None:
    report = _import_parquet(tmp_path, id=[b"1", b"\xff\x00"])
    assert places(report) == [("leads.parquet", 2, "wrong encoding")]


def test_parquet_columns_nobody_asked_for_may_hold_anything(tmp_path: Path) -> None:
    report = _import_parquet(tmp_path, photo=[b"\xff" * 70_000, b""], tags=[["a"], []])
    assert report.exit_code == 0
    assert report.columns_unused == {"leads.parquet": ("photo", "tags")}


@pytest.mark.parametrize("nested", [[["a"], []], [{"a": 1}, {"a": 2}]])
def test_a_nested_parquet_column_is_refused_in_words(tmp_path: Path, nested: object) -> None:
    with pytest.raises(SourceFileError, match=r"'size' holds several values per row \(.*Write"):
        _import_parquet(tmp_path, size=nested)


@pytest.mark.parametrize("unit", ["us", "ns"])
def test_a_parquet_time_outside_the_calendar_costs_its_row(tmp_path: Path, unit: str) -> None:
    scale = 1_000 if unit == "ns" else 1
    moments = pa.array([BEGIN * scale, 2**63 - 1], pa.timestamp(unit))
    report = _import_parquet(tmp_path, created=moments)
    assert report.lead_count == 1
    reason = Reason.TIME_OUT_OF_RANGE if unit == "ns" else Reason.UNPARSABLE_TIME
    assert places(report) == [("leads.parquet", 2, reason)]


def test_parquet_columns_keep_their_meaning(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": pa.array([7, 8, None]),
            "created": pa.array([BEGIN, BEGIN + 1, BEGIN + 2], pa.timestamp("us", tz="UTC")),
            "size": [1.5, None, 2.0],
            "vip": [True, False, None],
        }
    )
    pq.write_table(table, tmp_path / "leads.parquet")
    report = run_import(mapping_of(TOP, PARQUET), tmp_path, tmp_path / "out")
    leads = report.history.leads
    assert leads["lead_id"].to_pylist() == ["7", "8"]
    assert leads["created_at"].to_pylist() == [from_us(BEGIN), from_us(BEGIN + 1)]
    assert leads["size"].to_pylist() == [1.5, None]
    assert leads["vip"].to_pylist() == [True, False]
    assert places(report) == [("leads.parquet", 3, "missing id")]


def test_a_parquet_file_that_is_none_or_lacks_a_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "leads.parquet").write_bytes(b"not at all")
    with pytest.raises(SourceFileError, match="no Parquet file"):
        run_import(mapping_of(TOP, PARQUET), tmp_path, tmp_path / "out")
    pq.write_table(pa.table({"id": ["1"]}), tmp_path / "leads.parquet")
    with pytest.raises(SourceFileError, match="no column 'created'"):
        run_import(mapping_of(TOP, PARQUET), tmp_path, tmp_path / "out")


def test_an_ending_that_tells_no_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bpi.zip").write_bytes(b"PK")
    with pytest.raises(SourceFileError, match=r"Unpack \.zip"):
        run_import(read_mapping("bpi2012"), tmp_path / "bpi.zip", tmp_path / "out")
