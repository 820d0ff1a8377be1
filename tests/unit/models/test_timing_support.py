"""How many past handoffs were like a lead: the kernel beside the plain definition."""

import numpy as np
from numpy.typing import NDArray

from training.timing.models.support import NEAR, UNLIKE, count_near

IS_CATEGORY = np.array([False, True, False])


def count_plainly(kept: NDArray[np.float32], row: NDArray[np.float32]) -> int:
    near = 0
    for other in kept:
        apart = []
        for a, b, is_category in zip(other, row, IS_CATEGORY, strict=True):
            if np.isnan(a) or np.isnan(b):
                apart.append(0.0 if np.isnan(a) and np.isnan(b) else UNLIKE)
            elif is_category:
                apart.append(float(a != b))
            else:
                apart.append(abs(float(a) - float(b)))
        near += np.mean(apart) <= NEAR
    return near


def test_the_kernel_counts_what_the_definition_counts() -> None:
    rng = np.random.default_rng(7)
    kept = (0.6 * rng.random((400, 3))).astype(np.float32)
    kept[:, 1] = rng.integers(0, 3, len(kept))
    kept[rng.random(kept.shape) < 0.1] = np.nan
    own = kept[:50] + np.float32(0.01)
    own[:, 1] = kept[:50, 1]

    counted = count_near(kept, own, IS_CATEGORY)

    assert counted.tolist() == [count_plainly(kept, row) for row in own]
    assert 0 < counted.min() < counted.max()
