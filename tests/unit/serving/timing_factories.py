"""A small model of the best moment whose every number can be predicted, and a bundle that has it."""

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from features.catalog.manifest import Catalog
from features.lifecycle.prices import Prices
from tests.unit.serving.factories import make_catalog, write_small_bundle
from training.bundle import TIMING, seal_bundle
from training.models.trees import TreeModel
from training.timing.models.model import (
    EXTRAS,
    Chance,
    CurveModels,
    Family,
    TimingModel,
)
from training.timing.models.served import ServedTiming
from training.timing.models.support import Neighbours

PRICING = "pricing_view_count_7d"

STUMP = {
    "objective": "regression",
    "num_leaves": 2,
    "learning_rate": 1.0,
    "min_data_in_leaf": 1,
    "min_data_in_bin": 1,
    "lambda_l2": 0.0,
    "verbose": -1,
    "num_threads": 1,
}


def make_stump(at: int, n_columns: int, below: float, above: float) -> TreeModel:
    """Make a tree that says ``below`` where a column is 0, and ``above`` where it is 1 or more."""
    x = np.zeros((40, n_columns), np.float32)
    x[20:, at] = 1.0
    y = np.where(x[:, at] > 0, above, below)
    if below == above:
        y[0] += 1e-9
    return TreeModel(lightgbm.train(STUMP, lightgbm.Dataset(x, y), 1).model_to_string())


def make_model(catalog: Catalog, **changes: Any) -> TimingModel:
    """Make a model that looks at pricing-page views of the week alone.

    With a view: P(SQL) 3/4, waiting costs 2. Without: P(SQL) 1/4, waiting brings 1.
    """
    column = catalog.names.index(PRICING)
    wide, ahead = 1 + len(EXTRAS), 2
    logit = float(np.log(3.0))
    family = Family(
        accept=Chance(make_stump(0, wide, 0.0, logit)),
        sql=Chance(make_stump(0, wide, -logit, logit)),
        gain=make_stump(0, 1, 1.0, -2.0).text,
    )
    curves = CurveModels(
        value=make_stump(0, ahead, 0.5, -0.5),
        p_sql=make_stump(0, ahead, 0.05, -0.05),
        moment=make_stump(0, ahead, 0.0, 1.0),
    )
    given: dict[str, Any] = {
        "families": (family, family),
        "curves": curves,
        "columns": (column,),
        "n_features": len(catalog.names),
        "prices": Prices(),
        "shadow_price": 0.0,
        "second_chance": (0.0, 0.0),
        "usual_load": 3.0,
        "spread": (0.2,) * 10,
        "spread_edges": tuple(np.linspace(0.1, 0.9, 9).tolist()),
        "threshold": 0.5,
        "floor": 0.0,
        "enough": True,
        "because": "Timing is learned.",
    }
    return TimingModel(**{**given, **changes})


def make_served(
    catalog: Catalog, rule: str = "timing", alike: int = 200, **changes: Any
) -> ServedTiming:
    """Make what a bundle serves; ``alike`` past handoffs were like leads with a pricing view."""
    column = catalog.names.index(PRICING)
    edges = np.array([[0.0, 1.0, 2.0]])
    bare = Neighbours((column,), (False,), edges, np.zeros((0, 1), np.float32), alike)
    rows = np.zeros((alike, len(catalog.names)), np.float32)
    rows[:, column] = 1.0
    neighbours = Neighbours(bare.columns, bare.is_category, edges, bare.rank(rows), alike)
    model = make_model(catalog, **changes)
    return ServedTiming(model, rule, f"The {rule} is served.", "hours", neighbours)


def write_timed_bundle(folder: Path, **changes: Any) -> Path:
    """Write the small bundle, with the best moment in it."""
    write_small_bundle(folder)
    for name, held in make_served(make_catalog(), **changes).files().items():
        (folder / f"{TIMING}{name}").write_bytes(held)
    seal_bundle(folder)
    return folder
