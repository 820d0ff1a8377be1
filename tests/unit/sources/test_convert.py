"""What a cell's text means."""

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from features import clock
from features.sources.rejects import Reason
from tests.unit.sources.factories import (
    ANN,
    EVENTS,
    LEADS,
    STAGES,
    TOP,
    import_texts,
    mapping_of,
    places,
)


def _attribute(tmp_path: Path, spec: str, text: str):
    mapping = mapping_of(TOP, LEADS, f'x = {{ column = "x", known = "at creation", {spec} }}\n')
    report = import_texts(tmp_path, mapping, leads=f'id,created,x\n1,2024-01-01 00:00,"{text}"\n')
    return report.history.leads.column("x")[0].as_py(), report


@pytest.mark.parametrize(
    ("spec", "text", "value"),
    [
        ('type = "number"', " 12.5 ", 12.5),
        ('type = "number"', "-1e3", -1000.0),
        ('type = "number", thousands = ","', "1,234,567.5", 1234567.5),
        ('type = "number", decimal = ",", thousands = "."', "1.234,5", 1234.5),
        ('type = "number", missing = ["999"]', "999", None),
        ('type = "number"', "", None),
        ('type = "number"', "3e38", 3e38),
        ('type = "time", missing = ["9999-12-31"]', "9999-12-31", None),
        ('type = "time"', "1900-01-01T00:00Z", datetime(1900, 1, 1, tzinfo=UTC)),
        ('type = "category"', " Software ", "Software"),
        ('type = "category", missing = ["unknown", "n/a"]', "n/a", None),
        ('type = "category", map = { DE = "Germany" }', "DE", "Germany"),
        ('type = "category", map = { DE = "Germany" }', "France", "France"),
        ('type = "flag"', "YES", True),
        ('type = "flag"', "0", False),
        ('type = "flag", true = ["ja"], false = ["nein"]', "Nein", False),
        ('type = "present"', "ann@example.org", True),
        ('type = "present"', "  ", False),
        ('type = "present", missing = ["none"]', "none", False),
    ],
)
def test_a_cell_becomes_its_value(tmp_path: Path, spec: str, text: str, value: object) -> None:
    found, report = _attribute(tmp_path, spec, text)
    assert found == value
    assert report.exit_code == 0


@pytest.mark.parametrize(
    ("spec", "text", "reason"),
    [
        ('type = "number"', "many", "unparsable number"),
        ('type = "number"', "1,5", "unparsable number"),
        ('type = "number"', "nan", "unparsable number"),
        ('type = "number"', "1_000", "unparsable number"),
        ('type = "number", decimal = ","', "1.5", "unparsable number"),
        ('type = "number"', "inf", "unparsable number"),
        ('type = "number"', "1e999", "unparsable number"),
        ('type = "number"', "-3.1e38", "number beyond 3e38"),
        ('type = "flag"', "perhaps", "neither yes nor no"),
        ('type = "time"', "9999-12-31", Reason.TIME_OUT_OF_RANGE),
        ('type = "time"', "2200-01-01T00:00Z", Reason.TIME_OUT_OF_RANGE),
        ('type = "time"', "1899-12-31T23:59Z", Reason.TIME_OUT_OF_RANGE),
        ('type = "time", format = "epoch seconds"', "1e15", Reason.TIME_OUT_OF_RANGE),
        ('type = "time"', "tomorrow", "unparsable time"),
    ],
)
def test_a_bad_attribute_costs_the_attribute_not_the_lead(
    tmp_path: Path, spec: str, text: str, reason: str
) -> None:
    found, report = _attribute(tmp_path, spec, text)
    assert found is None
    assert report.lead_count == 1
    assert report.rejected == {f"field set to unknown: {reason}": 1}
    assert report.exit_code == 3


def test_an_e_mail_address_is_never_stored(tmp_path: Path) -> None:
    _, report = _attribute(tmp_path, 'type = "present"', "ann@example.org")
    stored = [path.read_bytes() for path in report.folder.iterdir()]
    assert not any(b"ann@" in raw for raw in stored)


def _created(tmp_path: Path, text: str, **top: str):
    lines = "".join(f'{key} = "{value}"\n' for key, value in top.items())
    report = import_texts(tmp_path, mapping_of(TOP, lines, LEADS), leads=f"id,created\n1,{text}\n")
    return report.history.leads.column("created_at")[0].as_py(), report


@pytest.mark.parametrize(
    ("text", "format_", "utc"),
    [
        ("2024-01-10 09:00", "iso", "2024-01-10T08:00:00+00:00"),
        ("2024-07-10 09:00:00.123456", "iso", "2024-07-10T07:00:00.123456+00:00"),
        ("2024-07-10T09:00:00Z", "iso", "2024-07-10T09:00:00+00:00"),
        ("2024-07-10T09:00:00.5-03:00", "iso", "2024-07-10T12:00:00.500000+00:00"),
        ("2024-01-10", "iso", "2024-01-09T23:00:00+00:00"),
        ("10/01/2024 09:00", "%d/%m/%Y %H:%M", "2024-01-10T08:00:00+00:00"),
        ("1704877200", "epoch seconds", "2024-01-10T09:00:00+00:00"),
        ("1704877200123", "epoch milliseconds", "2024-01-10T09:00:00.123000+00:00"),
    ],
)
def test_a_time_becomes_utc(tmp_path: Path, text: str, format_: str, utc: str) -> None:
    found, _ = _created(tmp_path, text, time_format=format_)
    assert found.isoformat() == utc


def test_of_an_hour_that_comes_twice_the_first_is_taken_and_counted(tmp_path: Path) -> None:
    found, report = _created(tmp_path, "2024-10-27 02:30")
    assert found.isoformat() == "2024-10-27T00:30:00+00:00"
    assert [n for change, n in report.clock_changes.items() if "twice" in change] == [1]


def test_a_time_in_the_skipped_hour_moves_forward_and_is_counted(tmp_path: Path) -> None:
    found, report = _created(tmp_path, "2024-03-31 02:30")
    assert found.isoformat() == "2024-03-31T01:30:00+00:00"
    assert [n for change, n in report.clock_changes.items() if "never was" in change] == [1]


def test_a_change_in_the_middle_of_an_hour_is_seen(tmp_path: Path) -> None:
    # Lord Howe Island moves its clocks by half an hour: 02:00 becomes 01:30.
    mapping = mapping_of(TOP.replace("Europe/Amsterdam", "Australia/Lord_Howe"), LEADS)
    times = ["2024-04-07 01:15", "2024-04-07 01:45", "2024-04-07 02:15"]
    text = "".join(f"{n},{time}\n" for n, time in enumerate(times))
    report = import_texts(tmp_path, mapping, leads="id,created\n" + text)
    found = [moment.as_py().strftime("%d %H:%M") for moment in report.history.leads["created_at"]]
    assert found == ["06 14:15", "06 14:45", "06 15:45"]
    assert Counter(report.clock_changes.values()) == {1: 1}


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31 23:59", "31-31-2024", "9" * 30])
def test_times_at_the_edge_of_the_calendar_break_nothing(tmp_path: Path, text: str) -> None:
    mapping = mapping_of(TOP, LEADS)
    report = import_texts(tmp_path, mapping, leads=f"id,created\n1,{text}\n2,2024-01-01\n")
    assert report.lead_count + len(report.rejected) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1970-01-01", "created before 1980"),
        ("1979-12-31T23:59:59Z", "created before 1980"),
        ("1899-12-31", Reason.TIME_OUT_OF_RANGE),
        ("9999-12-31", Reason.TIME_OUT_OF_RANGE),
    ],
)
def test_a_lead_created_at_an_impossible_time_is_rejected(
    tmp_path: Path, text: str, reason: str
) -> None:
    leads = f"id,created\n1,{text}\n2,1980-01-01T00:00Z\n"
    report = import_texts(tmp_path, mapping_of(TOP, LEADS), leads=leads)
    assert report.history.leads["lead_id"].to_pylist() == ["2"]
    assert places(report) == [("leads.csv", 2, reason)]


def test_a_stage_change_at_the_end_of_time_is_rejected(tmp_path: Path) -> None:
    stages = "lead,time,stage\n007,9999-12-31,won\n007,2024-01-11,mql\n"
    report = import_texts(tmp_path, mapping_of(TOP, LEADS, STAGES), leads=ANN, stages=stages)
    assert report.history.stages["stage"].to_pylist() == ["mql"]
    assert places(report) == [("stages.csv", 2, Reason.TIME_OUT_OF_RANGE)]
    assert "no end date" in Reason.TIME_OUT_OF_RANGE


def test_an_offset_moves_a_time(tmp_path: Path) -> None:
    stages = STAGES.replace('"time"', '{ column = "time", offset = "36h" }')
    report = import_texts(
        tmp_path,
        mapping_of(TOP, LEADS, stages),
        leads=ANN,
        stages="lead,time,stage\n007,2024-01-11T00:00Z,won\n",
    )
    assert report.history.stages["at"][0].as_py().isoformat() == "2024-01-12T12:00:00+00:00"


def test_rows_without_ids_and_times_get_both_from_their_order(tmp_path: Path) -> None:
    leads = LEADS.replace('"id"', '{ from_line = "row-{line}" }').replace(
        '"created"', '{ rows_between = ["2024-01-01T00:00Z", "2024-01-05T00:00Z"] }'
    )
    report = import_texts(tmp_path, mapping_of(TOP, leads), leads="x\na\nb\nc\nd\n")
    assert report.history.leads["lead_id"].to_pylist() == ["row-2", "row-3", "row-4", "row-5"]
    created = [clock.to_us(t) for t in report.history.leads["created_at"].to_pylist()]
    assert {b - a for a, b in pairwise(created)} == {clock.DAY_US}


def test_ids_stay_text_with_their_leading_zeros(tmp_path: Path) -> None:
    report = import_texts(tmp_path, mapping_of(TOP, LEADS), leads=ANN)
    assert report.history.leads["lead_id"].to_pylist() == ["007"]


def test_event_names_become_kinds_by_taxonomy_and_the_rest_is_other(tmp_path: Path) -> None:
    report = import_texts(
        tmp_path,
        mapping_of(
            TOP, LEADS, EVENTS, 'channel = "via"\nproperties = { columns = ["page", "x"] }\n'
        ),
        leads=ANN,
        events=(
            "lead,time,what,via,page,x\n"
            "007,2024-01-11,EMAIL opened ,Email,/é,\n"
            "007,2024-01-12,Sneeze,smoke,,\n"
        ),
    )
    events = report.history.events
    assert events["kind"].to_pylist() == ["email_open", "other"]
    assert events["name"].to_pylist() == ["EMAIL opened", "Sneeze"]
    assert events["channel"].to_pylist() == ["email", "other"]
    assert events["properties"].to_pylist() == ['{"page": "/é"}', None]
    assert events["event_id"].to_pylist() == ["events.csv:2", "events.csv:3"]


def test_returns_keep_their_reason_as_written_and_strange_ones_are_reported(
    tmp_path: Path,
) -> None:
    mapping = mapping_of(
        TOP, LEADS, STAGES, 'reason = "why"\n', '[reasons]\n"Kein Bedarf" = "no_interest"\n'
    )
    stages = (
        "lead,time,stage,why\n007,2024-01-11 09:00,returned,Kein Bedarf\n"
        "007,2024-01-12 09:00,returned,Sommerpause\n007,2024-01-13 09:00,returned,NO BUDGET\n"
        "007,2024-01-14 09:00,lost,Insolvenz\n"
    )
    report = import_texts(tmp_path, mapping, leads=ANN, stages=stages)
    written = report.history.stages["reason"].to_pylist()
    assert written == ["Kein Bedarf", "Sommerpause", "NO BUDGET", "Insolvenz"]
    assert report.strange_reasons == {"Sommerpause": 1}
    read_back = report.history.about.taxonomy
    assert [read_back.reason_of(raw) for raw in written[:3]] == [
        "no_interest",
        "other",
        "no_budget",
    ]


def test_what_a_map_turns_reasons_into_travels_with_the_taxonomy(tmp_path: Path) -> None:
    cell = 'reason = { column = "why", map = { "KB" = "No budget", "SP" = "Sommerpause" } }\n'
    mapping = mapping_of(TOP, LEADS, STAGES, cell)
    stages = "lead,time,stage,why\n007,2024-01-11 09:00,returned,KB\n"
    report = import_texts(tmp_path, mapping, leads=ANN, stages=stages)
    assert report.history.stages["reason"].to_pylist() == ["No budget"]
    assert [mapping.taxonomy.find_reason(raw) for raw in ("kb", "SP")] == ["no_budget", None]


@pytest.mark.parametrize(
    ("amount", "reason"), [("lots", "unparsable number"), ("4e38", "number beyond 3e38")]
)
def test_a_bad_number_costs_the_number_not_the_record(
    tmp_path: Path, amount: str, reason: str
) -> None:
    report = import_texts(
        tmp_path,
        mapping_of(TOP, LEADS, STAGES, 'amount = "sum"\n'),
        leads=ANN,
        stages=f"lead,time,stage,sum\n007,2024-01-11,won,{amount}\n",
    )
    assert report.history.stages["amount"].to_pylist() == [None]
    assert places(report) == [("stages.csv", 2, reason)]


def test_a_map_is_matched_as_the_taxonomy_it_becomes_part_of(tmp_path: Path) -> None:
    mapping = mapping_of(
        TOP,
        LEADS,
        EVENTS,
        'kind = { column = "what", map = { KNOCK = "contact_request", Demo = "demo_request" } }\n'
        'channel = { column = "via", map = { "@" = "email" }, otherwise = "other" }\n',
    )
    report = import_texts(
        tmp_path,
        mapping,
        leads=ANN,
        events=(
            "lead,time,what,via\n"
            "007,2024-01-11,knock,@\n"
            "007,2024-01-12,DEMO ,Web\n"
            "007,2024-01-13,Demo,\n"
            "007,2024-01-14,Page,smoke\n"
        ),
    )
    events, taxonomy = report.history.events.to_pylist(), report.history.about.taxonomy
    assert [e["kind"] for e in events] == ["contact_request", "demo_request", "demo_request"]
    assert [e["channel"] for e in events] == ["email", "web", None]
    assert [e["kind"] for e in events] == [taxonomy.kind_of_event(None, e["name"]) for e in events]
    assert taxonomy.channel_of("@") == "email"
    assert report.sources[1].not_this == 1


def test_names_a_map_with_otherwise_does_not_list_are_read_by_the_taxonomy(tmp_path: Path) -> None:
    kind = 'kind = { column = "what", map = { Knock = "contact_request" }, otherwise = "other" }\n'
    events = "lead,time,what\n" + "".join(
        f"007,2024-01-11,{name}\n" for name in ("Knock", "Page Viewed", "Sneeze")
    )
    report = import_texts(tmp_path, mapping_of(TOP, LEADS, EVENTS, kind), leads=ANN, events=events)
    kinds = report.history.events["kind"].to_pylist()
    assert kinds == ["contact_request", "page_view", "other"]
