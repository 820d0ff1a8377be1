"""Compile every kernel of the house: ``python -m training.warm``, once per environment.

numba keeps the machine code beside the sources; later processes only load it.
"""

import numpy as np

from features.compute.warm import warm
from features.sources.warm import warm_import
from training.models.interactions import compute_interactions
from training.models.linear import LinearModel, Term
from training.models.trees import TreeModel
from training.timing.models.curve import walk_ahead
from training.timing.models.log_value import walk_scored
from training.timing.models.stopping import walk_back
from training.timing.models.support import count_near

_ONE_SPLIT = """tree
Tree=0
num_leaves=2
num_cat=0
split_feature=0
threshold=0.5
decision_type=2
left_child=-1
right_child=-2
leaf_value=-0.1 0.1
leaf_count=5 5
internal_count=10
is_linear=0

end of trees
"""


def warm_timing() -> None:
    """Run the kernels that follow paths on one of a single day."""
    none, day = np.zeros(1, np.bool_), np.zeros(1)
    at = np.zeros(1, np.int64)
    walk_back(none, day, day, day, day, none)
    walk_scored(none, none, none, day, day, day, none, at, 1)
    walk_ahead(none, at, at, none, at, at)
    ranks = np.zeros((1, 1), np.float32)
    count_near(ranks, ranks, none)


def warm_all() -> None:
    """Run the feature kernel, an import and the kernels of both models on next to nothing."""
    warm()
    warm_import()
    row = np.zeros((1, 1), np.float32)
    trees = TreeModel(_ONE_SPLIT)
    trees.contributions(row)
    trees.margins(row)
    compute_interactions(trees, row)
    warm_timing()
    LinearModel(0.0, 1, {0: Term(0.0, 1.0, 1.0, 0.0, (), 0.0)}).contributions(row)


if __name__ == "__main__":
    warm_all()
