"""Whether reasons hold when the model meets other leads: counted by hand, then on a known market."""

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.estimators.test_candidates import CATALOG, SIGNAL, draw_data
from training.card.business_fields import BusinessFields, find_fields
from training.card.stability import (
    compare_reasons,
    measure_stability,
    resample_leads,
    write_stability_plot,
)
from training.estimators import boosting, logistic, naive_bayes
from training.estimators.candidates import BAYES, CANDIDATES, LINEAR, TREES
from training.estimators.logistic import RidgeLogisticClassifier
from training.models.fit_data import FitData
from training.models.linear import LinearModel, Term

WORDS = tuple("abcdefg")


def compare(own, *others):
    return compare_reasons(
        np.array(own, float), [np.array(other, float) for other in others], WORDS, 10, 16
    )


def test_a_model_that_is_found_again_keeps_every_reason():
    own = [[5, -4, 3, 2, 1, 0, 0], [1, 2, 3, -4, 5, 0, 0]]
    same = compare(own, own, own)
    assert (same.kept, same.kept_least, same.same_direction) == (1.0, 1.0, 1.0)
    assert same.rank_correlation == pytest.approx(1.0)
    assert same.kept_by_chance == 1.0  # five fields say anything at all


def test_reasons_that_fall_behind_five_others_are_lost_and_turned_ones_are_counted():
    own = [[9, 8, -7, 1, 1, 1, 1]]
    #  c falls to the sixth place; b turns its direction and stays
    other = [[9, -8, -1, 5, 4, 3, 2]]
    found = compare(own, other)
    assert found.kept == pytest.approx(2 / 3)
    assert found.same_direction == pytest.approx(2 / 3)
    assert found.kept_by_chance == pytest.approx(5 / 7)
    assert "67 % of refits" in found.sentence
    assert compare(own, other, own).kept == pytest.approx(5 / 6)
    assert compare(own, other, own).kept_least == pytest.approx(2 / 3)


def test_points_of_zero_are_no_reasons():
    found = compare([[5, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]], [[5, 0, 0, 0, 0, 0, 0]] * 2)
    assert found.kept == 1.0
    assert [spread.words for spread in found.fields] == ["a"]


def test_each_field_has_its_range_of_points_and_ranks():
    found = compare([[4, 2, 0, 0, 0, 0, 0]], [[1, 3, 0, 0, 0, 0, 0]], [[6, -2, 0, 0, 0, 0, 0]])
    a, b = found.fields
    assert (a.words, a.points, a.lowest, a.highest) == ("a", 4.0, 1.0, 6.0)
    assert (a.rank, a.lowest_rank, a.highest_rank) == (1, 1, 2)
    assert (b.points, b.lowest, b.highest) == (2.0, 2.0, 3.0)


def draw_leads() -> FitData:
    """Sixty leads, looked at one to five times each."""
    data = draw_data(n=180)
    lead = np.repeat(np.arange(60), 3) * 7
    lead[:2] = 7 * 59
    return replace(data, lead_index=lead)


def test_drawn_leads_bring_all_their_rows_and_copies_are_leads_of_their_own():
    data = draw_leads()
    drawn = resample_leads(data, np.random.default_rng(1))
    rows_of = {
        lead: {row.tobytes() for row in data.rows[data.lead_index == lead]}
        for lead in np.unique(data.lead_index)
    }
    owners = {cells: lead for lead, cells_of in rows_of.items() for cells in cells_of}
    seen = []
    for lead in np.unique(drawn.lead_index):
        rows = {row.tobytes() for row in drawn.rows[drawn.lead_index == lead]}
        (owner,) = {owners[row] for row in rows}
        assert rows == rows_of[owner]
        seen.append(owner)
    assert len(seen) == len(rows_of)  # as many as there were
    assert len(set(seen)) < len(seen)  # some twice
    assert seen == sorted(seen)  # copies side by side
    assert (np.diff(drawn.created_at) >= 0).all()
    at = {row.tobytes(): y for row, y in zip(data.rows, data.converted, strict=True)}
    assert [at[row.tobytes()] for row in drawn.rows] == drawn.converted.tolist()


def test_fewer_leads_are_drawn_where_there_are_too_many_rows():
    drawn = resample_leads(draw_leads(), np.random.default_rng(1), most=60)
    assert len(np.unique(drawn.lead_index)) == 20


def fixed(weight: float) -> LinearModel:
    return LinearModel(0.0, 2, {0: Term(0.0, 1.0, weight, 0.0, (), 0.0)})


def test_refitting_stops_when_the_time_is_over_but_never_before_the_second():
    fields = BusinessFields(("one", "two"), np.array([0, 1]))
    result: list[float] = []
    found = measure_stability(
        fixed(1.0),
        lambda _train: fixed(2.0),
        draw_leads(),
        np.ones((3, 2), np.float32),
        fields,
        rng=np.random.default_rng(0),
        points_per_margin=10.0,
        seconds=0.0,
        progress=result.append,
    )
    assert found.refits == 2
    assert found.of_leads == 60
    assert result[-1] == 1.0
    (spread,) = found.fields
    assert spread.lowest == spread.highest == pytest.approx(2.0 * spread.points)


@pytest.mark.slow
@pytest.mark.parametrize("name", [LINEAR, TREES])
def test_on_a_market_with_one_strong_signal_it_is_a_reason_in_every_refit(name, tmp_path):
    data, later = draw_data(n=1500), draw_data(seed=8, n=300)
    learned = CANDIDATES[name].fit(data)
    fields = find_fields(CATALOG)

    found = measure_stability(
        learned.model,
        learned.refit,
        data,
        later.rows,
        fields,
        rng=np.random.default_rng(3),
        points_per_margin=14.4,
        refits=2,
    )

    signal = fields.words[fields.owner[SIGNAL]]
    (spread,) = [s for s in found.fields if s.words == signal]
    assert (spread.rank, spread.lowest_rank) == (1, 1)
    assert spread.highest_rank <= 3
    assert found.kept > 3 * found.kept_by_chance
    write_stability_plot(tmp_path / "stability.png", found)
    assert (tmp_path / "stability.png").stat().st_size > 10_000


class NeverAgain:
    """Stands where a search stood."""

    def __init__(self, *_asked, **_params):
        raise AssertionError("this was searched for before")


def test_a_refit_is_held_to_what_the_search_had_found(monkeypatch):
    data, other = draw_data(n=800), draw_data(seed=5, n=400)
    learned = [CANDIDATES[name].fit(data) for name in (LINEAR, BAYES, TREES)]
    for module, name in (
        (logistic, "LogisticRegressionCV"),
        (naive_bayes, "choose_adds"),
        (boosting, "search_rounds"),
    ):
        monkeypatch.setattr(module, name, NeverAgain)
    line, steps, trees = (one.refit(other) for one in learned)
    assert trees.text.count("\nTree=") == learned[2].found["rounds"]
    assert {CATALOG.names[at] for at in steps.terms} == set(learned[1].found["chosen"])
    again = RidgeLogisticClassifier(CATALOG.features, C=learned[0].found["C"])
    again.fit(other.rows, other.converted, other.weights)
    assert line.terms[SIGNAL].weight == again.model_.terms[SIGNAL].weight
