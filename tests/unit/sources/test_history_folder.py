"""A history survives its folder; nobody's files are replaced by accident."""

import json
from pathlib import Path

import pytest

from features.errors import ContractError, HistoryNotFoundError
from features.sources.errors import HistoryFolderTakenError, HistoryUnreadableError
from features.sources.history.folder import read_history, write_history
from tests.unit.sources.factories import ANN, EVENTS, LEADS, TOP, import_texts, mapping_of


@pytest.fixture
def history(tmp_path: Path):
    mapping = mapping_of(TOP, LEADS, EVENTS)
    events = "lead,time,what\n007,2024-01-11 10:00,Email Opened\n"
    return import_texts(tmp_path, mapping, leads=ANN, events=events).history


def test_what_is_read_equals_what_was_written(history, tmp_path: Path) -> None:
    write_history(history, tmp_path / "copy")
    assert read_history(tmp_path / "copy") == history


def test_a_folder_without_history_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(HistoryNotFoundError, match=r"history\.json"):
        read_history(tmp_path)


def test_a_folder_that_lacks_one_table_is_refused(history, tmp_path: Path) -> None:
    write_history(history, tmp_path / "copy")
    (tmp_path / "copy" / "stages.parquet").unlink()
    with pytest.raises(HistoryNotFoundError, match=r"stages\.parquet"):
        read_history(tmp_path / "copy")


def test_a_damaged_table_is_named(history, tmp_path: Path) -> None:
    write_history(history, tmp_path / "copy")
    (tmp_path / "copy" / "events.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(HistoryUnreadableError, match=r"events\.parquet"):
        read_history(tmp_path / "copy")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 99}'])
def test_a_damaged_or_newer_manifest_is_named(history, tmp_path: Path, text: str) -> None:
    write_history(history, tmp_path / "copy")
    (tmp_path / "copy" / "history.json").write_text(text)
    with pytest.raises(HistoryUnreadableError, match=r"history\.json"):
        read_history(tmp_path / "copy")


def test_the_manifest_keeps_its_times_with_their_zone(history, tmp_path: Path) -> None:
    write_history(history, tmp_path / "copy")
    written = json.loads((tmp_path / "copy" / "history.json").read_text(encoding="utf-8"))
    assert written["observed_until"] == "2024-01-11T09:00:00.000001+00:00"
    assert written["observed_from"] is None


def test_a_folder_with_other_files_is_never_replaced(history, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("keep me")
    with pytest.raises(HistoryFolderTakenError, match="letters"):
        write_history(history, tmp_path / "letters")
    assert (tmp_path / "letters" / "dear.txt").read_text() == "keep me"


def test_writing_again_replaces_the_history_and_keeps_notes_beside_it(
    history, tmp_path: Path
) -> None:
    write_history(history, tmp_path / "copy")
    (tmp_path / "copy" / "notes.txt").write_text("mine")
    (tmp_path / "copy" / "rejects.csv").write_text("of the import before")
    write_history(history, tmp_path / "copy")
    assert (tmp_path / "copy" / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "copy" / "rejects.csv").exists()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".copy")] == []


def test_a_refused_history_leaves_the_old_one_in_place(history, tmp_path: Path) -> None:
    write_history(history, tmp_path / "copy")
    broken = type(history)(
        history.leads.drop_columns(["created_at"]),
        history.events,
        history.stages,
        history.attempts,
        history.about,
    )
    with pytest.raises(ContractError):
        write_history(broken, tmp_path / "copy")
    assert read_history(tmp_path / "copy") == history
