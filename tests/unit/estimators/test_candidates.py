"""Every candidate keeps one contract: reasons add up, missing is welcome, nothing is learned twice."""

import json
from dataclasses import replace

import numpy as np
import pytest

from features.catalog.fit import OTHER_CATEGORY, LeadAttribute
from features.catalog.manifest import build_catalog
from features.taxonomy import default_taxonomy
from training.estimators.candidates import CANDIDATES, POINTS
from training.estimators.points import read_points
from training.models.fit_data import FitData, margins
from training.models.linear import LinearModel
from training.models.trees import TreeModel

CATALOG = build_catalog(
    default_taxonomy(),
    (
        LeadAttribute("industry", "category", ("bank", "software", OTHER_CATEGORY)),
        LeadAttribute("employees", "number"),
    ),
)
SIGNAL = CATALOG.names.index("pricing_view_count_7d")
INDUSTRY = CATALOG.names.index("industry")
TABLE = read_points("""
[[rule]]
feature = "pricing_view_count_7d"
each = 4
most = 20
[[rule]]
feature = "industry"
is = ["software"]
points = 15
""")
TEAM = {**CANDIDATES, POINTS: CANDIDATES[POINTS].with_params(table=TABLE)}
"""The team that wrote this points table knows its market."""


def draw_data(seed: int = 3, n: int = 3000) -> FitData:
    rng = np.random.default_rng(seed)
    rows = rng.poisson(1.5, size=(n, len(CATALOG.features))).astype(np.float32)
    for position, feature in enumerate(CATALOG.features):
        if feature.categories:
            rows[:, position] = rng.integers(0, len(feature.categories), n)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    logit = 0.9 * np.nan_to_num(rows[:, SIGNAL]) + 1.5 * (rows[:, INDUSTRY] == 1) - 3.0
    y = (rng.random(n) < 1.0 / (1.0 + np.exp(-logit))).astype(np.int8)
    return FitData(CATALOG, rows, y, np.sort(rng.integers(0, 10**12, n)), np.arange(n), seed)


@pytest.fixture(scope="module", params=list(TEAM))
def fitted(request):
    data = draw_data()
    return request.param, data, TEAM[request.param].fit(data).model


def test_it_finds_the_signal(fitted):
    _, _, model = fitted
    later = draw_data(seed=4)
    scores = margins(model, later.rows)
    positive, negative = scores[later.converted == 1], scores[later.converted == 0]
    assert (positive[:, None] > negative[None, :]).mean() > 0.7


def test_reasons_add_up_to_the_margin_from_the_average_lead(fitted):
    _, data, model = fitted
    phi = model.contributions(data.rows)
    assert model.bias == pytest.approx(float((model.bias + phi.sum(axis=1)).mean()), abs=0.15)
    np.testing.assert_allclose(margins(model, data.rows), model.bias + phi.sum(axis=1))


def test_refitting_gives_the_same_numbers(fitted):
    name, data, model = fitted
    again = TEAM[name].fit(data).model
    assert margins(again, data.rows).tobytes() == margins(model, data.rows).tobytes()


def test_a_row_of_nothing_known_and_an_unseen_category_get_a_finite_score(fitted):
    _, _, model = fitted
    nothing = np.full((2, len(CATALOG.features)), np.nan, np.float32)
    nothing[1, INDUSTRY] = 77
    assert np.isfinite(margins(model, nothing)).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", list(TEAM))
def test_a_list_imported_in_one_go_and_conversions_only_at_the_end_are_no_obstacle(name):
    data = draw_data()
    in_one_go = replace(data, created_at=np.zeros_like(data.created_at))
    assert in_one_go.tuning_mask().sum() == len(data.converted) // 4
    late_only = data.converted.copy()
    late_only[: len(late_only) * 3 // 4] = 0
    only_late = replace(data, converted=late_only)
    assert only_late.tuning_mask() is None
    for awkward in (in_one_go, only_late):
        model = TEAM[name].fit(awkward).model
        assert np.isfinite(margins(model, data.rows)).all()


def test_writing_and_reading_changes_nothing(fitted):
    _, data, model = fitted
    if isinstance(model, TreeModel):
        again = TreeModel(str(model.text))
    else:
        again = LinearModel.from_json(json.loads(json.dumps(model.to_json())))
    assert margins(again, data.rows).tobytes() == margins(model, data.rows).tobytes()
