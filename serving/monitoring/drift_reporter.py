"""Keeps the newest drift report, and has the next one made in the background."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from serving.faults import describe_fault
from serving.monitoring.report import DriftReport, Guest, TooFewRows, make_drift_report
from serving.settings import ServingSettings
from serving.store.session import Store
from training.bundle import Bundle

log = structlog.get_logger(__name__)

RECOUNT = timedelta(seconds=2)
"""After a run that found too few rows, the next one waits this long."""

RETRY = timedelta(seconds=30)
"""After a run that failed, the next one waits this long."""


class DriftReporter:
    """One run at a time; callers get what is there."""

    def __init__(self, settings: ServingSettings, store: Store, flush: Callable[[], None]) -> None:
        self.settings = settings
        self.store = store
        self.flush = flush
        """Brings the newest rows of requests to the store, where a run reads them. Never raises."""
        self.problem: str | None = None
        """Why the last run made nothing; None if it did not fail."""
        self._found: DriftReport | TooFewRows | None = None
        self._found_for: tuple[str, datetime] | None = None
        self._run: asyncio.Task[None] | None = None
        self._guest = Guest()
        self._closed = False

    @property
    def is_running(self) -> bool:
        """Whether a report is being made."""
        return self._run is not None and not self._run.done()

    def find_report(self, bundle: Bundle) -> DriftReport | TooFewRows | None:
        """Find what the last run for this model found; None if there was none."""
        if self._found_for is None or self._found_for[0] != bundle.version:
            return None
        return self._found

    def is_due(self, bundle: Bundle, now: datetime) -> bool:
        """Tell whether what there is has become too old, or never was."""
        if self._found_for is None or self._found_for[0] != bundle.version:
            return True
        age = now - self._found_for[1]
        if isinstance(self._found, DriftReport):
            return age >= timedelta(hours=self.settings.drift_refresh_hours)
        return age >= (RETRY if self._found is None else RECOUNT)

    async def start(self, bundle: Bundle, now: datetime, patience_seconds: float) -> None:
        """Start a run, unless one is under way; wait a moment for it, as some are quick."""
        if not self.is_running and not self._closed:
            self._run = asyncio.create_task(self._make(bundle, now))
        if self._run is not None:
            await asyncio.wait([self._run], timeout=patience_seconds)

    async def _make(self, bundle: Bundle, now: datetime) -> None:
        try:
            await asyncio.to_thread(self.flush)
            found = await asyncio.to_thread(
                make_drift_report, bundle, self.store, self.settings, now, self._guest
            )
        except Exception as error:  # noqa: BLE001 - edge of a job: told to whoever asks for the report
            self.problem = f"The last drift report failed ({type(error).__name__})."
            self._found = None
            log.error("drift_report_failed", **describe_fault(error))  # noqa: TRY400 - a traceback may hold values
        else:
            self._found, self.problem = found, None
            log.info("drift_report_made", version=bundle.version, outcome=type(found).__name__)
        self._found_for = (bundle.version, now)

    async def close(self) -> None:
        """Stop what is under way."""
        self._closed = True
        self._guest.stop()
        if self._run is not None:
            await self._run
