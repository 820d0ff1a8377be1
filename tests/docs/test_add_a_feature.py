"""The guide to adding a feature, followed to the letter on every engine."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.catalog.feature import Feature, Op
from features.compute.offline import Snapshots
from features.guide.feature_docs import describe_example
from tests.spec.engines import ENGINES
from tests.spec.spec import CATALOG, Spec, read_cell

GUIDE = (Path(__file__).parents[2] / "docs/how-to/add-a-feature.md").read_text(encoding="utf-8")


def follow() -> tuple[Feature, Spec]:
    """Evaluate the entry and the drawing as the guide shows them."""
    entry, drawing = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL)
    words = {"Feature": Feature, "Op": Op, "Spec": Spec}
    return eval(entry, words), eval(drawing, words)  # noqa: S307 our own page


# Not on Dask: starting workers for one drawing would take longer than all the rest.
@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "dask"])
def test_the_feature_of_the_guide_is_what_its_drawing_states(engine):
    feature, spec = follow()
    catalog = replace(CATALOG, features=(*CATALOG.features, feature))
    looks = spec.timeline.looks
    asked = Snapshots(
        np.array([look.lead for look in looks]), np.array([look.as_of for look in looks], np.int64)
    )
    found = ENGINES[engine](catalog, spec.timeline.leads, asked)[:, -1]
    cells = spec.table[1][feature.name]
    assert found.tolist() == [read_cell(feature, cell) for cell in cells]


def test_the_sentence_of_the_guide_is_the_one_that_is_stated():
    feature, _ = follow()
    assert f'"{describe_example(feature, CATALOG)}"' in GUIDE
