"""Settings are searched within a budget, and a recorded search can be repeated."""

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.estimators.test_candidates import draw_data
from training.estimators.boosting import BoostedTreesClassifier, list_directions
from training.estimators.candidates import CANDIDATES, TREES
from training.selection.tuning import SPACE, Budget, tune


@pytest.mark.slow
def test_the_same_trials_find_the_same_settings():
    data = draw_data(n=1500)
    result = []
    first = tune(data, Budget(trials=4), result.append)
    again = tune(data, Budget(trials=4), lambda _: None)
    assert dict(first.settings) == dict(again.settings)
    assert first.trials == 4
    assert first.best_loss <= first.usual_loss
    assert result == [0.25, 0.5, 0.75, 1.0]
    assert set(first.settings) in ({*SPACE}, set())
    assert "4 settings" in first.words


def test_time_ends_a_search_and_without_any_there_is_none():
    data = draw_data(n=1500)
    assert tune(data, Budget(seconds=1e-9), lambda _: None).trials == 1
    assert tune(data, Budget(), lambda _: None).trials == 0


@pytest.mark.slow
def test_more_never_lowers_the_chance_where_the_field_agrees():
    data = draw_data()
    up = [i for i, d in enumerate(list_directions(data.features)) if d > 0]
    assert up
    model = CANDIDATES[TREES].fit(data).model
    assert not any(list_directions(replace(data, hoped_for=False).features))
    rows = np.nan_to_num(data.rows[:200])
    for position in up[:25]:
        more = rows.copy()
        more[:, position] += 3.0
        before = model.contributions(rows).sum(axis=1)
        assert (model.contributions(more).sum(axis=1) >= before - 1e-9).all()


def test_no_class_is_weighed_up():
    settings = BoostedTreesClassifier().build_settings(())
    assert not {"is_unbalance", "scale_pos_weight"} & {*settings, *SPACE}
