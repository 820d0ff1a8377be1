"""The heavy work of a run on Dask: features and scores by partition, trees by ``lightgbm.dask``.

For data or machines beyond one: on one machine it is slower. LightGBM's workers talk to each other
over TCP ports of their own, which they open on all addresses of their machine while they grow
trees.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit

from features.catalog.manifest import Catalog
from features.compute.dask_backend import largest_first, on_workers
from features.compute.grids import split_moments
from features.compute.offline import Snapshots
from features.compute.part import Job, compute_part, list_leads
from features.contracts.history import History
from features.sources.history.folder import open_history
from training.engine import Engine
from training.estimators.boosting import MAX_ROUNDS, PATIENCE
from training.estimators.candidates import CANDIDATES, TREES
from training.estimators.classifier import Progress, TrainingRows
from training.evaluation.calibration import compute_log_loss
from training.models.tree_growth import import_lightgbm
from training.scoring import score_part

if TYPE_CHECKING:
    from distributed import Client

SEARCHES = (150, MAX_ROUNDS)
"""Rounds of the first search; of the second, where the first did not see the end."""

OF_THE_NETWORK = ("[machines: ", "[local_listen_port: ")
"""Lines of a model's text that differ from run to run and say nothing of the model."""


def on_dask(client: "Client", folder: str) -> Engine:
    """Do the heavy work of a run on workers.

    Parameters
    ----------
    client
        From ``features.compute.dask_backend.connected``.
    folder
        Of the history, under the same path for the workers.
    """

    def compute(
        catalog: Catalog,
        history: History,  # noqa: ARG001 - the workers read it themselves
        snapshots: Snapshots,
        *,
        progress: Callable[[int], None],
    ) -> NDArray[np.float32]:
        return compute_matrix_on(client, folder, catalog, snapshots, progress=progress)

    warning = (
        f"Trees were grown on {len(list_workers(client))} workers of Dask. Grown again they would "
        "differ a little: lightgbm.dask numbers its workers at random."
    )
    trees = CANDIDATES[TREES].with_params(booster=DaskBooster(client))
    return Engine(compute, {**CANDIDATES, TREES: trees}, (warning,))


def compute_matrix_on(
    client: "Client",
    folder: str,
    catalog: Catalog,
    snapshots: Snapshots,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> NDArray[np.float32]:
    """Compute what ``compute_matrix`` computes, bit for bit, on workers.

    Parameters
    ----------
    client, folder, catalog
        Who computes what, from where.
    snapshots
        Number the leads of the whole history.
    progress
        Called with the number of rows just done.
    """
    opened = open_history(folder)
    leads = [len(list_leads(opened.read_leads(n))) for n in range(opened.n_partitions)]
    grid = split_moments(snapshots.lead_index, snapshots.as_of, leads, "at the snapshots of a run")
    begins = np.cumsum([0, *(len(part.as_of) for part in grid.parts)])
    rows = np.empty((len(snapshots), len(catalog.features)), np.float32)
    job = Job(folder, catalog, grid)
    for part in on_workers(client, compute_part, job, largest_first(opened)):
        begin, end = begins[part.position], begins[part.position + 1]
        rows[begin:end] = part.rows
        progress(int(end - begin))
    return rows


def score_parts_on(client: "Client", job: Job, bundle_folder: str) -> Iterator[pa.Table]:
    """Score a history on workers: the same tables in the same order as ``score_parts``."""
    task = partial(_numbered, bundle_folder)
    waiting: dict[int, pa.Table] = {}
    following = 0
    for position, table in on_workers(client, task, job, range(job.folder.n_partitions)):
        waiting[position] = table
        while following in waiting:
            yield waiting.pop(following)
            following += 1


def _numbered(bundle_folder: str, job: Job, position: int) -> tuple[int, pa.Table]:
    return position, score_part(bundle_folder, job, position)


def hush() -> None:
    """Let LightGBM tell errors only: it reports each port it opens."""
    logger = logging.getLogger("lightgbm.dask")
    logger.setLevel(logging.ERROR)
    import_lightgbm().register_logger(logger)


def list_workers(client: "Client") -> list[str]:
    """List the addresses of the workers that are there."""
    return list(client.scheduler_info(n_workers=-1)["workers"])


class DaskBooster:
    """Grows trees on workers, each of which holds some of the rows."""

    settings: Mapping[str, Any] = MappingProxyType({"tree_learner": "data"})

    def __init__(self, client: "Client") -> None:
        self._client = client

    def __sklearn_clone__(self) -> "DaskBooster":
        """Stay what it is when its estimator is cloned: a connection has no copy."""
        return self

    def find_rounds(
        self,
        learned_from: TrainingRows,
        settings: dict[str, Any],
        tuning: NDArray[np.bool_],
        progress: Progress,
    ) -> int:
        """Stop when the tuning rows are predicted no better.

        LightGBM cannot stop early on workers, as each would judge by its own rows; so trees are
        grown first, a few at first, and judged afterwards.
        """
        best = 1
        for done, rounds in enumerate(SEARCHES):
            progress(done / len(SEARCHES))
            trees = self._grow(learned_from, ~tuning, settings, rounds)
            best, settled = find_best_round(trees, learned_from.take(tuning))
            if settled:
                break
        return best

    def boost(
        self, learned_from: TrainingRows, settings: dict[str, Any], rounds: int, progress: Progress
    ) -> str:
        """Grow so many trees on all rows; give LightGBM's text of them."""
        every = np.ones(len(learned_from.rows), np.bool_)
        trees = self._grow(learned_from, every, settings, rounds)
        progress(1.0)
        lines = str(trees.model_to_string()).splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith(OF_THE_NETWORK))

    def _grow(
        self,
        learned_from: TrainingRows,
        mask: NDArray[np.bool_],
        settings: dict[str, Any],
        rounds: int,
    ) -> Any:
        lgb = import_lightgbm()
        hush()
        self._client.gather(
            # As tasks: what LightGBM is told of its log holds for the thread it is told in.
            [
                self._client.submit(hush, workers=[worker], pure=False)
                for worker in list_workers(self._client)
            ]
        )
        x, y, weights = self._spread(learned_from, mask)
        # A regressor of the log-odds: the classifier asks every worker to hold both outcomes.
        model = lgb.DaskLGBMRegressor(client=self._client, n_estimators=rounds, **settings)
        model.fit(
            x,
            y,
            sample_weight=weights,
            feature_name=[f.name for f in learned_from.features],
            categorical_feature=[f.name for f in learned_from.features if f.categories],
        )
        return model.booster_

    def _spread(self, learned_from: TrainingRows, mask: NDArray[np.bool_]) -> tuple[Any, ...]:
        """Deal the rows to the workers."""
        from dask import array, delayed

        workers = list_workers(self._client)
        dealt: tuple[list[Any], ...] = ([], [], [])
        for place, worker in enumerate(workers):
            own = mask & (np.arange(len(learned_from.rows)) % len(workers) == place)
            if not own.any():
                continue
            columns = (
                learned_from.rows[own],
                learned_from.converted[own],
                learned_from.weights[own],
            )
            for parts, values in zip(dealt, columns, strict=True):
                held = self._client.scatter(values, workers=[worker], hash=False)
                parts.append(array.from_delayed(delayed(held), values.shape, values.dtype))
        return tuple(array.concatenate(parts) for parts in dealt)


def find_best_round(trees: Any, judged: TrainingRows) -> tuple[int, bool]:
    """Find after how many trees the log loss is lowest.

    Stops where it was not lowered for ``PATIENCE`` trees, as LightGBM's early stopping does.

    Returns
    -------
    best : int
        From 1.
    settled : bool
        Whether it stopped before the last tree.
    """
    rows, converted = judged.rows, judged.converted
    margin = np.zeros(len(rows))
    best, lowest = 1, np.inf
    for position in range(trees.num_trees()):
        margin += trees.predict(rows, raw_score=True, start_iteration=position, num_iteration=1)
        loss = compute_log_loss(converted, expit(margin), judged.weights)
        if loss < lowest:
            best, lowest = position + 1, loss
        elif position + 1 - best >= PATIENCE:
            return best, True
    return best, False
