"""SHAP interaction values of LightGBM trees: which features say together what neither says alone.

Within one leaf the game is a product over the features of its path (see `training.models.trees`),
so the Shapley interaction index of two of them is an integral too (Grabisch & Roubens 1999; halved
between the two orders as in Lundberg et al. 2020, eq. 5):

    phi_ij = v / 2 * (o_i - z_i) * (o_j - z_j) * integral of prod_{k != i, j} (z_k + u (o_k - z_k)) du.

What a feature says alone is on the diagonal, so that every row of the matrix sums to the feature's
SHAP value. Written here because shap 0.51 reads the categories of LightGBM as thresholds: on such
models the rows of its matrix do not sum to its own SHAP values (shap issue 1644, open since 2020).
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from training.models.fit_data import Model
from training.models.segmented import SegmentedModel
from training.models.trees import N_POINTS, Forest, TreeModel, build_quadrature, goes_left, in_bits

AT_ONCE = 64
"""Rows whose matrices exist at one time."""


class Path(NamedTuple):
    """The features on the way to one leaf, nearest to the leaf first; room for the longest."""

    feature: NDArray[np.int64]
    cover: NDArray[np.float64]  # product of the cover ratios of the feature's splits
    followed: NDArray[np.bool_]  # whether the row goes the leaf's way at all of them
    factor: NDArray[np.float64]  # (longest, n_points)


@njit(cache=True, nogil=True)
def _follow(
    forest: Forest, first: int, end: int, row: NDArray[np.float32], follows: NDArray[np.bool_]
) -> None:
    """Tell for each edge of a tree whether the row takes it."""
    for node in range(first + 1, end):
        p = forest.parent[node]
        x = np.float64(row[forest.edge_feature[node]])
        if forest.categorical[p]:
            left = in_bits(forest.cat_words, forest.cat_start[p], forest.cat_end[p], x)
        else:
            left = goes_left(x, forest.threshold[p], forest.missing[p], forest.default_left[p])
        follows[node] = left == forest.is_left[node]


@njit(cache=True, nogil=True)
def _walk_up(
    parent: NDArray[np.int64],
    edge_feature: NDArray[np.int64],
    cover: NDArray[np.float64],
    follows: NDArray[np.bool_],
    leaf: int,
    path: Path,
) -> int:
    """Note the features from a leaf to the root; give their number."""
    n, node = 0, leaf
    while parent[node] >= 0:
        at = 0
        while at < n and path.feature[at] != edge_feature[node]:
            at += 1
        if at == n:  # met first from below: its cover is already that of all its splits
            path.feature[n], path.cover[n], path.followed[n] = (
                edge_feature[node],
                cover[node],
                True,
            )
            n += 1
        path.followed[at] = path.followed[at] and follows[node]
        node = parent[node]
    return n


@njit(cache=True, nogil=True)
def _add_pairs(
    n: int,
    path: Path,
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    value: float,
    phi: NDArray[np.float64],
) -> None:
    """Add what one leaf says by each pair of its features."""
    feature, cover, followed, factor = path.feature, path.cover, path.followed, path.factor
    product = weights.copy()
    for at in range(n):
        for q in range(N_POINTS):
            factor[at, q] = cover[at] * (1.0 - points[q]) + followed[at] * points[q]
            product[q] *= factor[at, q]
    for i in range(n):
        for j in range(i):
            total = 0.0
            for q in range(N_POINTS):
                total += product[q] / (factor[i, q] * factor[j, q])
            total *= 0.5 * value * (followed[i] - cover[i]) * (followed[j] - cover[j])
            phi[feature[i], feature[j]] += total
            phi[feature[j], feature[i]] += total


@njit(cache=True, nogil=True)
def add_interactions(
    forest: Forest,
    points: NDArray[np.float64],
    weights: NDArray[np.float64],
    rows: NDArray[np.float32],
    phi: NDArray[np.float64],
) -> None:
    """Add each row's interaction values, in margin, to ``phi``; the diagonal is left alone.

    Parameters
    ----------
    forest
        From ``read_forest``.
    points, weights : ndarray of shape (n_points,), float64
        Of the quadrature on [0, 1].
    rows : ndarray of shape (n_rows, n_features), float32
    phi : ndarray of shape (n_rows, n_features, n_features), float64
    """
    tree_start, parent, feature = forest.tree_start, forest.parent, forest.feature
    edge_feature, cover, leaf_value = forest.edge_feature, forest.cover, forest.leaf_value
    n_nodes = parent.shape[0]
    follows = np.zeros(n_nodes, np.bool_)
    path = Path(
        np.empty(n_nodes, np.int64),
        np.empty(n_nodes),
        np.empty(n_nodes, np.bool_),
        np.empty((n_nodes, N_POINTS)),
    )
    for r in range(rows.shape[0]):
        for t in range(tree_start.shape[0] - 1):
            _follow(forest, tree_start[t], tree_start[t + 1], rows[r], follows)
            for leaf in range(tree_start[t], tree_start[t + 1]):
                if feature[leaf] < 0:
                    n = _walk_up(parent, edge_feature, cover, follows, leaf, path)
                    _add_pairs(n, path, points, weights, leaf_value[leaf], phi[r])


def compute_interactions(model: Model, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute SHAP interaction values in margin.

    Returns
    -------
    ndarray of shape (n_rows, n_features, n_features), float64
        Symmetric; each row sums to the feature's SHAP value. Half a megabyte per row of 243
        features: give few rows at a time.
    """
    rows = np.ascontiguousarray(rows, np.float32)
    n_rows, n_features = rows.shape
    phi = np.zeros((n_rows, n_features, n_features))
    _add_apart(model, rows, phi)
    diagonal = np.arange(n_features)
    phi[:, diagonal, diagonal] = model.contributions(rows) - phi.sum(axis=2)
    return phi


def has_interactions(model: Model) -> bool:
    """Tell whether there are trees in it: all else adds up one term per feature."""
    if isinstance(model, SegmentedModel):
        return any(
            has_interactions(own) for own in (model.everyone, *(p.model for p in model.parts))
        )
    return isinstance(model, TreeModel)


def _add_apart(model: Model, rows: NDArray[np.float32], phi: NDArray[np.float64]) -> None:
    """Add what is off the diagonal: each row's own model decides."""
    if isinstance(model, TreeModel):
        add_interactions(model.forest, *build_quadrature(), rows, phi)
    elif isinstance(model, SegmentedModel):
        left = np.ones(len(rows), np.bool_)
        for part in model.parts:
            own = left & part.members(rows)
            phi[own] = part.factor * _apart(part.model, rows[own])
            left &= ~own
        phi[left] = _apart(model.everyone, rows[left])


def _apart(model: Model, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    phi = np.zeros((*rows.shape, rows.shape[1]))
    _add_apart(model, rows, phi)
    return phi


def measure_strength(
    model: Model, rows: NDArray[np.float32], owner: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure how strongly features, and groups of them, interact: mean absolute size, in margin.

    Parameters
    ----------
    owner : ndarray of shape (n_features,), int64
        The group of each feature, from 0.

    Returns
    -------
    by_feature : ndarray of shape (n_features, n_features), float64
    by_group : ndarray of shape (n_groups, n_groups), float64
        Symmetric. Off the diagonal both orders of a pair are counted, so it is the whole of what
        the two say together; on it is what each says by itself.
    """
    member = np.eye(int(owner.max()) + 1)[owner]
    by_feature = np.zeros((len(owner), len(owner)))
    by_group = np.zeros((member.shape[1], member.shape[1]))
    for start in range(0, len(rows), AT_ONCE):
        phi = compute_interactions(model, rows[start : start + AT_ONCE])
        by_feature += np.abs(phi).sum(axis=0)
        by_group += np.abs(member.T @ phi @ member).sum(axis=0)
    return _both_orders(by_feature) / max(1, len(rows)), _both_orders(by_group) / max(1, len(rows))


def _both_orders(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((2.0 - np.eye(len(strength))) * strength, np.float64)
