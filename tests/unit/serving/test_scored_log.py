"""The log of scored rows: written in parts, bounded, forgotten in time, read back newest first."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from serving.monitoring.recent import read_recent
from serving.scoring import log as log_module
from serving.scoring.log import ScoredLog, ScoredRows
from tests.unit.serving.factories import NOW


def make_rows(n_rows: int, first: int = 0, at: datetime = NOW, version: str = "v1") -> ScoredRows:
    numbers = np.arange(first, first + n_rows)
    return ScoredRows(
        version=version,
        names=("visits", "share"),
        bands=("A", "B"),
        scored_at=at,
        matrix=np.column_stack([numbers, numbers / 7]).astype(np.float32),
        as_of_us=numbers.astype(np.int64),
        status=np.zeros(n_rows, np.int8),
        band=np.zeros(n_rows, np.int8),
        probability=np.full(n_rows, 0.5),
        points=numbers.astype(np.float64),
    )


def make_log(folder: Path, most_rows: int = 1_000) -> ScoredLog:
    return ScoredLog(folder, most_rows=most_rows, keep_days=30)


def list_parts(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def test_rows_come_back_as_they_went_in(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    log.add(make_rows(3))
    log.flush()

    recent = read_recent(tmp_path, "v1", 100)

    assert recent.points.tolist() == [0.0, 1.0, 2.0]
    assert recent.columns["visits"].dtype == np.float32
    assert recent.columns["share"].tolist() == (np.arange(3) / 7).astype(np.float32).tolist()
    assert recent.last == NOW


def test_a_part_grows_until_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "PART_ROWS", 5)
    log = make_log(tmp_path)

    for i in range(7):
        log.add(make_rows(1, first=i))
        log.flush()

    assert [pq.read_metadata(part).num_rows for part in list_parts(tmp_path)] in ([5, 2], [2, 5])
    assert sorted(read_recent(tmp_path, "v1", 100).points) == list(range(7))


def test_models_and_days_have_folders_of_their_own(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    log.add(make_rows(1))
    log.add(make_rows(1, version="v2"))
    log.add(make_rows(1, at=NOW + timedelta(days=1)))
    log.flush()

    folders = {part.parent.relative_to(tmp_path).as_posix() for part in list_parts(tmp_path)}

    assert folders == {"v1/2026-03-09", "v1/2026-03-10", "v2/2026-03-09"}


def test_only_the_newest_rows_are_read(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    for i in range(4):
        log.add(make_rows(2, first=2 * i, at=NOW + timedelta(days=i)))
    log.flush()

    assert sorted(read_recent(tmp_path, "v1", 3).points)[1:] == [6.0, 7.0]
    assert len(read_recent(tmp_path, "v1", 3)) == 3


def test_a_full_memory_drops_and_counts(tmp_path: Path) -> None:
    log = make_log(tmp_path, most_rows=5)

    log.add(make_rows(4))
    log.add(make_rows(4))

    assert (log.count_unwritten(), log.dropped) == (4, 4)
    assert log.tally["scored", "A"] == 8
    assert log.find_oldest_unwritten() == NOW
    log.flush()
    assert (log.count_unwritten(), log.written) == (0, 4)
    assert log.find_oldest_unwritten() is None


def test_rows_survive_a_disk_that_refuses_for_a_while(tmp_path: Path) -> None:
    folder = tmp_path / "scored"
    folder.write_text("a file where the folder should be")
    log = make_log(folder)
    log.add(make_rows(2))

    log.flush_safely()
    assert log.problem is not None
    assert (log.failures, log.count_unwritten()) == (1, 2)

    folder.unlink()
    log.add(make_rows(1, first=2))
    log.flush_safely()
    assert log.problem is None
    assert sorted(read_recent(folder, "v1", 10).points) == [0.0, 1.0, 2.0]


def test_old_days_are_forgotten(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    for days in (0, 30, 31, 400):
        log.add(make_rows(1, at=NOW - timedelta(days=days)))
    log.flush()

    assert log.forget_old_days(NOW) == 2
    assert len(list_parts(tmp_path)) == 2


def test_a_part_cut_off_is_passed_over(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    log.add(make_rows(2))
    log.flush()
    (list_parts(tmp_path)[0].parent / "part-zz.parquet").write_bytes(b"PAR1 and nothing more")

    assert len(read_recent(tmp_path, "v1", 10)) == 2


def test_nothing_scored_is_no_rows(tmp_path: Path) -> None:
    assert len(read_recent(tmp_path, "v1", 10)) == 0
