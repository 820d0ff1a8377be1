"""A segment gets a model of its own only where that is better, and the scale stays one."""

import json
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from features.catalog.fit import OTHER_CATEGORY, LeadAttribute
from features.catalog.manifest import build_catalog
from features.clock import DAY_US
from features.compute.offline import Snapshots
from features.lifecycle.stages import Stage
from features.taxonomy import default_taxonomy
from training.bundle import Scale, _read_models, _write_models
from training.dataset.moments import Dataset, Moments
from training.engine import Engine
from training.errors import UnknownSegmentError
from training.estimators.candidates import CANDIDATES, LINEAR
from training.labels.conversion import Grid, Outcome
from training.models.fit_data import margins
from training.models.segmented import SegmentedModel
from training.selection.competition import Competition, compete
from training.selection.segments import fit_segments, read_rules

INDUSTRIES = ("bank", "software", "telecom", OTHER_CATEGORY)
WHOLE = build_catalog(default_taxonomy(), (LeadAttribute("industry", "category", INDUSTRIES),))
KEPT = tuple(f for f in WHOLE.features if f.name in {"industry", "pricing_view_count_7d"})
CATALOG = replace(WHOLE, features=KEPT)
INDUSTRY = CATALOG.names.index("industry")
VIEWS = CATALOG.names.index("pricing_view_count_7d")


def draw(*, opposite: bool, n: int = 6000, telecom: float = 0.01) -> Dataset:
    """One look at each lead; in banking views mean the opposite, if asked."""
    rng = np.random.default_rng(8)
    rows = np.zeros((n, 2), np.float32)
    shares = [0.3, 0.69 - telecom, telecom, 0.01]
    rows[:, INDUSTRY] = rng.choice(4, n, p=shares)
    rows[:, VIEWS] = rng.poisson(2.0, n)
    sign = np.where((rows[:, INDUSTRY] == 0) & opposite, -1.0, 1.0)
    logit = sign * 1.2 * (rows[:, VIEWS] - 2.0) - 0.5
    y = (rng.random(n) < 1.0 / (1.0 + np.exp(-logit))).astype(np.int8)
    created = np.sort(rng.integers(0, 400 * DAY_US, n))
    as_of = created + DAY_US
    moments = Moments(
        cast("Any", None),
        Outcome(Stage.SQL, 10 * DAY_US),
        Grid.at_ages((24.0,)),
        Snapshots(np.arange(n), as_of),
        created,
        y,
        as_of + 10 * DAY_US,
        {},
        0,
    )
    return Dataset(CATALOG, moments, rows, moments.split(), 0)


def compete_with_one(dataset: Dataset) -> Competition:
    return compete(dataset, 7, engine=Engine(candidates={LINEAR: CANDIDATES[LINEAR]}))


def test_a_segment_that_is_otherwise_gets_its_model_and_reasons_still_add_up(tmp_path):
    dataset = draw(opposite=True)
    before = compete_with_one(dataset)
    texts = ("industry=bank", "industry=telecom")
    after, verdicts = fit_segments(dataset, texts, before, 7, lambda _station, _share: None)
    assert [v.kept for v in verdicts] == [True, False]
    assert "Too little data" in verdicts[1].because
    bank = dataset.rows[:, INDUSTRY] == 0
    newest = dataset.split.newest & bank
    y = dataset.converted[newest]

    def loss(competition: Competition) -> float:
        p = competition.chosen.probabilities[newest]
        return float(-np.log(np.where(y == 1, p, 1 - p)).mean())

    assert loss(after) < loss(before) - 0.05
    np.testing.assert_array_equal(
        after.chosen.probabilities[~bank], before.chosen.probabilities[~bank]
    )
    model, line = after.chosen.model, after.chosen.calibration
    scores = Scale(line.slope, line.intercept, model.bias).scores(
        model.contributions(dataset.rows)
    )
    np.testing.assert_allclose(50 + scores.reasons.sum(axis=1), scores.points, atol=1e-9)
    np.testing.assert_allclose(scores.probability, after.chosen.probabilities, atol=1e-12)

    _write_models(tmp_path, model)
    again = _read_models(tmp_path)
    assert isinstance(again, SegmentedModel)
    assert margins(again, dataset.rows).tobytes() == margins(model, dataset.rows).tobytes()
    assert json.loads((tmp_path / "segments.json").read_text())[0]["name"] == "industry: bank"


def test_a_segment_like_all_others_keeps_the_model_for_everyone():
    dataset = draw(opposite=False)
    before = compete_with_one(dataset)
    after, verdicts = fit_segments(
        dataset, ("industry=bank",), before, 7, lambda _station, _share: None
    )
    assert not verdicts[0].kept
    assert "model for everyone" in verdicts[0].because
    assert after is before


def test_filters_are_read_or_refused_in_words():
    assert [r.words for r in read_rules(["industry=bank,telecom"], CATALOG)] == [
        "industry: bank or telecom"
    ]
    assert len(read_rules(["industry"], CATALOG)) == len(INDUSTRIES)
    with pytest.raises(UnknownSegmentError, match=r"no field 'region'.*industry"):
        read_rules(["region=EMEA"], CATALOG)
    with pytest.raises(UnknownSegmentError, match="no value of industry 'Bank'"):
        read_rules(["industry=Bank"], CATALOG)
