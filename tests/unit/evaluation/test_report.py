import json
import struct
from datetime import UTC, datetime

import numpy as np
import pytest
from jinja2 import UndefinedError

from training.card.cautions import find_cautions
from training.card.pages import render_card
from training.card.plots import (
    write_card_plots,
    write_gains_plot,
    write_reasons_plot,
    write_reliability_plot,
    write_score_plot,
)
from training.card.report import (
    CardContract,
    CardFacts,
    DataFacts,
    EvaluationInputs,
    SliceFacts,
    WithheldField,
    build_card,
    measure_candidate,
    measure_quality,
)
from training.evaluation.calibration import fit_affine
from training.evaluation.errors import EmptySliceError
from training.evaluation.segments import SegmentColumn
from training.leaks.audit import AuditColumn, audit

PROMISE = "P(SQL within 30 days)"
EDGES = (65.0, 50.0, 35.0, -np.inf)


def build_inputs(n=3000, seed=0, signal=1.0, shift=0.0):
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(-2, 1, n)
    p = 1 / (1 + np.exp(-log_odds))
    truth = 1 / (1 + np.exp(-(signal * (log_odds + 2) - 2 + shift)))
    y = (rng.random(n) < truth).astype(float)
    points = 50 + 10 * (log_odds + 2) / np.log(2)
    return EvaluationInputs(
        y=y,
        p=p,
        lead_index=np.arange(n) // 2,
        base_rate_train=0.16,
        band=np.digitize(-points, [-65, -50, -35]),
        band_names=("A", "B", "C", "D"),
        band_points_from=EDGES,
        segments=(SegmentColumn("source | channel", rng.integers(0, 3, n), ["ads", "web", "x"]),),
    )


def build_facts(inputs, **changed):
    candidates = [
        measure_candidate("lightgbm", inputs.y, inputs.p, inputs.lead_index),
        measure_candidate("logistic regression", inputs.y, np.full(len(inputs.y), 0.2)),
    ]
    moment = datetime(2024, 3, 1, tzinfo=UTC)
    return CardFacts(
        contract=CardContract("sql", 30.0, PROMISE),
        data=DataFacts(
            source="a made-up market",
            rows=9000,
            leads=4500,
            slices=[
                SliceFacts("training", 6000, 3000, 960, moment, moment),
                SliceFacts("newest", 3000, 1500, 480, None, None),
            ],
            split_rule="Leads are cut by the moment of looking.",
            purge="Thirty days before each cut are left out.",
            withheld=[WithheldField("won_date", "known only after the outcome")],
        ),
        candidates=candidates,
        chosen="lightgbm",
        because="It has the lowest log loss on the newest slice.",
        **changed,
    )


def build_audit(inputs):
    rng = np.random.default_rng(1)
    leaky = np.where(np.asarray(inputs.y) == 1, 5.0, 0.0).astype(np.float32)
    columns = [
        AuditColumn(
            "pages_7d", "pages", rng.poisson(2, len(leaky)).astype(np.float32), dated=True
        ),
        AuditColumn("deal_size", "deal_size", leaky),
    ]
    return audit(columns, inputs.y, lead_index=inputs.lead_index, allow={"deal_size": "quoted"})


def measure(inputs):
    return measure_quality(inputs, rng=np.random.default_rng(0), resamples=100)


@pytest.fixture(scope="module")
def card():
    inputs = build_inputs()
    leak_audit = build_audit(inputs).judge_auc(0.91)
    return build_card(
        build_facts(inputs, limits=["Not for people outside the market it saw."]),
        measure(inputs),
        leak_audit.describe(),
    )


def test_card_is_strict_json_and_survives_a_round_trip(card):
    text = json.dumps(card, allow_nan=False)

    assert json.loads(text) == card


def test_card_sets_every_figure_beside_its_rival(card):
    quality = card["quality"]

    assert card["contract"]["text"] == PROMISE
    assert quality["has_signal"] is True
    assert quality["losses"]["log_loss"] < quality["losses"]["log_loss_of_training_rate"]
    assert card["candidates"][-1]["name"] == "base rate"
    assert card["candidates"][0]["name"] == "lightgbm"
    assert [band["name"] for band in quality["bands"]] == ["A", "B", "C", "D"]
    assert quality["bands"][-1]["points_from"] is None
    assert sum(band["rows"] for band in quality["bands"]) == quality["rows"]
    assert card["data"]["slices"][0]["base_rate"] == pytest.approx(0.16)


def test_card_carries_allowed_leaks_and_the_too_good_alarm(card):
    warnings = "\n".join(card["warnings"])

    assert "Allowed although it looks like a leak: deal_size (quoted)." in warnings
    assert "too good to be true: 0.910" in warnings
    assert "Look first at: deal_size" in warnings


def test_page_tells_what_the_card_tells(card):
    page = render_card(card)

    for words in (
        "# Model card: P(SQL within 30 days)",
        "![Predicted chance against observed rate](reliability.png)",
        "(gains.png)",
        "| **lightgbm** |",
        "lift at 10 %",
        "source \\| channel",
        "| won_date | known only after the outcome |",
        "allowed",
        "Not for people outside the market it saw.",
    ):
        assert words in page
    assert "nan" not in page.lower().replace("finance", "")


def test_every_table_of_the_page_has_as_many_cells_as_its_header(card):
    page = render_card(card).replace("\\|", "/")

    blocks = [block.splitlines() for block in page.split("\n\n") if block.startswith("| ")]
    assert len(blocks) >= 8
    for lines in blocks:
        assert len({line.count("|") for line in lines}) == 1


def test_what_stands_in_the_data_ends_no_cell_and_begins_no_tag(card):
    segment = {**card["quality"]["segments"][0], "segment": "a|b\n<script>", "auc_low": 0.1}
    odd = {**card, "quality": {**card["quality"], "segments": [segment]}}

    assert "| a\\|b \\<script> |" in render_card(odd)


def test_a_card_that_lacks_a_fact_is_not_rendered_with_a_blank(card):
    lacking = {name: fact for name, fact in card["data"].items() if name != "source"}

    with pytest.raises(UndefinedError, match="source"):
        render_card({**card, "data": lacking})


def test_without_signal_the_first_warning_states_so():
    # given outcomes that do not follow the scores
    quality = measure(build_inputs(n=600, signal=0.0, seed=3))

    # then
    assert not quality.has_signal
    assert find_cautions(quality)[0].startswith("No signal: the interval of AUC")
    assert any("no better than" in caution for caution in find_cautions(quality))


def test_a_moved_base_rate_and_level_are_reported():
    cautions = "\n".join(find_cautions(measure(build_inputs(shift=1.5))))

    assert "More leads converted than was predicted" in cautions
    assert "The base rate moved from 16.0%" in cautions


def test_a_bold_model_is_reported():
    cautions = "\n".join(find_cautions(measure(build_inputs(signal=0.5, n=6000))))

    assert "overconfident" in cautions


def test_a_good_model_has_nothing_to_warn_of():
    assert find_cautions(measure(build_inputs(n=20_000))) == ()


def test_a_slice_without_conversions_makes_a_card_with_blanks():
    # given no conversion at all
    inputs = build_inputs(n=300)
    inputs = EvaluationInputs(
        **{**{k: getattr(inputs, k) for k in inputs.__dataclass_fields__}, "y": np.zeros(300)}
    )

    # when the card is made
    made = build_card(build_facts(inputs), measure(inputs), {})

    # then it is valid, says so and renders
    json.dumps(made, allow_nan=False)
    assert made["quality"]["auc"]["value"] is None
    assert made["warnings"][0].startswith("Only one outcome is present")
    assert "| AUC | - |" in render_card(made)


def test_an_empty_slice_is_refused():
    with pytest.raises(EmptySliceError):
        measure_quality(
            EvaluationInputs([], [], [], 0.1, [], ("A",), (-np.inf,)),
            rng=np.random.default_rng(0),
        )


def test_a_calibration_fallback_and_notes_of_the_run_reach_the_warnings():
    inputs = build_inputs()
    fit = fit_affine([0.0, 1.0, 0.5], [0, 1, 0])

    made = build_card(
        build_facts(inputs, calibration=fit, notes=["Two files were cut short."]),
        measure(inputs),
        {},
    )

    assert fit.because in made["warnings"]
    assert "Two files were cut short." in made["warnings"]
    assert made["calibration"]["method"] == "shift"


def read_png_size(path):
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", head[16:24])


def test_pictures_are_png_of_nine_hundred_by_six_hundred(tmp_path):
    inputs = build_inputs()
    quality = measure(inputs)
    rng = np.random.default_rng(0)

    write_card_plots(tmp_path, quality, PROMISE)
    write_score_plot(tmp_path / "scores.png", rng.normal(50, 15, 500), inputs.band_names, EDGES)
    write_reasons_plot(tmp_path / "reasons.png", ["industry", "pages"], rng.normal(size=(50, 2)))

    for name in ("reliability.png", "gains.png", "scores.png", "reasons.png"):
        assert read_png_size(tmp_path / name) == (900, 600)


def test_the_same_figures_give_the_same_bytes(tmp_path):
    quality = measure(build_inputs())

    write_reliability_plot(tmp_path / "a.png", quality.bins, PROMISE)
    write_reliability_plot(tmp_path / "b.png", quality.bins, PROMISE)

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_pictures_of_a_slice_without_conversions_can_be_drawn(tmp_path):
    inputs = build_inputs(n=100)
    quality = measure(
        EvaluationInputs(
            np.zeros(100), inputs.p, inputs.lead_index, 0.1, inputs.band, "ABCD", EDGES
        )
    )

    write_reliability_plot(tmp_path / "r.png", quality.bins, PROMISE)
    write_gains_plot(tmp_path / "g.png", quality.gains, quality.lift_at_10)

    assert read_png_size(tmp_path / "g.png") == (900, 600)
