"""Where the log hardly ever hands over, P(SQL) is doubted; where it often does, it is not."""

import json

import numpy as np
import pytest

from tests.unit.serving.factories import make_catalog
from tests.unit.serving.timing_factories import PRICING, make_model, make_stump
from training.timing.models.handoff_chances import build_trees_data
from training.timing.models.model import SETTINGS_FILE, read_timing_model
from training.timing.models.overlap_penalty import (
    MOST_DOUBT,
    compute_overlap_penalty,
    fit_handed,
    scale_overlap_penalty,
)


def log_odds(chance):
    return np.log(chance) - np.log1p(-np.asarray(chance))


def test_doubt_falls_with_the_root_of_the_handoffs_seen_on_such_days():
    # given days on which handoffs are made a hundred times as often, and a log four times as large
    rare, often = log_odds([0.001, 0.1])

    # when
    of_rare, of_often = compute_overlap_penalty(
        scale_overlap_penalty(1_000), np.array([rare, often])
    )
    of_more = compute_overlap_penalty(scale_overlap_penalty(4_000), np.array([rare]))

    # then
    assert of_rare == pytest.approx(10 * of_often)
    assert of_more == pytest.approx(of_rare / 2)


def test_doubt_has_an_end():
    assert compute_overlap_penalty(scale_overlap_penalty(100), np.array([-50.0])).tolist() == [
        MOST_DOUBT
    ]


def test_the_log_s_own_handoffs_are_learned_and_days_on_which_it_ended_are_not():
    # given days of which those with a pricing view are handed over, and the last ones cut
    catalog = make_catalog()
    column, n = catalog.names.index(PRICING), 4_000
    rows = np.zeros((n, len(catalog.names)), np.float32)
    rows[::2, column] = 1.0
    handed = (rows[:, column] > 0) & (np.arange(n) % 5 == 0)
    known = np.arange(n) < 3_000
    handed |= ~known

    # when
    laid_out = build_trees_data(catalog, rows, np.zeros(n)).construct()
    chance = 1.0 / (1.0 + np.exp(-fit_handed(laid_out, handed, known, seed=1).margins(rows)))

    # then
    assert chance[0] == pytest.approx(0.2, abs=0.02)
    assert chance[1] < 0.01


def test_the_chance_of_an_sql_is_lower_where_handoffs_are_rare_and_comes_back_from_its_texts():
    # given a model whose log hands over leads with a pricing view, and hardly any other
    catalog = make_catalog()
    rows = np.zeros((2, len(catalog.names)), np.float32)
    rows[1, catalog.names.index(PRICING)] = 1.0
    plain = make_model(catalog)
    penalised = make_model(catalog, handed=make_stump(0, 1, -6.0, 6.0), overlap_penalty=0.02)

    # when
    result, before = penalised.advise(rows), plain.advise(rows)
    again = read_timing_model(penalised.texts()).advise(rows)

    # then
    less = log_odds(before.p_sql) - log_odds(result.p_sql)
    assert less == pytest.approx([0.02 / np.sqrt(1 / (1 + np.exp(6.0))), 0.02], abs=1e-4)
    assert result.value_now[0] < before.value_now[0]
    assert result.p_accept.tolist() == before.p_accept.tolist()
    assert again.p_sql.tolist() == result.p_sql.tolist()
    assert read_timing_model(plain.texts()).handed is None


def test_a_bundle_with_a_caution_of_old_still_takes_it_off():
    # given
    catalog = make_catalog()
    rows = np.zeros((1, len(catalog.names)), np.float32)
    texts = make_model(catalog).texts()
    settings = json.loads(texts[SETTINGS_FILE])
    old = {name: value for name, value in settings.items() if name != "overlap_penalty"} | {
        "caution": 0.3
    }

    # when
    result = read_timing_model({**texts, SETTINGS_FILE: json.dumps(old)}).advise(rows)

    # then
    assert result.advantage == pytest.approx(make_model(catalog).advise(rows).advantage - 0.3)
