"""The manual is the specs, and tells every family as the command line does."""

import math

import pytest

from features.catalog.feature import Feature
from features.contracts.records import LeadRecord
from features.guide.feature_docs import FAMILY_WORDS, NEVER_EMPTY, SAMPLES, describe_example
from features.kernel.reference import reference_row
from serving.explain.wording import describe_fact
from tests.spec.manual import PAGE, write_manual
from tests.spec.spec import CATALOG
from tests.spec.timeline import START_US

KIND_WORDS = {kind.name: kind.one for kind in CATALOG.taxonomy.kinds}


def test_the_manual_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == write_manual(), "`make docs` writes it anew"


def test_every_feature_is_named_in_the_manual():
    # Where names are joined, the whole list is folded away below the table.
    text = write_manual()
    assert [f.name for f in CATALOG.features if f"`{f.name}`" not in text] == []


def test_every_family_is_reported_in_a_line():
    assert {f.family for f in CATALOG.features} <= set(FAMILY_WORDS)


def test_what_is_stated_to_be_never_empty_has_an_answer_for_a_lead_of_whom_nothing_is_known():
    row = reference_row(CATALOG, LeadRecord("ann", START_US), START_US + 1)
    answered = {
        f.op for f, cell in zip(CATALOG.features, row, strict=True) if not math.isnan(cell)
    }
    assert answered == NEVER_EMPTY


@pytest.mark.parametrize("feature", CATALOG.features, ids=lambda f: f.name)
def test_example_sentences_are_those_of_a_reason(feature: Feature):
    value = (
        SAMPLES[feature.unit][0] if not feature.categories else float(feature.unit == "yes or no")
    )
    assert describe_example(feature, CATALOG) == describe_fact(feature, value, KIND_WORDS)
