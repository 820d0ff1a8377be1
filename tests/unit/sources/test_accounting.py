"""Every row read is accepted, rejected, or left to another record: never lost, never twice."""

import csv
import gc
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources.errors import NothingUsableError, SourceFileError
from features.sources.import_history import run_import
from features.sources.mapping.model import Record
from tests.unit.sources.factories import TOP, mapping_of

# One file holds everything, and the mapping sorts its rows out.
MAPPING = mapping_of(
    TOP,
    """
[[source]]
record = "lead"
file = "log.csv"
where = { what = "born" }
[source.fields]
lead_id = "id"
created_at = "time"
[source.attributes]
size = { column = "size", type = "number", known = "at creation" }
[[source]]
record = "stage"
file = "log.csv"
[source.fields]
lead_id = "id"
at = "time"
stage = { column = "what", map = { won = "won", lost = "lost" } }
amount = "size"
[[source]]
record = "event"
file = "log.csv"
where_not = { what = ["born", "won", "lost"] }
[source.fields]
lead_id = "id"
occurred_at = "time"
name = "what"
value = "size"
""",
)
cells = st.sampled_from(["", "a", "b", "c", "born", "won", "lost", "click", "2024-01-01", "5"])
ids = st.sampled_from(["a", "b", "c", "", " a "])
times = st.sampled_from(["2024-01-01", "2024-02-01T10:00Z", "never", "", "2024-03-31 02:30"])
whats = st.sampled_from(["born", "born", "won", "lost", "click", "page", ""])
sizes = st.sampled_from(["1", "2.5", "", "big"])
good_rows = st.tuples(ids, times, whats, sizes).map(list)
rows = st.lists(good_rows | st.lists(cells, min_size=1, max_size=6), max_size=30)


def _run(raw: bytes):
    with TemporaryDirectory() as folder:
        (Path(folder) / "log.csv").write_bytes(raw)
        try:
            report = run_import(MAPPING, Path(folder), Path(folder) / "out")
        except NothingUsableError:
            return None
        assert report.history.about == report.about  # read while the folder is there
        lines = report.rejects_file.read_text("utf-8").splitlines() if report.rejects_file else []
        return report, max(len(lines) - 1, 0)


def _check_accounts(report, reject_lines: int) -> None:
    for count in report.sources:
        assert count.read == count.accepted + count.rejected + count.not_this
    by_record = {count.record: count.accepted for count in report.sources}
    history = report.history
    assert by_record[Record.LEAD] == report.lead_count == history.leads.num_rows
    assert by_record[Record.EVENT] == history.events.num_rows
    assert by_record[Record.STAGE] == history.stages.num_rows
    assert sum(report.rejected.values()) == reject_lines
    assert len({count.read for count in report.sources}) == 1


@given(rows)
def test_each_row_ends_in_exactly_one_place(rows: list[list[str]]) -> None:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([["id", "time", "what", "size"], *rows])
    outcome = _run(stream.getvalue().encode())
    if outcome is not None:
        report, reject_lines = outcome
        _check_accounts(report, reject_lines)
        assert report.sources[0].read == len(rows)


@given(st.lists(good_rows, min_size=1, max_size=10), st.binary(max_size=60), st.integers(0, 400))
def test_noise_in_the_bytes_never_upsets_the_accounts(
    rows: list[list[str]], noise: bytes, place: int
) -> None:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(
        [["id", "time", "what", "size"], ["z", "2024-01-01", "born", "1"], *rows]
    )
    raw = stream.getvalue().encode()
    place = max(place % len(raw), len("id,time,what,size\n"))
    try:
        outcome = _run(raw[:place] + noise + raw[place:])
    except SourceFileError:
        return
    if outcome is not None:
        _check_accounts(*outcome)


def test_garbage_is_looked_for_rarely_during_an_import_and_as_before_after_it(
    tmp_path: Path,
) -> None:
    before, seen = gc.get_threshold(), []
    (tmp_path / "log.csv").write_text("id,time,what,size\na,2024-01-01,born,1\n")
    run_import(
        MAPPING, tmp_path, tmp_path / "out", progress=lambda *_: seen.append(gc.get_threshold())
    )
    assert {threshold[0] > before[0] for threshold in seen} == {True}
    (tmp_path / "log.csv").write_text("id,time,what,size\n")
    with pytest.raises(NothingUsableError):
        run_import(MAPPING, tmp_path, tmp_path / "out")
    assert gc.get_threshold() == before
