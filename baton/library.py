"""What ``import baton`` offers: read a history, train on it, load a bundle, score a frame."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from typer import BadParameter

from features.contracts.history import History
from features.sources.history.folder import read_history as read_history_folder
from training.bundle import Bundle as TrainedBundle
from training.bundle import load_bundle as load_trained_bundle
from training.commands.options import read_grid, read_outcome
from training.frames import score_frame
from training.labels.conversion import Grid, Outcome
from training.scoring import score_history
from training.settings import TrainingSettings, list_protected

__all__ = ["Bundle", "History", "load_bundle", "read_history", "train"]


class Bundle:
    """A trained model with everything that a score must say about itself; see `load_bundle`."""

    def __init__(self, trained: TrainedBundle) -> None:
        self._trained = trained

    def __repr__(self) -> str:
        return f"<baton.Bundle {self.name} {self.version}: P({self.outcome})>"

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self._trained.folder

    @property
    def name(self) -> str:
        """Its name in the registry, such as ``baton-sql``."""
        return self._trained.name

    @property
    def version(self) -> str:
        """The first twelve hexadecimal digits of its fingerprint."""
        return self._trained.version

    @property
    def outcome(self) -> str:
        """What it predicts, such as ``SQL within 30 days``."""
        return self._trained.contract.text

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that `score` reads."""
        return self._trained.catalog.names

    @property
    def card(self) -> dict[str, Any]:
        """The model card: data, candidates, figures with intervals, warnings, limits."""
        return self._trained.card

    def score(self, frame: Any) -> Any:
        """Score rows of features: one row is one lead as it was known at one moment.

        Such rows come from ``baton features compute HISTORY --bundle BUNDLE --to FOLDER``. To score
        leads from their records, see `score_history`.

        Parameters
        ----------
        frame
            A frame of pandas or Polars, an Arrow table, or whatever else offers itself as Arrow: a
            column for each of `features`, in any order; further columns, such as ``lead_id``, are
            left aside. Numbers are numbers, categories are names. An empty cell is not known; a
            category that the model has never met counts as other.

        Returns
        -------
        pandas.DataFrame or pyarrow.Table
            As many rows, in the same order (and of the same index, where pandas was given):
            ``probability`` (0 to 1), ``points`` (0 to 100; 50 is the typical lead, ten more double
            the odds), ``band`` (A is best), and ``not_enough_known``: why there is no score, empty
            where there is one.

        Raises
        ------
        training.errors.FrameColumnsError
            If features are missing; it names them.
        training.errors.FrameTypeError
            If a column does not hold what its feature is.
        """
        return score_frame(self._trained, frame)

    def score_history(self, history: History, as_of: datetime | None = None) -> Any:
        """Score every lead of a history from what was known of it before one moment.

        Parameters
        ----------
        history
            Of `read_history`.
        as_of
            The moment, with its time zone; by default the end of what was observed.

        Returns
        -------
        pyarrow.Table
            A row for each lead that was created before the moment: ``lead_id``, ``as_of``,
            ``probability``, ``points``, ``band``, ``expected_value``, ``stage``, and ``why`` there
            is no score, where there is none. What ``baton score`` writes.

        Raises
        ------
        ValueError
            If the moment has no time zone, or lies after the end of what was observed.
        """
        return score_history(self._trained, history, as_of)


def load_bundle(folder: Path | str) -> Bundle:
    """Load a bundle, such as ``var/champion``, after checking every file against its seal.

    Raises
    ------
    training.errors.BundleError
        If it is missing, damaged, or of a format that this version does not read.
    """
    return Bundle(load_trained_bundle(Path(folder)))


def read_history(folder: Path | str) -> History:
    """Read and check a history that ``baton import`` or ``baton simulate`` wrote.

    Returns
    -------
    History
        Its ``leads``, ``events``, ``stages`` and ``attempts`` are Arrow tables; ``about`` says where
        they come from and until when they reach.

    Raises
    ------
    features.errors.FeaturesError
        If the folder holds no history, or a damaged one.
    """
    return read_history_folder(folder)


def train(
    history: History,
    outcome: str = "sql",
    *,
    horizon: str = "30d",
    seen_at: str = "weekly",
    name: str = "",
    seed: int = 7,
    drop: Sequence[str] = (),
    allow_leaks: Mapping[str, str] | None = None,
    tune_seconds: float = 0.0,
    segments: Sequence[str] = (),
    explain: bool = True,
    timing: bool = True,
    bundles: Path | str = "var/bundles",
) -> Bundle:
    """Train on a history: look, label, audit for leaks, fit, calibrate, judge; write a bundle.

    ``baton train`` does the same, records the run in MLflow besides, and lets the server use what
    came of it. Warnings, such as that a model is no better than chance, are in the bundle's ``card``.

    Parameters
    ----------
    history
        Of `read_history`.
    outcome
        What to predict, such as ``sql``, ``won@90d`` or ``returned:unreachable``.
    horizon
        Within how long, where the outcome does not say: ``30d``.
    seen_at
        When leads are looked at: ``weekly``, or ages such as ``24h,7d``.
    name
        Of the bundle; by default ``baton-`` and the outcome.
    seed
        Of everything that is random in a run: the same seed gives the same bundle.
    drop
        Attributes to leave out.
    allow_leaks
        Attribute to the reason why it may stay although it looks like a leak.
    tune_seconds
        How long to search LightGBM's settings; 0: not.
    segments
        Segments that may get a model of their own: ``FIELD``, or ``FIELD=VALUE,VALUE``.
    explain
        Whether the card shows what the model relies on, and how stable that is.
    timing
        Whether to learn the best moment to hand off, with a model for ``sql``.
    bundles
        The folder that the bundle's own folder is made in.

    Raises
    ------
    ValueError
        If an outcome, a horizon or ages cannot be read.
    training.errors.TrainingError
        If the history is too short or too small.
    training.leaks.audit.LeakFoundError
        If a field leaks the outcome and is not allowed by name.
    """
    from training.run.fingerprint import fingerprint_tables
    from training.run.options import RunOptions
    from training.run.pipeline import train as run_training
    from training.run.timing import read_timing_options
    from training.selection.tuning import Budget

    target, grid = _read_question(outcome, horizon, seen_at)
    options = RunOptions(
        target,
        grid,
        name or f"baton-{target.name}",
        seed,
        frozenset(drop),
        dict(allow_leaks or {}),
        Budget(seconds=tune_seconds),
        tuple(segments),
        explain,
        protected=list_protected(TrainingSettings()),
        timing=read_timing_options("") if timing and target.target.text == "sql" else None,
    )
    run = run_training(
        history, options, Path(bundles), data_fingerprint=fingerprint_tables(history)
    )
    return Bundle(run.bundle)


def _read_question(outcome: str, horizon: str, seen_at: str) -> tuple[Outcome, Grid]:
    """Read what the command line reads; a wrong word is a wrong value here."""
    try:
        return read_outcome(outcome, horizon), read_grid(seen_at)
    except BadParameter as problem:
        raise ValueError(problem.message) from None
