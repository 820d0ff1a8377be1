"""LightGBM trees without LightGBM: read the text model, add up scores and reasons.

SHAP values are those of path-dependent TreeSHAP (Lundberg et al. 2020, *Nature Machine
Intelligence* 2, eq. 1 with the tree's own cover as background): the same numbers as LightGBM's
``pred_contrib``. They are computed by quadrature: within one leaf the game is a product over the
features of its path, so a Shapley value is the integral over u in [0, 1] of a polynomial, and
Gauss-Legendre quadrature gives it exactly (arXiv 2605.04497; XGBoost since 2026).

For a leaf of value v and the features j of its path, let ``z_j`` be the product of cover ratios of
j's splits, and ``o_j`` 1 if the row follows all of them, else 0. Then

    phi_i = v * (o_i - z_i) * integral of prod_{j != i} (z_j + u (o_j - z_j)) du.

Walking down, ``path[q]`` is the product at quadrature point q; walking up, ``below[q]`` sums it
over the leaves below. Each edge adds its own factor's share and takes back that of the same
feature's previous edge on the path, so the sum over edges telescopes to the formula above.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from training.errors import UnsupportedTreeError

N_POINTS, FEW_POINTS = 8, 4
"""n points are exact up to 2n different features on one path, and eight measured exact to 1e-13 at
20: the integrands are tame. Four, where they are exact, read half of the memory; nearly every tree
is of that kind, so each has its own number."""

ZERO = 1e-35
"""What LightGBM takes for zero (kZeroThreshold)."""


class Forest(NamedTuple):
    """All trees of a model, nodes in depth-first order, one tree after the other."""

    tree_start: NDArray[np.int64]  # (n_trees + 1,)
    parent: NDArray[np.int64]  # (n_nodes,) -1 at a root
    is_left: NDArray[np.bool_]  # the edge from the parent
    feature: NDArray[np.int64]  # split feature; -1 at a leaf
    threshold: NDArray[np.float64]
    categorical: NDArray[np.bool_]
    default_left: NDArray[np.bool_]
    missing: NDArray[np.int64]  # 0 none, 1 zero is missing, 2 NaN is missing
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    cat_start: NDArray[np.int64]  # words of the category bit set: cat_words[start:end]
    cat_end: NDArray[np.int64]
    cat_words: NDArray[np.uint32]
    leaf_value: NDArray[np.float64]
    edge_feature: NDArray[np.int64]  # feature of the split above; -1 at a root
    above: NDArray[np.int64]  # nearest edge above on the same feature; -1 if none
    cover: NDArray[np.float64]  # product of cover ratios of that feature down to here
    n_points: NDArray[np.int64]  # (n_trees,) FEW_POINTS or N_POINTS
    table: NDArray[np.int64]  # (n_nodes,) row of the node in the tables of its tree's points
    few_step: NDArray[np.float64]  # (n, 3, FEW_POINTS) factor of the path product, see _tables
    few_term: NDArray[np.float64]  # (n, 3, FEW_POINTS) weighted share of the edge, see _tables
    step: NDArray[np.float64]  # (n, 3, N_POINTS) the same of trees with long paths
    term: NDArray[np.float64]
    nodes: NDArray[np.void]  # (n_nodes,) of NODE: what a margin needs of a node, side by side
    bias: float  # expected margin
    constant: float  # margin of trees that have no split


DERIVED = frozenset(
    {
        "tree_start",
        "cat_words",
        "n_points",
        "table",
        "few_step",
        "few_term",
        "step",
        "term",
        "nodes",
        "bias",
        "constant",
    }
)

NODE = np.dtype(
    [
        ("threshold", np.float64),  # at a leaf: its value
        ("feature", np.int32),
        ("left", np.int32),
        ("right", np.int32),
        ("cat_start", np.int32),
        ("cat_end", np.int32),
        ("missing", np.uint8),
        ("categorical", np.bool_),
        ("default_left", np.bool_),
    ],
    align=True,
)
"""A node in 32 bytes: a path of ten nodes then touches ten lines of memory instead of fifty."""


def _sections(model: str) -> list[dict[str, str]]:
    trees: list[dict[str, str]] = []
    for block in model.split("\nTree=")[1:]:
        lines = (line.partition("=") for line in block.split("end of trees")[0].splitlines())
        trees.append({key: value for key, _, value in lines})
    return trees


def build_quadrature(
    n_points: int = N_POINTS,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss-Legendre points and weights on [0, 1]."""
    points, weights = np.polynomial.legendre.leggauss(n_points)
    return (points + 1.0) / 2.0, weights / 2.0


def _tables(
    cover: NDArray[np.float64],
    above: NDArray[np.int64],
    nodes: NDArray[np.int64],
    n_points: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Work out what an edge does to the path product and what it adds to its feature.

    An edge is in one of three states: 0 the row follows the feature's splits down to here, 1 it
    left them at this very edge, 2 it had left them before. Nothing else depends on the row, so
    the divisions happen here, once per model.
    """
    u, weights = build_quadrature(n_points)
    z = cover[nodes][:, None]
    first = (above[nodes] < 0)[:, None]
    z0 = np.where(first, 1.0, cover[above[nodes]][:, None])
    on, off = z + u * (1.0 - z), z * (1.0 - u)
    on0, off0 = z0 + u * (1.0 - z0), z0 * (1.0 - u)
    step = np.stack([on / on0, off / on0, off / off0], axis=1)
    gone = np.broadcast_to(-1.0 / (1.0 - u), on.shape)
    term = np.stack(
        [(1.0 - z) / on - (1.0 - z0) / on0, gone - (1.0 - z0) / on0, np.zeros_like(on)], axis=1
    )
    return np.ascontiguousarray(step), np.ascontiguousarray(term * weights)


class _Tree:
    """One tree's section of the text model; a negative child is the leaf ``~child``."""

    def __init__(self, section: dict[str, str], word_offset: int) -> None:
        def read(key: str) -> NDArray[np.float64]:
            return np.array(section[key].split(), np.float64)

        self.leaf_value = read("leaf_value")
        self.is_constant = int(section["num_leaves"]) == 1
        self.expected = float(self.leaf_value[0])
        self.cat_words: list[int] = []
        if self.is_constant:
            return
        self.split_feature, self.threshold = read("split_feature"), read("threshold")
        self.decision = read("decision_type").astype(np.int64)
        self.left_child = read("left_child").astype(np.int64)
        self.right_child = read("right_child").astype(np.int64)
        self.leaf_count, self.internal_count = read("leaf_count"), read("internal_count")
        self.expected = float(self.leaf_value @ self.leaf_count / self.leaf_count.sum())
        self.cat_bounds = np.zeros(1)
        if int(section["num_cat"]) > 0:
            self.cat_bounds = read("cat_boundaries") + word_offset
            self.cat_words = [int(word) for word in section["cat_threshold"].split()]

    def _count(self, child: int) -> float:
        return float(self.leaf_count[~child] if child < 0 else self.internal_count[child])

    def children(self, child: int) -> list[tuple[int, bool, float]]:
        """List a split's children, right before left, with their share of its rows."""
        if child < 0:
            return []
        below = ((int(self.right_child[child]), False), (int(self.left_child[child]), True))
        return [(c, to_left, self._count(c) / self._count(child)) for c, to_left in below]

    def cells(self, child: int) -> dict[str, float]:
        """Describe a node by itself, without the edge above it."""
        if child < 0:
            return {"feature": -1, "leaf_value": float(self.leaf_value[~child])}
        kind = int(self.decision[child])
        categorical = kind & 1
        index = int(self.threshold[child]) if categorical else 0
        return {
            "feature": self.split_feature[child],
            "threshold": self.threshold[child],
            "categorical": categorical,
            "default_left": kind & 2,
            "missing": (kind >> 2) & 3,
            "cat_start": self.cat_bounds[index] if categorical else 0,
            "cat_end": self.cat_bounds[index + 1] if categorical else 0,
        }


class _Builder:
    """Collects the nodes of all trees."""

    def __init__(self) -> None:
        self.columns: dict[str, list[float]] = {
            name: [] for name in Forest._fields if name not in DERIVED
        }
        self.cat_words: list[int] = []
        self.tree_start = [0]
        self.bias = self.constant = 0.0

    def _node(self, **cells: float) -> int:
        for name, column in self.columns.items():
            column.append(cells.get(name, 0))
        return len(self.columns["parent"]) - 1

    def _edge(self, parent: int, is_left: bool, ratio: float) -> dict[str, float]:
        if parent < 0:
            return {"parent": -1, "is_left": 0, "edge_feature": -1, "above": -1, "cover": 1.0}
        feature = self.columns["feature"][parent]
        above = parent
        while above >= 0 and self.columns["edge_feature"][above] != feature:
            above = int(self.columns["parent"][above])
        so_far = self.columns["cover"][above] if above >= 0 else 1.0
        return {
            "parent": parent,
            "is_left": is_left,
            "edge_feature": feature,
            "above": above,
            "cover": so_far * ratio,
        }

    def add_tree(self, section: dict[str, str]) -> None:
        """Add one tree's nodes depth first, so that a parent always comes before its children."""
        if section.get("is_linear", "0") != "0":
            raise UnsupportedTreeError("has linear leaves")
        tree = _Tree(section, len(self.cat_words))
        self.bias += tree.expected
        if tree.is_constant:
            self.constant += tree.expected
            return
        self.cat_words += tree.cat_words
        todo = [(0, -1, False, 1.0)]
        while todo:
            child, parent, is_left, ratio = todo.pop()
            node = self._node(**tree.cells(child), **self._edge(parent, is_left, ratio))
            if parent >= 0:
                self.columns["left" if is_left else "right"][parent] = node
            todo += [(below, node, to_left, r) for below, to_left, r in tree.children(child)]
        self.tree_start.append(len(self.columns["parent"]))

    def forest(self) -> Forest:
        """Freeze what was collected."""
        types = Forest.__annotations__
        arrays: dict[str, Any] = {
            name: np.array(column, _dtype_of(str(types[name])))
            for name, column in self.columns.items()
        }
        tree_start = np.array(self.tree_start, np.int64)
        n_points = _count_points(tree_start, arrays["parent"], arrays["above"])
        by_node = np.repeat(n_points, np.diff(tree_start))
        table, tables = np.zeros(len(by_node), np.int64), {}
        for n in (FEW_POINTS, N_POINTS):
            nodes = np.flatnonzero(by_node == n)
            table[nodes] = np.arange(len(nodes))
            tables[n] = _tables(arrays["cover"], arrays["above"], nodes, n)
        return Forest(
            tree_start=tree_start,
            n_points=n_points,
            table=table,
            cat_words=np.array(self.cat_words or [0], np.uint32),
            few_step=tables[FEW_POINTS][0],
            few_term=tables[FEW_POINTS][1],
            step=tables[N_POINTS][0],
            term=tables[N_POINTS][1],
            nodes=_pack_nodes(arrays),
            bias=self.bias,
            constant=self.constant,
            **arrays,
        )


def _count_points(
    tree_start: NDArray[np.int64], parent: NDArray[np.int64], above: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Choose how many points integrate every path of each tree exactly."""
    different = np.zeros(len(parent), np.int64)
    for node, p in enumerate(parent.tolist()):
        if p >= 0:
            different[node] = different[p] + (above[node] < 0)
    starts = tree_start[:-1]
    longest = np.maximum.reduceat(different, starts) if len(starts) else different
    return np.where(longest <= 2 * FEW_POINTS, FEW_POINTS, N_POINTS).astype(np.int64)


def _pack_nodes(arrays: dict[str, Any]) -> NDArray[np.void]:
    nodes = np.zeros(len(arrays["feature"]), NODE)
    for name in NODE.names or ():
        nodes[name] = arrays[name]
    is_leaf = arrays["feature"] < 0
    nodes["threshold"][is_leaf] = arrays["leaf_value"][is_leaf]
    return nodes


def _dtype_of(annotation: str) -> type:
    for name, dtype in (("bool", np.bool_), ("int64", np.int64), ("float64", np.float64)):
        if name in annotation:
            return dtype
    raise TypeError(annotation)


def read_forest(model: str) -> Forest:
    """Read LightGBM's text model.

    Raises
    ------
    UnsupportedTreeError
        If its leaves are linear models: their reasons do not add up this way.
    """
    builder = _Builder()
    for section in _sections(model):
        builder.add_tree(section)
    return builder.forest()


@njit(cache=True, nogil=True, inline="always")
def in_bits(words: NDArray[np.uint32], first: int, end: int, x: float) -> bool:
    """Tell whether a category is in a split's bit set; missing and unseen ones are not."""
    found = False
    if x >= 0.0:
        code = int(x)
        word = first + code // 32
        if word < end:
            found = bool((words[word] >> np.uint32(code % 32)) & np.uint32(1))
    return found


@njit(cache=True, nogil=True, inline="always")
def goes_left(x: float, threshold: float, missing: int, default_left: bool) -> bool:
    """Follow a numerical split, by LightGBM's rules for missing values."""
    is_nan = np.isnan(x)
    if (is_nan and missing == 2) or (missing == 1 and (is_nan or -ZERO <= x <= ZERO)):
        left = default_left
    elif is_nan:
        left = threshold >= 0.0
    else:
        left = x <= threshold
    return left


@njit(cache=True, nogil=True, inline="always")
def _walk(
    forest: Forest,
    n_points: int,
    step: NDArray[np.float64],
    term: NDArray[np.float64],
    rows: NDArray[np.float32],
    phi: NDArray[np.float64],
) -> None:
    """Walk the trees of so many points down and up; the number is a constant to the compiler."""
    # Every array is taken from its tuple once: numba counts references on each taking.
    tree_start, points_of = forest.tree_start, forest.n_points
    parent, above, table = forest.parent, forest.above, forest.table
    is_left, feature, edge_feature = forest.is_left, forest.feature, forest.edge_feature
    threshold, missing, default_left = forest.threshold, forest.missing, forest.default_left
    categorical, cat_words = forest.categorical, forest.cat_words
    cat_start, cat_end = forest.cat_start, forest.cat_end
    left_of, right_of, leaf_value = forest.left, forest.right, forest.leaf_value
    largest = 1
    for t in range(tree_start.shape[0] - 1):
        largest = max(largest, tree_start[t + 1] - tree_start[t])
    path = np.empty((largest, n_points))
    state = np.zeros(largest, np.int64)
    # Trees outside, rows inside: a tree's tables stay in the cache while the rows pass.
    for t in range(tree_start.shape[0] - 1):
        if points_of[t] != n_points:
            continue
        first, end = tree_start[t], tree_start[t + 1]
        for r in range(rows.shape[0]):
            # Down: the product along the path to every node.
            path[0, :] = 1.0
            for node in range(first + 1, end):
                i, p, a, at = node - first, parent[node], above[node], table[node]
                if a >= 0 and state[a - first] != 0:
                    state[i] = 2
                else:
                    x = np.float64(rows[r, edge_feature[node]])
                    if categorical[p]:
                        goes = in_bits(cat_words, cat_start[p], cat_end[p], x)
                    else:
                        goes = goes_left(x, threshold[p], missing[p], default_left[p])
                    state[i] = 0 if goes == is_left[node] else 1
                for q in range(n_points):
                    path[i, q] = path[p - first, q] * step[at, state[i], q]
            # Up: sums over the leaves below, and each edge's share for its feature.
            for node in range(end - 1, first - 1, -1):
                i, at = node - first, table[node]
                if feature[node] < 0:
                    for q in range(n_points):
                        path[i, q] *= leaf_value[node]
                else:
                    left, right = left_of[node] - first, right_of[node] - first
                    for q in range(n_points):
                        path[i, q] = path[left, q] + path[right, q]
                if node > first and state[i] != 2:
                    share = 0.0
                    for q in range(n_points):
                        share += path[i, q] * term[at, state[i], q]
                    phi[r, edge_feature[node]] += share


@njit(cache=True, nogil=True)
def add_contributions(forest: Forest, rows: NDArray[np.float32], phi: NDArray[np.float64]) -> None:
    """Add each row's SHAP values, in margin (log-odds), to ``phi``.

    Parameters
    ----------
    forest
        From ``read_forest``.
    rows : ndarray of shape (n_rows, n_features), float32
    phi : ndarray of shape (n_rows, n_features), float64
        ``forest.bias + phi.sum(axis=1)`` is the margin.
    """
    _walk(forest, FEW_POINTS, forest.few_step, forest.few_term, rows, phi)
    if forest.step.shape[0]:
        _walk(forest, N_POINTS, forest.step, forest.term, rows, phi)


@njit(cache=True, nogil=True)
def add_margins(
    nodes: NDArray[np.void],
    cat_words: NDArray[np.uint32],
    tree_start: NDArray[np.int64],
    rows: NDArray[np.float32],
    margin: NDArray[np.float64],
) -> None:
    """Add up the leaves that each row falls into: the margin, without reasons and far cheaper.

    Parameters
    ----------
    nodes, cat_words, tree_start
        Of a `Forest`: to hand over all of it takes longer than to walk a small one.
    rows : ndarray of shape (n_rows, n_features), float32
    margin : ndarray of shape (n_rows,), float64
    """
    for t in range(tree_start.shape[0] - 1):
        root = tree_start[t]
        for r in range(rows.shape[0]):
            node = nodes[root]
            while node["feature"] >= 0:
                x = np.float64(rows[r, node["feature"]])
                if node["categorical"]:
                    goes = in_bits(cat_words, node["cat_start"], node["cat_end"], x)
                else:
                    goes = goes_left(x, node["threshold"], node["missing"], node["default_left"])
                node = nodes[node["left"]] if goes else nodes[node["right"]]
            margin[r] += node["threshold"]


class TreeModel:
    """A LightGBM model, read from its text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.forest = read_forest(text)

    @property
    def bias(self) -> float:
        """Expected margin over the rows it was fitted on."""
        return float(self.forest.bias)

    def contributions(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute TreeSHAP values in margin; see `add_contributions`."""
        phi = np.zeros(rows.shape, np.float64)
        add_contributions(self.forest, np.ascontiguousarray(rows, np.float32), phi)
        return phi

    def margins(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute margins; see `add_margins`."""
        forest, margin = self.forest, np.full(len(rows), self.forest.constant)
        rows = np.ascontiguousarray(rows, np.float32)
        add_margins(forest.nodes, forest.cat_words, forest.tree_start, rows, margin)
        return margin
