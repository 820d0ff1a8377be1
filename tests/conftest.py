"""What all tests share: where the real data are, a small market, a bundle trained on it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent
REAL_DATA = ROOT.parent / "shared" / "data"

# The first call of a compiled kernel may load it from the cache; no deadline survives that.
settings.register_profile(
    "house", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("night", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files of slow tests: side by side, the longest must not come last."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Find a folder of the real data sets; absent, fail in CI and skip elsewhere."""

    def find(name: str) -> Path:
        folder = REAL_DATA / name
        if folder.is_dir():
            return folder
        message = f"the real data set {name!r} is not in {REAL_DATA}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)

    return find


@pytest.fixture(scope="session")
def market_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a small market whose truth is known, on disk."""
    from features.simulation.generate import simulate_history
    from features.simulation.scenarios import get_scenario
    from features.sources.history_folder import write_history

    folder = tmp_path_factory.mktemp("market") / "history"
    market = simulate_history(get_scenario("plain"), n_leads=5000, seed=11)
    write_history(market.history, folder)
    return folder


@pytest.fixture(scope="session")
def split_market(market_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Split the small market into partitions, as if it were a large one."""
    from features.sources import partitions
    from features.sources.history_folder import read_history, write_history

    folder = tmp_path_factory.mktemp("split") / "history"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "MOST_RECORDS", 20_000)
        write_history(read_history(market_folder), folder)
    return folder


@pytest.fixture(scope="session")
def trained_run(market_folder: Path, tmp_path_factory: pytest.TempPathFactory):
    """Train once on the small market."""
    from features.clock import DAY_US
    from features.lifecycle.stages import Stage
    from features.sources.history_folder import read_history
    from training.labels.conversion import Grid, Outcome
    from training.pipeline import fingerprint_history, train
    from training.run_options import RunOptions

    options = RunOptions(Outcome(Stage.SQL, 30 * DAY_US), Grid.weekly(weeks=8), "baton-sql")
    return train(
        read_history(market_folder),
        options,
        tmp_path_factory.mktemp("bundles"),
        data_fingerprint=fingerprint_history(market_folder),
    )


@pytest.fixture(scope="session")
def trained_bundle(trained_run) -> Path:
    """Point to the folder of a bundle trained on the small market."""
    return trained_run.bundle.folder
