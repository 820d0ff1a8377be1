"""Nothing is lost silently: each kind of bad row, with its line and its reason."""

import csv
import gzip
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from features.sources.errors import NothingUsableError, SourceFileError
from features.sources.import_history import run_import
from features.sources.mapping.model import Record
from features.sources.readers import csv_rows
from tests.unit.sources.factories import (
    ANN,
    CALLS,
    EVENTS,
    LEADS,
    STAGES,
    TOP,
    import_texts,
    mapping_of,
    places,
    read_rejects,
)


def test_a_clean_import_writes_no_rejects_file(tmp_path: Path) -> None:
    report = import_texts(tmp_path, mapping_of(TOP, LEADS), leads=ANN)
    assert report.exit_code == 0
    assert report.rejects_file is None
    assert not (report.folder / "rejects.csv").exists()


def test_bad_leads_are_rejected_one_by_one(tmp_path: Path) -> None:
    leads = (
        "id,created\n"
        "1,2024-01-01\n"
        ",2024-01-01\n"
        "2,\n"
        "3,yesterday\n"
        "1,2024-01-02\n"
        "4,2024-01-01,surplus\n"
        "5\n"
        "\n"
        "6,2024-01-06\n"
    )
    report = import_texts(tmp_path, mapping_of(TOP, LEADS), leads=leads)
    assert report.history.leads["lead_id"].to_pylist() == ["1", "6"]
    assert places(report) == [
        ("leads.csv", 3, "missing id"),
        ("leads.csv", 4, "missing time"),
        ("leads.csv", 5, "unparsable time"),
        ("leads.csv", 6, "duplicate id"),
        ("leads.csv", 7, "wrong number of columns"),
        ("leads.csv", 8, "wrong number of columns"),
    ]
    assert report.exit_code == 3


def test_a_reject_carries_record_field_and_the_whole_row(tmp_path: Path) -> None:
    report = import_texts(tmp_path, mapping_of(TOP, LEADS), leads=ANN + "é,never\n")
    assert read_rejects(report) == [
        {
            "file": "leads.csv",
            "line": "3",
            "record": "lead",
            "kind": "row rejected",
            "field": "created_at",
            "reason": "unparsable time",
            "row": '{"id": "é", "created": "never"}',
        }
    ]


def test_records_of_unknown_leads_and_outcomes_before_creation_are_rejected(
    tmp_path: Path,
) -> None:
    report = import_texts(
        tmp_path,
        mapping_of(TOP, LEADS, EVENTS, STAGES, CALLS),
        leads=ANN,
        events="lead,time,what\n008,2024-02-01,x\n007,2023-12-01,x\n,2024-02-01,x\n",
        stages=(
            "lead,time,stage\n"
            "007,2024-01-10 09:00,mql\n"
            "007,2024-01-10 08:59,won\n"
            "007,2024-02-01,sold\n"
            "007,2024-02-01,\n"
            "009,2024-02-01,won\n"
        ),
        calls="lead,time\n007,2024-01-09\n007,2024-01-11\n",
    )
    assert places(report) == [
        ("events.csv", 2, "unknown lead"),
        ("events.csv", 4, "missing id"),
        ("stages.csv", 3, "before the lead was created"),
        ("stages.csv", 4, "unknown stage"),
        ("stages.csv", 5, "missing value"),
        ("stages.csv", 6, "unknown lead"),
        ("calls.csv", 2, "before the lead was created"),
    ]
    history = report.history
    counts = (history.events.num_rows, history.stages.num_rows, history.attempts.num_rows)
    assert counts == (1, 1, 1)
    assert report.events_before_creation == 1


def test_an_event_id_counts_once(tmp_path: Path) -> None:
    report = import_texts(
        tmp_path,
        mapping_of(TOP, LEADS, EVENTS, 'event_id = "id"\n'),
        leads=ANN,
        events="id,lead,time,what\na,007,2024-02-01,x\na,007,2024-02-02,x\n,007,2024-02-02,x\n",
    )
    assert places(report) == [
        ("events.csv", 3, "duplicate id"),
        ("events.csv", 4, "missing id"),
    ]


def test_a_lead_may_come_after_its_events_in_the_same_file(tmp_path: Path) -> None:
    log = "what,id,time\nclick,1,2024-01-02\nborn,1,2024-01-01\nclick,2,2024-01-02\n"
    leads = (
        LEADS.replace('"created"', '"time"')
        .replace("leads.csv*", "log.csv")
        .replace("[source.fields]", 'where = { what = "born" }\n[source.fields]')
    )
    events = (
        EVENTS.replace("events.csv*", "log.csv")
        .replace('"lead"', '"id"')
        .replace("[source.fields]", 'where_not = { what = "born" }\n[source.fields]')
    )
    report = import_texts(tmp_path, mapping_of(TOP, events, leads), log=log)
    assert report.history.events["event_id"].to_pylist() == ["log.csv:2"]
    assert places(report) == [("log.csv", 4, "unknown lead")]
    assert {count.record: count.not_this for count in report.sources} == {
        Record.EVENT: 1,
        Record.LEAD: 2,
    }


def test_rows_at_or_after_the_cut_are_rejected(tmp_path: Path) -> None:
    report = import_texts(
        tmp_path,
        mapping_of(TOP, 'observed_until = "2024-02-01T00:00Z"\n', LEADS, STAGES),
        leads=ANN + "8,2024-03-01\n",
        stages=(
            "lead,time,stage\n007,2024-01-31T23:59:59.999999Z,mql\n007,2024-02-01T00:00Z,won\n"
        ),
    )
    assert places(report) == [
        ("leads.csv", 3, "after the cut"),
        ("stages.csv", 3, "after the cut"),
    ]
    assert report.history.about.observed_until == datetime(2024, 2, 1, tzinfo=UTC)


def test_without_a_cut_the_last_record_makes_it(tmp_path: Path) -> None:
    report = import_texts(tmp_path, mapping_of(TOP, LEADS), leads="id,created\n1,2024-02-01T00Z\n")
    assert report.history.about.observed_until.isoformat() == "2024-02-01T00:00:00.000001+00:00"


def test_a_record_from_after_the_import_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text(ANN + "8,2104-01-10\n")
    report = run_import(
        mapping_of(TOP, LEADS), tmp_path, tmp_path / "out", at=datetime(2024, 6, 1, tzinfo=UTC)
    )
    assert places(report) == [("leads.csv", 3, "in the future")]
    assert report.history.about.observed_until.year == 2024


def test_a_huge_field_costs_its_row(tmp_path: Path) -> None:
    huge, larger = "x" * 70_000, "y" * 5_000_000
    leads = f"id,created\n1,2024-01-01\n{huge},2024-01-01\n{larger},2024-01-01\n2,2024-01-01\n"
    report = import_texts(tmp_path, mapping_of(TOP, LEADS), leads=leads)
    assert report.lead_count == 2
    assert [place[1:] for place in places(report)] == [
        (3, "field over 64 KiB"),
        (4, "field over 64 KiB"),
    ]
    assert report.rejects_file is not None
    assert report.rejects_file.stat().st_size < 5_000


def test_undecodable_bytes_cost_their_row(tmp_path: Path) -> None:
    leads = b"id,created\n1,2024-01-01\nJos\xe9,2024-01-01\n2,2024-01-01\n"
    report = import_texts(tmp_path, mapping_of(TOP, LEADS), leads=leads)
    assert report.lead_count == 2
    assert places(report) == [("leads.csv", 3, "wrong encoding")]
    assert "Jos\\udce9" in read_rejects(report)[0]["row"]


def test_another_encoding_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    latin = mapping_of(TOP, LEADS.replace("[source.f", 'encoding = "cp1252"\n[source.f', 1))
    (tmp_path / "a").mkdir()
    report = import_texts(tmp_path / "a", latin, leads=b"id,created\nJos\xe9,2024-01-01\n")
    assert report.history.leads["lead_id"].to_pylist() == ["José"]
    (tmp_path / "b").mkdir()
    bom = b"\xef\xbb\xbf" + ANN.encode()
    assert import_texts(tmp_path / "b", mapping_of(TOP, LEADS), leads=bom).exit_code == 0


def test_a_quote_never_closed_costs_its_own_line_only(tmp_path: Path) -> None:
    rest = "".join(f"{n},2024-01-01\n" for n in range(10_000))
    leads = f'id,created\n"oops,2024-01-01\n{rest}'
    report = import_texts(tmp_path, mapping_of(TOP, LEADS), leads=leads)
    assert report.lead_count == 10_000
    assert places(report) == [
        ("leads.csv", 2, "quote never closed, or text after a closing quote")
    ]


def test_lines_that_each_open_a_quote_are_each_read_a_few_times_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each line ends the cell that the line before has opened, and opens another: no row ever ends.
    pulled = 0

    def read(lines: Iterable[str], **how: Any) -> Iterator[list[str]]:
        def count() -> Iterator[str]:
            nonlocal pulled
            for line in lines:
                pulled += 1
                yield line

        return csv.reader(count(), **how)

    monkeypatch.setattr(csv_rows, "csv", SimpleNamespace(reader=read, Error=csv.Error))
    leads = ANN + "".join(f'{n}","x\n' for n in range(3_000))
    report = import_texts(tmp_path, mapping_of(TOP, LEADS), leads=leads)
    assert report.lead_count == 1
    assert [line for _, line, _ in places(report)] == list(range(3, 3_003))
    assert pulled < 10_000


def test_a_row_without_end_is_given_up_before_it_takes_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_rows, "ROW_LIMIT", 40)
    broken = '"oops' + "\n1,2024-01-01" * 10 + '",never\n'
    report = import_texts(tmp_path, mapping_of(TOP, LEADS), leads=ANN + broken + "8,2024-01-02\n")
    assert report.history.leads["lead_id"].to_pylist() == ["007", "1", "8"]
    assert places(report)[0] == (
        *("leads.csv", 3),
        "quote never closed, or text after a closing quote",
    )


def test_undecodable_bytes_behind_a_quote_never_closed_are_still_seen(tmp_path: Path) -> None:
    leads = b'id,created\n"oops,2024-01-01\n\xff,2024-01-01\n2,2024-01-01\n'
    report = import_texts(tmp_path, mapping_of(TOP, LEADS), leads=leads)
    assert [place[1] for place in places(report)] == [2, 3]
    assert report.history.leads["lead_id"].to_pylist() == ["2"]


def test_a_quoted_cell_may_span_lines_and_rows_keep_their_line(tmp_path: Path) -> None:
    leads = 'id,created\n"a\nb",2024-01-01\nc,never\n'
    report = import_texts(tmp_path, mapping_of(TOP, LEADS), leads=leads)
    assert report.history.leads["lead_id"].to_pylist() == ["a\nb"]
    assert places(report) == [("leads.csv", 4, "unparsable time")]


def test_a_truncated_gzip_keeps_what_was_read(tmp_path: Path) -> None:
    whole = "id,created\n" + "".join(f"{n * 7919},2024-01-01\n" for n in range(20_000))
    packed = gzip.compress(whole.encode())
    (tmp_path / "leads.csv.gz").write_bytes(packed[: len(packed) // 2])
    report = run_import(mapping_of(TOP, LEADS), tmp_path, tmp_path / "out")
    assert 1_000 < report.lead_count < 20_000
    assert report.rejected == {"rest of the file not read: file cut off or damaged": 1}
    assert places(report)[0][1] == report.lead_count + 2
    assert report.exit_code == 3


def test_a_csv_cut_in_the_middle_of_a_row_loses_that_row_aloud(tmp_path: Path) -> None:
    report = import_texts(tmp_path, mapping_of(TOP, LEADS), leads=ANN + "008")
    assert places(report) == [("leads.csv", 3, "wrong number of columns")]


def test_without_a_usable_lead_nothing_is_written_but_the_rejects_are_kept(
    tmp_path: Path,
) -> None:
    with pytest.raises(NothingUsableError, match=r"history\.rejects\.csv"):
        import_texts(tmp_path, mapping_of(TOP, LEADS), leads="id,created\n1,never\n")
    assert not (tmp_path / "history").exists()
    assert "never" in (tmp_path / "history.rejects.csv").read_text()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no header"),
        ("id;created\n1;2024-01-01\n", "Correct the column or the delimiter"),
        ("id,id,created\n1,1,2024-01-01\n", "2 times"),
        (b"\xff\xfe\n", "no header line that can be read as utf-8"),
        (b'"id,created\n', "header cannot be read"),
    ],
)
def test_a_file_that_is_not_what_the_mapping_states_is_refused(
    tmp_path: Path, text: str | bytes, problem: str
) -> None:
    with pytest.raises(SourceFileError, match=problem):
        import_texts(tmp_path, mapping_of(TOP, LEADS), leads=text)


def test_a_missing_file_is_reported_with_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(SourceFileError, match=r"'events.csv\*'.*The folder holds: leads.csv"):
        import_texts(tmp_path, mapping_of(TOP, LEADS, EVENTS), leads=ANN)


def test_an_optional_file_may_be_missing(tmp_path: Path) -> None:
    calls = CALLS.replace("[source.fields]", "optional = true\n[source.fields]")
    report = import_texts(tmp_path, mapping_of(TOP, LEADS, calls), leads=ANN)
    assert report.exit_code == 0


def test_several_files_are_read_as_one(tmp_path: Path) -> None:
    pattern = LEADS.replace("leads.csv*", "leads_*.csv")
    report = import_texts(
        tmp_path, mapping_of(TOP, pattern), leads_1=ANN, leads_2="created,id\n2024-01-01,8\n"
    )
    assert report.history.leads["lead_id"].to_pylist() == ["007", "8"]


def test_a_single_file_is_enough_where_the_mapping_reads_only_one(tmp_path: Path) -> None:
    odd_name = tmp_path / "export (3).csv"
    odd_name.write_text(ANN)
    assert run_import(mapping_of(TOP, LEADS), odd_name, tmp_path / "out").lead_count == 1
    with pytest.raises(SourceFileError, match="Give their folder"):
        run_import(mapping_of(TOP, LEADS, EVENTS), odd_name, tmp_path / "out")


def test_unnamed_columns_are_reported(tmp_path: Path) -> None:
    report = import_texts(
        tmp_path, mapping_of(TOP, LEADS), leads="id,created,shoe\n1,2024-01-01,42\n"
    )
    assert report.columns_unused == {"leads.csv": ("shoe",)}


def test_oddities_that_are_kept_are_counted(tmp_path: Path) -> None:
    report = import_texts(
        tmp_path,
        mapping_of(TOP, LEADS, EVENTS, 'known_at = "seen"\n'),
        leads=ANN,
        events=(
            "lead,time,what,seen\n"
            "007,2024-02-01,x,2024-02-09\n"
            "007,2024-02-01,x,2024-02-01\n"
            "007,2024-02-02,x,2024-02-01\n"
        ),
    )
    assert report.exit_code == 0
    assert report.quality.late["events"] == 1
    assert report.quality.doubled["events"] == 1
    assert report.quality.impossible["events"] == 1
