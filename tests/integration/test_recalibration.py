"""Later labels move the level of a bundle: only those it has not seen, and nothing but the level."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from features.clock import DAY_US, from_us, to_us
from features.contracts.history import History
from features.lifecycle.stages import Stage
from features.simulation.generate import simulate_history
from features.simulation.scenarios import get_scenario
from features.sources.history.folder import read_history
from tests.unit.serving.factories import write_small_bundle
from training.bundle import Bundle, load_bundle
from training.dataset.moments import Moments, build_moments
from training.errors import BundleError
from training.labels.conversion import Grid, Outcome
from training.promotion.review import review
from training.recalibration.run import (
    TooFewLabelsError,
    find_shift,
    read_seen_until,
    write_recalibrated,
)
from training.run.options import RunOptions

OPTIONS = RunOptions(Outcome(Stage.SQL, 30 * DAY_US), Grid.at_ages((24.0, 240.0)), "small")


@pytest.fixture(scope="module")
def history() -> History:
    return simulate_history(get_scenario("plain"), n_leads=4000, seed=5).history


@pytest.fixture(scope="module")
def moments(history: History) -> Moments:
    return build_moments(history, OPTIONS.outcome, OPTIONS.grid, seed=OPTIONS.seed)


def write_bundle_seen_until(folder: Path, moment: datetime | None, bias: float = -2.0) -> Bundle:
    """Write a bundle that says of itself until when it learned."""
    output = {"seen_until": moment.isoformat()} if moment else {}
    found = {"data_fingerprint": "of a test", **OPTIONS.record(0, 0), **output}
    return load_bundle(write_small_bundle(folder, bias, provenance=found))


@pytest.fixture(scope="module")
def middle(moments: Moments) -> datetime:
    """Give a moment with as many leads before it as after."""
    return from_us(int(np.median(moments.created_at)))


@pytest.fixture(scope="module")
def bundle(middle: datetime, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    # Chances that are three times too high, near enough.
    folder = tmp_path_factory.mktemp("bundle") / "small"
    return write_bundle_seen_until(folder, middle, bias=-1.0)


def test_only_leads_that_the_bundle_has_not_seen_are_asked(
    history: History, moments: Moments, bundle: Bundle, middle: datetime
) -> None:
    found = find_shift(history, bundle, lookback=10_000)

    created_at = dict(zip(moments.lead_of.tolist(), moments.created_at.tolist(), strict=True))
    asked = [created_at[lead] for lead in set(found.labelled.lead_of.tolist())]
    assert min(asked) >= to_us(middle)
    assert len(asked) == sum(at >= to_us(middle) for at in created_at.values())
    assert found.is_needed
    assert found.level.shift < -0.5


@pytest.mark.slow
def test_nothing_but_the_level_moves(
    market_folder: Path, trained_bundle: Path, tmp_path: Path
) -> None:
    bundle = load_bundle(trained_bundle)
    found = find_shift(read_history(market_folder), bundle, lookback=10_000)

    moved = write_recalibrated(found, tmp_path, "of the same test")

    rows = bundle.profile.matrix
    before, after = bundle.score(rows), moved.score(rows)
    np.testing.assert_array_equal(before.points, after.points)
    np.testing.assert_array_equal(before.reasons, after.reasons)
    shifts = np.log(after.probability / (1 - after.probability)) - np.log(
        before.probability / (1 - before.probability)
    )
    np.testing.assert_allclose(shifts, found.level.shift)
    assert moved.version != bundle.version
    assert read_seen_until(moved) == from_us(int(found.labelled.known_at.max()) + 1)
    observed = found.labelled.converted.mean()
    assert found.mean_after == pytest.approx(observed, abs=0.01)
    assert json.loads((moved.folder / "card.json").read_text())["warnings"][0].startswith(
        f"The level was moved after training, from version {bundle.version}"
    )


def test_too_few_later_labels_state_so(history: History, moments: Moments, tmp_path: Path) -> None:
    newest = from_us(int(moments.created_at.max()))
    with pytest.raises(TooFewLabelsError, match="Wait, or import a longer history"):
        find_shift(history, write_bundle_seen_until(tmp_path / "late", newest))
    with pytest.raises(BundleError, match="does not say what it learned from"):
        find_shift(history, write_bundle_seen_until(tmp_path / "mute", None))


@pytest.mark.parametrize("swapped", [False, True], ids=["older champion", "older challenger"])
def test_two_models_are_compared_on_leads_that_neither_has_seen(
    history: History,
    moments: Moments,
    bundle: Bundle,
    middle: datetime,
    tmp_path: Path,
    swapped: bool,
) -> None:
    later = middle + timedelta(days=30)
    pair = [bundle, write_bundle_seen_until(tmp_path / "other", later)]

    found = review(history, *(reversed(pair) if swapped else pair))

    assert found.later_since == later
    assert found.comparison is not None
    assert found.comparison.rows == int((moments.created_at >= to_us(later)).sum()) > 0
