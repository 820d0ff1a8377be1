"""An attribute that was filled in later is a new version of the lead from then on."""

from pathlib import Path

from tests.unit.sources.factories import LEADS, TOP, import_texts, mapping_of, places

DATED = (
    'country = { column = "country", type = "category", known = "at creation" }\n'
    'size = { column = "size", type = "number", known = "dated by sized" }\n'
    'field = { column = "field", type = "category", known = "dated by found" }\n'
)
HEADER = "id,created,country,size,sized,field,found\n"


def _versions(tmp_path: Path, row: str, top: str = ""):
    report = import_texts(tmp_path, mapping_of(TOP, top, LEADS, DATED), leads=HEADER + row + "\n")
    table = report.history.leads.select(["known_at", "country", "size", "field"])
    rows = [(r["known_at"].day, r["country"], r["size"], r["field"]) for r in table.to_pylist()]
    return rows, report


def test_each_date_adds_a_version_that_carries_the_whole_state(tmp_path: Path) -> None:
    row = "1,2024-01-01 12:00,NL,40,2024-01-20 12:00,dairy,2024-01-10 12:00"
    versions, report = _versions(tmp_path, row)
    assert versions == [
        (1, "NL", None, None),
        (10, "NL", None, "dairy"),
        (20, "NL", 40.0, "dairy"),
    ]
    assert report.lead_count == 1
    assert report.history.leads["created_at"].unique().to_pylist()[0].day == 1


def test_what_is_dated_before_creation_is_known_at_creation(tmp_path: Path) -> None:
    versions, _ = _versions(tmp_path, "1,2024-01-05 12:00,NL,40,2024-01-02,dairy,2024-01-05 12:00")
    assert versions == [(5, "NL", 40.0, "dairy")]


def test_a_value_without_its_date_is_unknown_and_reported(tmp_path: Path) -> None:
    versions, report = _versions(tmp_path, "1,2024-01-05 12:00,NL,40,,,")
    assert versions == [(5, "NL", None, None)]
    assert places(report) == [("leads.csv", 2, "value without its date")]


def test_a_value_dated_after_the_cut_was_not_known_by_then(tmp_path: Path) -> None:
    versions, report = _versions(
        tmp_path,
        "1,2024-01-05 12:00,NL,40,2024-02-02,,",
        top='observed_until = "2024-02-01"\n',
    )
    assert versions == [(5, "NL", None, None)]
    assert places(report) == [("leads.csv", 2, "after the cut")]
