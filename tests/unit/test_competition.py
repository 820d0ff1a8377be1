"""The simplest of equals wins, and standard errors count leads."""

from typing import Any, cast

import numpy as np
import pytest

from features.clock import DAY_US
from features.compute.offline import Snapshots
from features.lifecycle.stages import Stage
from tests.unit.test_segment_models import CATALOG
from training.dataset.moments import Dataset, Moments
from training.engine import Engine
from training.estimators.candidates import Candidate, FittedModel
from training.evaluation.calibration import fit_affine, list_log_losses
from training.labels.conversion import Grid, Outcome
from training.selection.competition import FoldRow, choose, compare, compete, usable_folds


def test_standard_errors_are_of_the_paired_difference_and_count_leads():
    leads = np.array([0, 0, 1, 1, 2, 2])
    best = np.array([0.2, 0.2, 0.4, 0.4, 0.6, 0.6])
    other = best + np.array([0.1, 0.1, 0.0, 0.0, 0.2, 0.2])
    rows = {row.name: row for row in compare({"other": other, "best": best}, leads)}
    assert rows["best"].behind == 0.0
    assert rows["best"].standard_error == 0.0
    assert rows["other"].behind == pytest.approx(0.1)
    # Sums per lead of what differs from the mean difference: 0, -.2, .2; over six rows.
    assert rows["other"].standard_error == pytest.approx(np.sqrt(0.08) / 6)
    alone = {row.name: row for row in compare({"other": other, "best": best}, np.arange(6))}
    assert alone["other"].standard_error < rows["other"].standard_error


@pytest.mark.parametrize(
    ("behind", "error", "wins"),
    [(0.010, 0.011, "simple"), (0.010, 0.009, "rich"), (0.0, 0.0, "simple")],
)
def test_the_simplest_within_one_standard_error_wins(behind, error, wins):
    table = (FoldRow("simple", 0.5 + behind, behind, error), FoldRow("rich", 0.5, 0.0, 0.0))
    name, because = choose(table, "over 4 rolling folds")
    assert name == wins
    assert "over 4 rolling folds" in because


def test_losses_are_finite_where_a_chance_is_certain_and_wrong():
    found = list_log_losses(np.array([1, 0, 1], np.int8), np.array([0.0, 1.0, 0.5]))
    assert np.isfinite(found).all()
    assert found[2] == pytest.approx(np.log(2.0))


class FixedModel:
    """A model whose margin is the one column there is, at twice its size: it needs calibrating."""

    def margins(self, rows):
        return 2.0 * rows[:, 0].astype(np.float64)


class FixedCandidate(Candidate):
    """A candidate that learns nothing, and keeps whom it was to learn from."""

    def fit(self, train, progress=None):
        self.build.append(set(train.lead_index.tolist()))
        return FittedModel(self, FixedModel(), {}, {})


def draw_drifting_leads(n=3000):
    """Look once at each of some leads; conversions grow more frequent with time."""
    rng = np.random.default_rng(3)
    created = np.sort(rng.integers(0, 400 * DAY_US, n))
    as_of = created + DAY_US
    signal = rng.normal(size=n).astype(np.float32)
    drift = np.linspace(-1.0, 1.0, n)
    y = (rng.random(n) < 1.0 / (1.0 + np.exp(-signal - drift))).astype(np.int8)
    outcome, grid = Outcome(Stage.SQL, 10 * DAY_US), Grid.at_ages((24.0,))
    snapshots = Snapshots(np.arange(n), as_of)
    known_at = as_of + 10 * DAY_US
    moments = Moments(cast("Any", None), outcome, grid, snapshots, created, y, known_at, {}, 0)
    return Dataset(CATALOG, moments, signal[:, None], moments.split(), 0)


def test_candidates_are_judged_on_leads_they_were_neither_fitted_nor_calibrated_on():
    dataset = draw_drifting_leads()
    fitted_on = []
    candidate = FixedCandidate("fixed", fitted_on)

    found = compete(dataset, 7, engine=Engine(candidates={"fixed": candidate}))

    folds = usable_folds(dataset)
    assert len(folds) == len(found.fold_losses) > 1
    margins, y = FixedModel().margins(dataset.rows), dataset.converted
    for fold, losses_found, leads in zip(folds, found.fold_losses, fitted_on, strict=False):
        assert leads == set(dataset.lead_of[fold.fit].tolist())
        calibration = fit_affine(margins[fold.calibrate], y[fold.calibrate])
        judged = list_log_losses(y[fold.newest], calibration.apply(margins[fold.newest]))
        assert losses_found == pytest.approx(judged)
    # And whoever is chosen is fitted and calibrated on leads before the newest slice.
    split = dataset.split
    assert fitted_on[-1] == set(dataset.lead_of[split.fit].tolist())
    calibration = fit_affine(margins[split.calibrate], y[split.calibrate])
    assert found.chosen.calibration == calibration
