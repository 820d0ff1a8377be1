"""The server's link and the registry change together, or not at all."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.serving.factories import write_small_bundle
from training.bundle import install_champion, load_bundle
from training.promotion import aliases
from training.registry.mlflow_store import RegisteredVersion
from training.settings import TrainingSettings

COMMAND = aliases.PromotionAction("ann", datetime(2026, 3, 9, tzinfo=UTC), "", moved=True)


def test_a_registry_that_refuses_leaves_the_server_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write_small_bundle(tmp_path / "old")
    new = load_bundle(write_small_bundle(tmp_path / "new", bias=-1.0))
    settings = TrainingSettings(champion=tmp_path / "champion", challenger=tmp_path / "none")
    install_champion(old, settings.champion)
    to = RegisteredVersion("small", "2", new.version, new.fingerprint, frozenset(), "run")
    seen: list[str] = []

    def refuse(*_: object, **__: object) -> None:
        seen.append(load_bundle(settings.champion).version)
        raise ConnectionError("the registry is away")

    monkeypatch.setattr(aliases, "move_champion", refuse)
    with pytest.raises(ConnectionError):
        aliases._change(settings, to, None, new, old, COMMAND, "promote")

    assert seen == [new.version]
    assert load_bundle(settings.champion).version == load_bundle(old).version
