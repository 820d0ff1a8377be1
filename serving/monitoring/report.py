"""One drift run: our own indices of every column, and Evidently's report of those that matter."""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from serving.errors import DriftReportError
from serving.monitoring.drift import DriftSummary, summarise_drift
from serving.monitoring.recent import RecentRows, read_recent
from serving.settings import ServingSettings, build_guest_environment
from serving.store.session import Store
from training.bundle import Bundle

WEIGHT_ROWS = 500
"""Reference rows from which the columns' weights are taken."""

REPORT_COLUMNS = 40
"""Columns in Evidently's report: those that matter most. It spends 0.3 s on each."""

REPORT_ROWS = 5_000
"""Rows of each side in Evidently's report."""

REPORT_MODULE = "serving.monitoring.evidently_report"
HTML, JSON, SUMMARY, LOG = "drift.html", "drift.json", "summary.json", "evidently.log"


class Guest:
    """A process of its own for Evidently, which can be stopped from outside."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, command: list[str], log: Path, timeout_seconds: float) -> int:
        """Run a command with its output in a file; give its exit code.

        Raises
        ------
        subprocess.TimeoutExpired
            If it takes too long; it is stopped then.
        """
        with log.open("wb") as words:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=subprocess.STDOUT,
                env=build_guest_environment(),
                cwd=Path(__file__).parents[2],
            )
            try:
                return self._process.wait(timeout_seconds)
            finally:
                self.stop()

    def stop(self) -> None:
        """Stop the process, if one is running."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@dataclass(frozen=True)
class DriftReport:
    """What one run found, and where its files are."""

    model: str
    version: str
    made_at: datetime
    first_scored_at: datetime | None
    last_scored_at: datetime | None
    not_enough_known: int
    """Leads in the same time that had no score."""
    summary: DriftSummary
    folder: Path
    evidently_problem: str | None
    """Why Evidently made no report; None if it did."""

    @property
    def html(self) -> Path | None:
        """Evidently's page, if it was made."""
        return self.folder / HTML if self.evidently_problem is None else None

    def to_json(self) -> dict[str, Any]:
        """Shape the report for the API, Evidently's own figures included."""
        figures = None
        if self.evidently_problem is None:
            figures = json.loads((self.folder / JSON).read_text(encoding="utf-8"))
        return {
            "status": "ready",
            "model": {"name": self.model, "version": self.version},
            "made_at": self.made_at,
            "scored_from": self.first_scored_at,
            "scored_to": self.last_scored_at,
            "not_enough_known": self.not_enough_known,
            **asdict(self.summary),
            "evidently": figures,
            "evidently_problem": self.evidently_problem,
        }


@dataclass(frozen=True)
class TooFewRows:
    """There are not enough scored leads yet."""

    have: int
    need: int

    def to_json(self) -> dict[str, Any]:
        """Shape the answer for the API."""
        return {
            "status": "not_enough_scored",
            "detail": f"Not enough scored leads yet (have {self.have}, need {self.need}).",
            "have": self.have,
            "need": self.need,
        }


def find_weights(bundle: Bundle) -> NDArray[np.float64]:
    """Find how much each column matters: the average size of its points in the reference."""
    matrix = bundle.profile.matrix
    step = max(1, len(matrix) // WEIGHT_ROWS)
    weights: NDArray[np.float64] = np.abs(bundle.score(matrix[::step]).reasons).mean(axis=0)
    return weights


def _write_guest_input(
    bundle: Bundle, recent: RecentRows, weights: NDArray[np.float64], folder: Path
) -> None:
    """Write the columns that matter most, and the score, for Evidently to read."""
    features, profile = bundle.catalog.features, bundle.profile
    chosen = np.argsort(-weights, kind="stable")[:REPORT_COLUMNS].tolist()
    columns: list[dict[str, Any]] = [
        {"title": "score", "categories": []},
        {"title": "probability", "categories": []},
    ]
    columns += [
        {"title": features[p].name, "categories": list(features[p].categories)} for p in chosen
    ]
    reference = [profile.points, profile.probability]
    reference += [profile.matrix[:, p].astype(np.float64) for p in chosen]
    current = [recent.points, recent.probability]
    current += [recent.matrix[:, p].astype(np.float64) for p in chosen]
    (folder / "columns.json").write_text(json.dumps(columns), encoding="utf-8")
    np.savez(
        folder / "columns.npz",
        reference=np.column_stack(reference)[:REPORT_ROWS],
        current=np.column_stack(current)[:REPORT_ROWS],
    )


def _make_evidently(folder: Path, timeout_seconds: float, guest: Guest) -> None:
    """Have Evidently make its page and figures in a folder.

    Raises
    ------
    DriftReportError
        If it could not.
    """
    log = folder / LOG
    command = [sys.executable, "-m", REPORT_MODULE, str(folder.resolve())]
    try:
        code = guest.run(command, log, timeout_seconds)
    except subprocess.TimeoutExpired as error:
        raise DriftReportError(f"it took longer than {timeout_seconds:g} s", log) from error
    if code != 0:
        raise DriftReportError(f"it ended with exit code {code}", log)


def _publish(made: Path, folder: Path) -> None:
    """Put a finished run's files where readers look, one rename each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (HTML, JSON, SUMMARY, LOG):
        if (made / name).is_file():
            (made / name).replace(folder / name)


def make_drift_report(
    bundle: Bundle, store: Store, settings: ServingSettings, now: datetime, guest: Guest
) -> DriftReport | TooFewRows:
    """Compare recent scored rows with the bundle's reference, and write the report.

    Parameters
    ----------
    bundle
        The model in use.
    store
        Where scored rows lie.
    settings
        Where reports go, how many rows count.
    now
        The moment of the run.
    guest
        Runs the process that makes Evidently's report.

    Returns
    -------
    DriftReport or TooFewRows
        A report without Evidently's part if that failed: our own figures do not depend on it.
    """
    with store.work(read_only=True) as work:
        recent = read_recent(work, bundle, settings.drift_rows)
    if len(recent) < settings.drift_min_rows:
        return TooFewRows(len(recent), settings.drift_min_rows)
    weights = find_weights(bundle)
    summary = summarise_drift(
        bundle.catalog.features,
        bundle.profile.matrix,
        recent.matrix,
        bundle.profile.points,
        recent.points,
        weights,
    )
    folder = settings.drift / bundle.version
    settings.drift.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".making-", dir=settings.drift))
    problem = None
    try:
        _write_guest_input(bundle, recent, weights, made)
        try:
            _make_evidently(made, settings.drift_timeout_seconds, guest)
        except DriftReportError as error:
            problem = f"Evidently made no report: {error.reason}. See {folder / LOG}."
        (made / SUMMARY).write_bytes(msgspec.json.format(msgspec.json.encode(summary)))
        _publish(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return DriftReport(
        model=bundle.name,
        version=bundle.version,
        made_at=now,
        first_scored_at=recent.first,
        last_scored_at=recent.last,
        not_enough_known=recent.not_enough_known,
        summary=summary,
        folder=folder,
        evidently_problem=problem,
    )
