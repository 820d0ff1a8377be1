"""The pictures of a model's reasons: right numbers, human names, and nothing left behind."""

import json
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

from features.catalog.feature import SubScore
from tests.unit.estimators.test_candidates import CATALOG, INDUSTRY, draw_data
from training.bundle import Scale
from training.card import shap_plots
from training.card.business_fields import find_fields, name_columns
from training.card.explanations import NO_INTERACTIONS, explain_model, write_explanation_plots
from training.card.pages import render_page
from training.estimators.candidates import CANDIDATES, LINEAR, TREES
from training.models.interactions import compute_interactions

ROOT = Path(__file__).parents[2]
PAGE = "card/templates/explanations.md.j2"
SCALE = Scale(slope=0.9, intercept=0.1, bias=-1.0)


@pytest.fixture(scope="module")
def later() -> np.ndarray:
    """Later rows, with a column nobody knows and one that is the same for all."""
    rows = draw_data(seed=5, n=200).rows
    rows[:, CATALOG.names.index("employees")] = np.nan
    return rows


@pytest.fixture(scope="module")
def explained(later):
    """One explanation per kind of model."""
    data = draw_data(n=1500)
    # What nobody knows later did matter once: it stands among the reasons, and cannot be drawn.
    data.rows[:, CATALOG.names.index("employees")] = np.where(data.converted == 1, 9.0, 2.0)
    models = {name: CANDIDATES[name].fit(data).model for name in (LINEAR, TREES)}
    return {
        name: (model, explain_model(CATALOG, model, SCALE, later))
        for name, model in models.items()
    }


def test_fields_are_those_that_answers_are_grouped_by():
    fields = find_fields(CATALOG)
    keys: dict[tuple[str, SubScore], int] = {}
    for feature, position in zip(CATALOG.features, fields.owner, strict=True):
        assert keys.setdefault((feature.field, feature.sub_score), int(position)) == position
        assert fields.words[position] == feature.field_words
    assert len(keys) == len(fields.words)
    reasons = np.random.default_rng(0).normal(size=(4, len(CATALOG.features)))
    folded = fields.fold(reasons)
    np.testing.assert_allclose(folded.sum(axis=1), reasons.sum(axis=1))
    own = fields.owner == fields.owner[INDUSTRY]
    np.testing.assert_allclose(folded[:, fields.owner[INDUSTRY]], reasons[:, own].sum(axis=1))


def test_every_column_has_a_name_of_its_own_in_words():
    names = name_columns(CATALOG.features)
    assert len(set(names)) == len(names)
    assert not [name for name in names if "_" in name or "{" in name]


@pytest.mark.slow
@pytest.mark.parametrize("name", [LINEAR, TREES])
def test_reasons_are_in_points_and_interactions_share_them_out(explained, later, name):
    model, explanation = explained[name]
    scores = SCALE.scores(model.contributions(later))
    np.testing.assert_allclose(50 + explanation.reasons.sum(axis=1), scores.points)
    np.testing.assert_allclose(50 + explanation.by_field.sum(axis=1), scores.points)
    if name == LINEAR:
        assert explanation.interactions is None
        assert explanation.sentence == NO_INTERACTIONS
        return
    found = explanation.interactions
    strongest = found.pairs[0]
    one, other = strongest.first, strongest.second
    phi = compute_interactions(model, found.rows)[:, one, other]
    per_margin = 10 / np.log(2) * SCALE.slope
    np.testing.assert_allclose(strongest.points, 2 * per_margin * phi)
    assert strongest.strength == pytest.approx(np.abs(strongest.points).mean())
    assert strongest.strength == pytest.approx(found.between.max())
    assert f"{strongest.strength:.2f} points" in explanation.sentence


@pytest.mark.slow
@pytest.mark.parametrize("name", [LINEAR, TREES])
def test_pictures_are_written_and_nothing_is_left_behind(explained, tmp_path, name):
    plt.close("all")
    own, _ = plt.subplots()
    np.random.seed(11)  # noqa: NPY002  the state a notebook may rely on
    expected = np.random.RandomState(11).random_sample(3)
    settings, backend = dict(mpl.rcParams), mpl.get_backend()

    written = write_explanation_plots(tmp_path, explained[name][1])

    drawn = {"summary.png", "dependence.png"}
    assert set(written) == (drawn if name == LINEAR else drawn | {"interactions.png", "pairs.png"})
    for picture in written:
        content = (tmp_path / picture).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) > 10_000
    assert plt.get_fignums() == [own.number]
    assert plt.gcf() is own
    assert dict(mpl.rcParams) == settings
    assert mpl.get_backend() == backend
    np.testing.assert_array_equal(np.random.random_sample(3), expected)  # noqa: NPY002
    plt.close(own)


def test_a_figure_is_given_back_when_drawing_fails():
    plt.close("all")
    with pytest.raises(RuntimeError, match="no ink"), shap_plots.borrowed_figure(2, 2):
        raise RuntimeError("no ink")
    assert plt.get_fignums() == []


def test_a_picture_of_a_category_shows_the_commonest_in_order_of_their_points():
    codes = np.repeat(np.arange(14.0), np.arange(14) + 1)
    codes[-1] = np.nan
    points = -codes + 0.5
    column = shap_plots.PlottedColumn("industry", codes, points, tuple("abcdefghijklmn"))
    panel, left_out = shap_plots._keep_common(shap_plots.Panel(column, None))
    assert left_out == 2
    assert panel.column.categories == tuple("nmlkjihgfedc")
    assert panel.column.values[-1] == 0.0
    assert not np.isnan(panel.column.values).any()


def test_the_card_shows_each_picture_it_has_and_a_card_without_is_left_alone(explained):
    explanation = explained[TREES][1]
    card = json.loads(
        json.dumps({"explanations": explanation.describe(), "pictures": ["summary.png"]})
    )
    page = render_page(PAGE, card=card)
    assert "](summary.png)" in page
    assert "](pairs.png)" not in page
    assert explanation.sentence in page
    assert f"| {explanation.interactions.pairs[0].strength:.2f} |" in page
    assert not render_page(PAGE, card={"pictures": []}).strip()
    drawn = {value for name, value in vars(shap_plots).items() if name.endswith("_PICTURE")}
    facts = {"explanations": explanation.describe(), "pictures": sorted(drawn)}
    every = render_page(PAGE, card=facts)
    assert len(drawn) >= 4
    assert all(f"]({name})" in every for name in drawn)


@pytest.mark.slow
def test_a_run_that_draws_nothing_never_imports_shap():
    script = "import sys, training.run.pipeline, training.card.explanations; assert 'shap' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
