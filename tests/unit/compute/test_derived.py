"""Columns made of other columns: the same alone and among others, and refused where code is missing."""

from dataclasses import replace

import numpy as np
import pytest

from features.catalog import families
from features.catalog.families import (
    FamilyNotInstalledError,
    FeatureFamily,
    FeatureFamilyError,
    find_families,
)
from features.catalog.feature import Op
from features.catalog.fit import LeadAttribute
from features.catalog.manifest import Catalog, build_catalog
from features.compute.derived import bind_formulas, check_as_before, check_row_by_row
from features.compute.offline import Snapshots
from features.taxonomy import default_taxonomy
from tests.plugin_example.example_plugin import features as example
from tests.spec.engines import ENGINES
from tests.spec.timeline import read_timeline

RATIO = "actions_per_visit"


class Entry:
    """As `importlib.metadata` describes an installed package's entry point."""

    class dist:  # noqa: N801 - as it is called there
        name, version = "their-package", "1.0"

    def __init__(self, name, family):
        self.name, self._family = name, family

    def load(self):
        if isinstance(self._family, Exception):
            raise self._family
        return self._family


@pytest.fixture
def install(monkeypatch):
    def put(*entries: Entry) -> None:
        monkeypatch.setattr(families, "entry_points", lambda **_asked: entries)
        for cached in (families._find_entries, families._load, bind_formulas):
            cached.cache_clear()

    yield put
    monkeypatch.undo()
    put_back = (families._find_entries, families._load, bind_formulas)
    for cached in put_back:
        cached.cache_clear()


def build(attributes: tuple[LeadAttribute, ...] = ()) -> Catalog:
    return build_catalog(default_taxonomy(), attributes, families=find_families())


def family(formula=None, **changes) -> FeatureFamily:
    """Make the example's family with another formula, or another derived entry."""
    plain, derived = example.list_features(None, ())
    return FeatureFamily(
        lambda _taxonomy, _attributes: [plain, replace(derived, **changes)],
        {RATIO: formula or example.divide},
    )


LEADS = read_timeline("""
    days | 0123456789
    ann  | xxp...x.
    bob  | ....x
    dee, created | *
    look |         A
""")
LOOKS = Snapshots(np.arange(3), np.full(3, LEADS.looks[0].as_of))


@pytest.mark.parametrize("engine", ["reference", "compiled", "offline", "streamed", "online"])
def test_every_engine_computes_a_formula_of_other_columns(install, engine):
    install(Entry("ratios", example.RATIOS))
    catalog = build()
    rows = ENGINES[engine](catalog, LEADS.leads, LOOKS)
    at = catalog.names.index
    # Four actions on four days, one on one day, and a lead nobody has seen yet.
    np.testing.assert_array_equal(rows[:, at("engagement_days_14d")], [4, 1, 0])
    np.testing.assert_array_equal(rows[:, at(RATIO)], [1.0, 1.0, np.nan])


def test_a_catalogue_read_from_a_manifest_asks_for_the_same_formula(install):
    install(Entry("ratios", example.RATIOS))
    catalog = build()
    again = Catalog.from_json(catalog.to_json())
    assert again == catalog
    (derived,) = bind_formulas(again)
    assert derived.feature.inputs == ("engagement_count_30d", "sessions_30d")
    assert derived.feature.family == "ratios"


def test_a_family_that_is_not_installed_is_asked_for_in_words(install):
    install(Entry("ratios", example.RATIOS))
    manifest = build().to_json()
    install()
    with pytest.raises(FamilyNotInstalledError, match="'ratios', which computes 'actions_per_vis"):
        bind_formulas(Catalog.from_json(manifest))
    with pytest.raises(FamilyNotInstalledError, match="'ratios' is not installed here"):
        find_families(["ratios"])
    assert find_families([]) == ()


def test_what_is_derived_from_a_field_left_out_is_left_out(install):
    asks = family(inputs=("employees", "sessions_30d"))
    install(Entry("ratios", asks))
    assert RATIO in build((LeadAttribute("employees", "number"),)).names
    assert RATIO not in build().names
    assert "engagement_days_14d" in build().names


def scale_by_mean(actions, _visits):
    return actions / actions.mean()


def test_a_formula_that_looks_at_other_rows_is_refused(install):
    install(Entry("ratios", family(scale_by_mean)))
    catalog = build()
    rows = ENGINES["compiled"](catalog, LEADS.leads, LOOKS)
    with pytest.raises(FeatureFamilyError, match="among other rows than for a row alone"):
        check_row_by_row(catalog, rows)


def test_a_formula_that_has_changed_is_refused(install):
    install(Entry("ratios", example.RATIOS))
    catalog = build()
    rows = ENGINES["compiled"](catalog, LEADS.leads, LOOKS)
    check_as_before(catalog, rows)
    check_row_by_row(catalog, rows)
    install(Entry("ratios", family(lambda actions, visits: visits / actions * 2.0)))
    with pytest.raises(FeatureFamilyError, match="here than where the model was trained"):
        check_as_before(catalog, rows)


@pytest.mark.parametrize(
    ("formula", "output"),
    [
        (lambda actions, _visits: actions[:1], "gives shape"),
        (lambda actions: actions, "fails to compute 'actions_per_visit'"),
        (lambda _actions, _visits: "many", "fails to compute"),
    ],
)
def test_a_formula_that_fails_is_refused_by_name(install, formula, output):
    install(Entry("ratios", family(formula)))
    with pytest.raises(FeatureFamilyError, match=output):
        ENGINES["compiled"](build(), LEADS.leads, LOOKS)


def test_infinite_counts_as_not_known(install):
    install(Entry("ratios", family(lambda actions, _visits: actions / 0.0)))
    catalog = build()
    rows = ENGINES["compiled"](catalog, LEADS.leads, LOOKS)
    assert np.isnan(rows[:, catalog.names.index(RATIO)]).all()


def misnamed() -> FeatureFamily:
    return FeatureFamily(example.list_features, {"of_nothing": example.divide})


@pytest.mark.parametrize(
    ("name", "brought", "output"),
    [
        ("ratios", ImportError("no module"), "cannot be imported: no module"),
        ("ratios", example.list_features, "is a function, not a FeatureFamily"),
        ("ratios", misnamed(), "a formula for each derived feature"),
        ("ratios", family(inputs=()), "must name inputs of derived features only"),
        ("sessions", example.RATIOS, "has the name of a family of Baton"),
    ],
)
def test_a_family_that_is_no_good_is_refused(install, name, brought, output):
    install(Entry(name, brought))
    with pytest.raises(FeatureFamilyError, match=output):
        build()


def test_two_packages_may_not_bring_the_same_family(install):
    install(*[Entry("ratios", example.RATIOS)] * 2)
    with pytest.raises(FeatureFamilyError, match="brought by two packages"):
        build()


def test_without_packages_the_catalogue_is_that_of_baton(install):
    install()
    assert build() == build_catalog(default_taxonomy(), ())
    assert not any(f.op is Op.DERIVED or f.inputs for f in build().features)
