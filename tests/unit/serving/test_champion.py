"""The holder of the champion, while its folder changes under it."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from serving import champion as champion_module
from serving.champion import Champion, ModelHolder, load_champion
from tests.unit.serving.factories import NOW, write_small_bundle
from training.bundle import install_champion


def test_a_folder_that_changes_while_it_is_read_is_read_again_and_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "champion"
    one = write_small_bundle(tmp_path / "one")
    two = write_small_bundle(tmp_path / "two", bias=-1.0, name="two")
    install_champion(one, folder)
    waiting = [two]

    def load_while_it_changes(read: Path, at: object) -> Champion:
        if waiting:
            install_champion(waiting.pop(), folder)
            raise FileNotFoundError("half of one bundle and half of the next")
        return load_champion(read, NOW)

    monkeypatch.setattr(champion_module, "load_champion", load_while_it_changes)
    holder = ModelHolder(folder)

    with capture_logs() as logged:
        holder.refresh(NOW)

    assert holder.get_champion().bundle.name == "two"
    assert (holder.swaps, holder.failures, holder.problem) == (1, 0, None)
    assert [(one["event"], one["log_level"]) for one in logged] == [
        ("champion_folder_changed", "info"),
        ("champion_taken_up", "info"),
    ]


def test_a_folder_that_never_rests_is_looked_at_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "champion"
    bundles = [
        write_small_bundle(tmp_path / "one"),
        write_small_bundle(tmp_path / "two", bias=-1.0, name="two"),
    ]
    install_champion(bundles[0], folder)

    def change_and_fail(read: Path, at: object) -> Champion:
        bundles.reverse()
        install_champion(bundles[0], folder)
        raise FileNotFoundError("gone")

    holder = ModelHolder(folder)
    with monkeypatch.context() as patch, capture_logs() as logged:
        patch.setattr(champion_module, "load_champion", change_and_fail)
        holder.refresh(NOW)
    seen = holder.problem
    holder.refresh(NOW)

    assert {one["log_level"] for one in logged} == {"info"}
    assert seen == "the folder changed while it was read."
    assert holder.get_champion().bundle.name == "two"
    assert (holder.failures, holder.problem) == (0, None)
