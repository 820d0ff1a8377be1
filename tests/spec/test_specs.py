"""Every statement of the manual holds on every engine."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pytest

from features.catalog.feature import Feature, Op
from features.compute.offline import Snapshots
from features.contracts.records import LeadRecord
from tests.spec.chapters import CHAPTERS
from tests.spec.engines import ENGINES, Rows
from tests.spec.shapes import shape_of
from tests.spec.spec import CATALOG, FEATURES, Spec

SPECS = {f"{c.title}: {spec.statement}": spec for c in CHAPTERS for spec in c.specs}


@dataclass(frozen=True)
class Asked:
    """The leads of all drawings together, and which rows of the answer belong to which."""

    leads: tuple[LeadRecord, ...]
    looks: Snapshots
    rows: dict[str, range]


@lru_cache(maxsize=1)
def ask_all() -> Asked:
    """Put all drawings into one question: their leads must not see one another."""
    leads: list[LeadRecord] = []
    lead_index: list[int] = []
    as_of: list[int] = []
    rows = {}
    for number, (title, spec) in enumerate(SPECS.items()):
        own = spec.timeline
        rows[title] = range(len(as_of), len(as_of) + len(own.looks))
        lead_index += [len(leads) + look.lead for look in own.looks]
        as_of += [look.as_of for look in own.looks]
        leads += [numbered(lead, number) for lead in own.leads]
    looks = Snapshots(np.array(lead_index, np.int64), np.array(as_of, np.int64))
    return Asked(tuple(leads), looks, rows)


def numbered(lead: LeadRecord, number: int) -> LeadRecord:
    """Tell leads and accounts of one drawing from those of another that have the same name."""
    return lead._replace(
        lead_id=f"{number} {lead.lead_id}",
        versions=tuple(
            v._replace(account_id=v.account_id and f"{number} {v.account_id}")
            for v in lead.versions
        ),
        colleagues=lead.colleagues
        and tuple(numbered(colleague, number) for colleague in lead.colleagues),
    )


@pytest.fixture(scope="session")
def answers() -> Callable[[str], Rows]:
    """Ask each engine once."""

    @lru_cache
    def answer(engine: str) -> Rows:
        asked = ask_all()
        return ENGINES[engine](CATALOG, asked.leads, asked.looks)

    return answer


@pytest.mark.parametrize("statement", SPECS)
@pytest.mark.parametrize("engine", ENGINES)
def test_what_the_manual_states_holds(engine, statement, answers):
    spec, rows = SPECS[statement], ask_all().rows[statement]
    found = {
        look.name: answers(engine)[row]
        for look, row in zip(spec.timeline.looks, rows, strict=True)
    }
    for (look, feature), expected in spec.expected().items():
        cell = found[look][CATALOG.names.index(feature)]
        assert cell == pytest.approx(expected, rel=1e-6, abs=1e-7, nan_ok=True), (look, feature)


@pytest.mark.parametrize("engine", sorted(ENGINES.keys() - {"reference"}))
def test_the_compiled_engines_agree_bit_for_bit(engine, answers):
    found, compiled = (answers(name).astype(np.float32) for name in (engine, "compiled"))
    assert found.tobytes() == compiled.tobytes()


def spoken(features: Callable[[Feature], object]) -> set[object]:
    return {features(FEATURES[name]) for spec in SPECS.values() for name in spec.feature_names}


def test_every_operation_has_a_spec():
    # A derived feature has the meaning its package gives it: tests/plugin_example draws one.
    assert spoken(lambda f: f.op) == set(Op) - {Op.DERIVED}


def test_every_family_has_a_chapter_and_every_chapter_speaks_of_its_family():
    families = {f.family for f in CATALOG.features}
    result = {
        c.title: {FEATURES[n].family for s in c.specs for n in s.feature_names} for c in CHAPTERS
    }
    assert families <= set(result)
    for family in families:
        assert family in result[family]


def test_every_feature_has_a_spec():
    # A new entry of the catalogue without a drawing ends here.
    unspoken = {f.name for f in CATALOG.features if shape_of(f) not in spoken(shape_of)}
    assert not unspoken


@pytest.mark.parametrize("statement", SPECS)
def test_every_lead_and_look_of_a_drawing_has_its_column(statement):
    spec: Spec = SPECS[statement]
    assert set(spec.table[0]) == {look.name for look in spec.timeline.looks}
