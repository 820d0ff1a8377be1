from dataclasses import dataclass, replace

import numpy as np
import pytest

from training.evaluation.errors import LabelError
from training.leaks.audit import (
    AuditColumn,
    LeakFoundError,
    LeakVerdict,
    ReasonMissingError,
    audit,
    build_audit_columns,
    too_good,
)

N = 6000
LEADS = np.arange(N) // 3


def draw_outcomes(seed=0, rate=0.12):
    """One outcome per lead, shown on each of its three snapshots."""
    return (np.random.default_rng(seed).random(N // 3) < rate)[LEADS]


def audit_one(values, y, **changed):
    column = AuditColumn("x", "field", np.asarray(values, dtype=np.float32), **changed)
    return audit([column], y, lead_index=LEADS)


def get_row(found, rule):
    (row,) = [row for row in found.rows if row.rule == rule]
    return row


def plant_copy(y, rng):
    return y + 0.1 * rng.normal(size=N), {}


def plant_upside_down_counter(y, rng):
    return -3 * y + rng.poisson(0.3, N), {"dated": True}


def plant_middle_value(y, rng):
    return np.where(y, rng.uniform(0.45, 0.55, N), rng.choice([0.1, 0.9], N)), {}


def plant_back_filled_field(y, rng):
    return np.where(y | (rng.random(N) < 0.01), rng.normal(size=N), np.nan), {}


def plant_field_back_filled_for_half_of_the_winners(y, rng):
    return np.where(y & (rng.random(N) < 0.5), rng.normal(size=N), np.nan), {}


def plant_default_that_only_winners_leave(y, rng):
    return np.where(y & (rng.random(N) < 0.3), rng.integers(1, 9, N), 0), {}


def plant_outcome_stage(y, rng):
    return np.where(y, 2, rng.integers(0, 2, N)), {"categories": ("new", "lost", "won")}


def plant_loss_reason(y, rng):
    return np.where(~y & (rng.random(N) < 0.4), 0, np.nan), {"categories": ("too expensive",)}


def plant_missing_for_winners(y, rng):
    return np.where(y, np.nan, rng.normal(size=N)), {}


def plant_category_of_some_winners(y, rng):
    won = y & (rng.random(N) < 0.4)
    return np.where(won, 3, rng.integers(0, 3, N)), {"categories": ("a", "b", "c", "customer")}


PLANTED = [value for name, value in list(globals().items()) if name.startswith("plant_")]


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__[6:])
@pytest.mark.parametrize("seed", range(3))
def test_a_planted_leak_stops_the_run(plant, seed):
    # given a column that knows the outcome
    y = draw_outcomes(seed)
    values, changed = plant(y, np.random.default_rng(seed + 100))

    # when audited
    found = audit_one(values, y, **changed)

    # then the gate closes, names it and says what to do
    with pytest.raises(LeakFoundError, match=r"field field(.|\n)*--allow-leak field=") as caught:
        found.check()
    assert caught.value.fields == ("field",)


def build_clean_columns(y, rng):
    """Draw honest columns, some of them strong: the chance behind the outcome is known in part."""
    merit = 1.2 * (y - y.mean()) + rng.normal(size=N)
    asked = rng.random(N) < 0.02 + 0.3 * y
    return [
        AuditColumn("noise", "noise", rng.normal(size=N)),
        AuditColumn("merit", "merit", merit, dated=True),
        AuditColumn("pages_7d", "pages", rng.poisson(np.exp(0.6 * merit)), dated=True),
        AuditColumn("since_demo", "demo", np.where(asked, rng.random(N), np.nan), dated=True),
        AuditColumn("asked_demo", "demo", asked.astype(float), dated=True),
        AuditColumn("ids", "ids", LEADS.astype(float), tuple(map(str, range(N)))),
        AuditColumn("budget", "budget", np.where(rng.random(N) < 0.4, rng.random(N), np.nan)),
        AuditColumn("country", "country", rng.integers(0, 6, N).astype(float), tuple("abcdef")),
        AuditColumn("empty", "empty", np.full(N, np.nan)),
    ]


@pytest.mark.parametrize("seed", range(20))
def test_honest_columns_raise_no_leak(seed):
    y = draw_outcomes(seed, rate=(0.02, 0.12, 0.4)[seed % 3])

    found = audit(build_clean_columns(y, np.random.default_rng(seed)), y, lead_index=LEADS)

    found.check()
    assert found.leaks == ()
    assert not [
        row
        for row in found.rows
        if row.field in {"noise", "country", "ids"}
        and row.advice
        and row.verdict is LeakVerdict.WARN
    ]


def test_a_field_written_back_after_the_horizon_is_a_leak():
    """It knows who converts some day: of the horizon that says little, and of the future all."""
    y = draw_outcomes(0)
    rng = np.random.default_rng(9)
    ever = y | (rng.random(N // 3) < 0.4)[LEADS]
    stage = np.where(ever, 2, rng.integers(0, 2, N)).astype(np.float32)
    column = AuditColumn("x", "field", stage, ("new", "lost", "customer"))

    assert not audit([column], y, lead_index=LEADS).leaks
    found = audit([column], y, lead_index=LEADS, came_later=ever)

    assert {leak.field for leak in found.leaks} == {"field"}
    assert all(leak.rule.endswith(", outcome at any time") for leak in found.leaks)
    dated = replace(column, dated=True)
    assert not audit([dated], y, lead_index=LEADS, came_later=ever).leaks


@pytest.mark.parametrize("seed", range(10))
def test_noise_on_few_leads_raises_nothing(seed):
    # given 40 leads, 4 conversions and 60 columns of noise
    rng = np.random.default_rng(seed)
    y = np.arange(40) < 4
    columns = [
        AuditColumn(f"x{i}", "x", np.where(rng.random(40) < 0.3, np.nan, rng.normal(size=40)))
        for i in range(60)
    ]

    found = audit(columns, y)

    assert {row.verdict for row in found.rows} <= {LeakVerdict.OK, LeakVerdict.NOTE}


@pytest.mark.parametrize(
    ("dated", "verdict"), [(False, LeakVerdict.WARN), (True, LeakVerdict.NOTE)]
)
def test_a_strong_feature_is_no_leak_and_only_an_undated_one_is_warned_of(dated, verdict):
    # given an honest feature with an AUC of about .85
    y = draw_outcomes()
    strong = 1.5 * y + np.random.default_rng(0).normal(size=N)

    found = audit_one(strong, y, dated=dated)

    found.check()
    row = get_row(found, "AUC of the feature alone")
    assert 0.80 < row.figure < 0.90
    assert row.verdict is verdict


def test_figures_are_the_published_ones_by_hand():
    # given 100 of 1000 rows converting; filled in for 80 converting and 120 other rows
    y = np.arange(1000) < 100
    filled = (np.arange(1000) < 80) | ((np.arange(1000) >= 100) & (np.arange(1000) < 220))
    values = np.where(filled, 1.0, np.nan)

    found = audit([AuditColumn("x", "x", values)], y)

    # then the empty rate is 20/800 = .025, a quarter of the base rate
    row = get_row(found, "empty-value lift")
    assert row.figure == pytest.approx(0.25)
    assert row.verdict is LeakVerdict.LEAK
    # and populated-value lift is .4 / .1, phi the correlation of the flags
    assert get_row(found, "populated-value lift").figure == pytest.approx(4)
    assert get_row(found, "missing goes with the outcome").figure == pytest.approx(
        abs(np.corrcoef(~filled, y)[0, 1])
    )


def test_dated_columns_may_be_missing_as_they_like():
    # given a demo request that few make and those mostly convert
    y = draw_outcomes()
    rng = np.random.default_rng(0)
    values = np.where(rng.random(N) < np.where(y, 0.8, 0.04), rng.random(N), np.nan)

    # then as a dated column it passes, as an undated one it is suspected
    assert not audit_one(values, y, dated=True).leaks
    assert audit_one(values, y).rows != audit_one(values, y, dated=True).rows
    assert LeakVerdict.LEAK in {row.verdict for row in audit_one(values, y).rows}


def test_snapshots_of_few_leads_are_not_taken_for_many_rows():
    # given 12 leads with 500 snapshots each, and a column fixed per lead
    lead = np.repeat(np.arange(12), 500)
    y = lead < 3
    values = np.array([3.0, 2.9, 2.8, 2.7, *range(-8, 0)])[lead]

    # then the same figure accuses only if rows are taken for leads
    assert not audit([AuditColumn("x", "x", values)], y, lead_index=lead).leaks
    assert audit([AuditColumn("x", "x", values)], y).leaks


def test_an_allowed_leak_passes_and_its_reason_is_reported():
    y = draw_outcomes()
    column = AuditColumn("x_value", "x", y.astype(float))

    by_field = audit([column], y, lead_index=LEADS, allow={"x": "quoted before the call"})
    by_feature = audit([column], y, lead_index=LEADS, allow={"x_value": "quoted"})

    by_field.check()
    by_feature.check()
    assert by_field.allowed[0].allowed_because == "quoted before the call"
    assert any("quoted before the call" in words for words in by_field.describe()["warnings"])


def test_an_allowance_needs_a_reason_and_a_leak():
    y = draw_outcomes()
    column = AuditColumn("x", "x", np.random.default_rng(0).normal(size=N))

    with pytest.raises(ReasonMissingError, match="x needs a reason"):
        audit([column], y, allow={"x": " "})
    unused = audit([column], y, allow={"typo": "because"})
    assert unused.unused_allowances == ("typo",)
    assert any("typo" in words for words in unused.describe()["warnings"])


def test_an_allowance_excuses_leaks_and_nothing_less():
    """What is merely suspicious stays on the card as such, or nobody would look at it again."""
    y = draw_outcomes()
    suspicious = AuditColumn("x", "x", 1.5 * y + np.random.default_rng(0).normal(size=N))

    found = audit([suspicious], y, lead_index=LEADS, allow={"x": "we know it in time"})

    assert get_row(found, "AUC of the feature alone").verdict is LeakVerdict.WARN
    assert found.allowed == ()
    assert found.unused_allowances == ("x",)


def test_a_field_that_is_missing_for_whoever_converts_is_a_leak_by_that_alone():
    y = draw_outcomes()
    values, _ = plant_missing_for_winners(y, np.random.default_rng(3))

    row = get_row(audit_one(values, y), "missing goes with the outcome")

    assert (row.figure, row.verdict) == (pytest.approx(1.0), LeakVerdict.LEAK)


def test_a_dozen_leads_prove_nothing_by_what_is_missing():
    y = np.arange(12) < 4
    values = np.where(np.arange(12) < 3, np.nan, np.arange(12.0))

    row = get_row(audit([AuditColumn("x", "x", values)], y), "missing goes with the outcome")

    assert row.figure > 0.8
    assert row.verdict is LeakVerdict.OK


def test_constants_and_many_categories_are_noted():
    y = draw_outcomes()
    nearly = np.zeros(N)
    nearly[:60] = 1
    many = (np.arange(N) % 300).astype(float)

    constant = get_row(audit_one(nearly, y, dated=True), "share of one value")
    crowded = get_row(
        audit_one(many, y, categories=tuple(map(str, range(300)))), "distinct values"
    )

    assert (constant.figure, constant.verdict) == (pytest.approx(0.99), LeakVerdict.NOTE)
    assert (crowded.figure, crowded.verdict) == (300, LeakVerdict.NOTE)


def test_a_column_that_moved_is_a_warning():
    y, rng = draw_outcomes(), np.random.default_rng(0)
    before = rng.normal(0, 1, N)

    moved = audit_one(before, y, later=rng.normal(9, 1, 2000))
    same = audit_one(before, y, later=rng.normal(0, 1, 2000))
    lost = audit_one(before, y, later=np.full(2000, np.nan))

    assert get_row(moved, "shift in bits").verdict is LeakVerdict.WARN
    assert get_row(same, "shift in bits").figure < 0.02
    assert get_row(lost, "change of fill rate").verdict is LeakVerdict.WARN
    assert np.isnan(get_row(lost, "shift in bits").figure)


@pytest.mark.parametrize("outcome", [False, True])
def test_one_outcome_only_accuses_nobody(outcome):
    y = np.full(N, outcome)

    found = audit(build_clean_columns(y, np.random.default_rng(0)), y, lead_index=LEADS)

    assert found.leaks == ()


def test_the_worst_feature_speaks_for_its_field():
    y, rng = draw_outcomes(), np.random.default_rng(0)
    columns = [
        AuditColumn("pages_1d", "pages", rng.normal(size=N), dated=True),
        AuditColumn("pages_7d", "pages", y.astype(float), dated=True),
        AuditColumn("age", "age", rng.normal(size=N), dated=True),
    ]

    pages, age = audit(columns, y, lead_index=LEADS).list_fields()

    assert (pages.field, pages.verdict, pages.features) == ("pages", LeakVerdict.LEAK, 2)
    assert pages.strongest_auc == 1
    assert (age.field, age.verdict) == ("age", LeakVerdict.OK)


def test_the_alarm_rings_above_eighty_five_and_names_suspects():
    assert too_good(0.85).verdict is LeakVerdict.OK
    assert too_good(float("nan")).verdict is LeakVerdict.OK
    assert too_good(0.86, ["status", "amount"]).verdict is LeakVerdict.WARN
    assert "status, amount" in too_good(0.86, ["status", "amount"]).advice


@dataclass(frozen=True)
class CatalogueFeature:
    name: str
    field: str
    dtype: str
    categories: tuple[str, ...] = ()


def test_columns_are_views_of_the_matrix_and_know_what_is_dated():
    matrix = np.zeros((5, 2), dtype=np.float32)
    features = [
        CatalogueFeature("industry", "industry", "category", ("retail",)),
        CatalogueFeature("pages_7d", "pages", "number"),
    ]

    industry, pages = build_audit_columns(features, matrix, undated_fields={"industry"})

    assert (industry.dated, industry.categories) == (False, ("retail",))
    assert (pages.dated, pages.categories) == (True, None)
    assert np.shares_memory(pages.values, matrix)


def test_the_audit_repeats_bit_for_bit():
    y = draw_outcomes()
    columns = build_clean_columns(y, np.random.default_rng(1))

    first, second = (audit(columns, y, lead_index=LEADS) for _ in range(2))

    assert repr(first.rows) == repr(second.rows)


def test_an_unmatured_label_is_refused():
    with pytest.raises(LabelError, match="not known yet"):
        audit([], [0.0, np.nan])
