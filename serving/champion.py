"""The bundle in use, swapped without a restart."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from features import clock
from features.compute.online import compute_rows
from features.contracts.records import EventRecord, LeadRecord, LeadVersion, StageRecord
from features.lifecycle.stages import Stage
from serving.errors import NoChampionError
from serving.explain.reasons import Explainer, build_explainer
from serving.faults import describe_fault
from training.bundle import Bundle, load_bundle

MANIFEST = "manifest.json"
SEAL = "fingerprint.json"
PLOTS = ("reliability.png", "gains.png", "scores.png", "reasons.png")
"""Pictures of the model card that may be served; nothing else of the folder is."""

ATTEMPTS = 3
"""Times a folder that changes while it is read is read again."""

log = structlog.get_logger(__name__)

FolderMark = tuple[int, ...]
"""Changes whenever another bundle is put into the folder."""


@dataclass(frozen=True)
class Champion:
    """A bundle, read completely: its folder may be replaced while it is still in use."""

    bundle: Bundle
    explainer: Explainer
    card: Mapping[str, Any]
    plots: Mapping[str, bytes]
    loaded_at: datetime

    @property
    def newest_example_at(self) -> datetime | None:
        """Newest moment the model was measured on, as its card says; None if it does not."""
        slices = self.card.get("data", {}).get("slices") or [{}]
        try:
            moment = datetime.fromisoformat(slices[-1].get("last") or "")
        except ValueError:
            return None
        return moment if moment.tzinfo else None


def find_mark(folder: Path) -> FolderMark | None:
    """Look whether a bundle is there, and which; None if there is none."""
    try:
        stats = [(folder / name).stat() for name in (MANIFEST, SEAL)]
        root = folder.stat()
    except OSError:
        return None
    found = [root.st_ino]
    for stat in stats:
        found += [stat.st_ino, stat.st_mtime_ns, stat.st_size]
    return tuple(found)


def warm(bundle: Bundle, at: datetime) -> None:
    """Score one made-up lead, so that the first real one does not wait for compilation."""
    as_of = clock.to_us(at)
    created = as_of - 9 * clock.DAY_US
    kinds = bundle.catalog.taxonomy.kind_names
    channels = bundle.catalog.taxonomy.channels
    moments = [created + (i + 1) * clock.HOUR_US for i in range(len(kinds))]
    lead = LeadRecord(
        lead_id="warm-up",
        created_at=created,
        versions=(LeadVersion(created, {}),),
        events=tuple(
            EventRecord(at_us, at_us, kind, channels[0], 1.0)
            for at_us, kind in zip(moments, kinds, strict=True)
        ),
        stages=(StageRecord(created, created, Stage.MQL),),
    )
    rows = compute_rows(bundle.catalog, [lead], [as_of])
    bundle.find_unknown(rows)
    bundle.score(rows)
    if bundle.timing is not None:
        bundle.timing.warm(rows)


def _read_plots(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in PLOTS if (folder / name).is_file()}


def load_champion(folder: Path, at: datetime) -> Champion:
    """Load a bundle with everything the server will ever want of it, and warm the kernels.

    Raises
    ------
    Exception
        Whatever is wrong with the bundle.
    """
    bundle = load_bundle(folder)
    _ = bundle.profile
    champion = Champion(
        bundle=bundle,
        explainer=build_explainer(bundle.catalog),
        card=bundle.card,
        plots=_read_plots(folder),
        loaded_at=at,
    )
    warm(bundle, at)
    return champion


def read_bundle(folder: Path) -> Bundle:
    """Load a bundle for a command.

    Raises
    ------
    NoChampionError
        If there is none, or it is broken.
    """
    try:
        return load_bundle(folder)
    except Exception as error:
        raise NoChampionError(folder, str(error)) from error


class ModelHolder:
    """Keeps the champion, and takes up a new one when it lies in the folder.

    ``role`` is what the bundle is called in the logs: a challenger in the shadow has a holder, too.
    """

    def __init__(self, folder: Path, role: str = "champion") -> None:
        self.folder = folder
        self.role = role
        self.swaps = 0
        """Times a champion was taken up."""
        self.failures = 0
        """Times a bundle could not be loaded."""
        self.problem: str | None = None
        """What is wrong with the bundle in the folder, if it is not the one in use."""
        self.problem_in_short: str | None = None
        """The same without names of folders, for those who may not know them."""
        self._champion: Champion | None = None
        self._mark: FolderMark | None = None

    def find_champion(self) -> Champion | None:
        """Find the champion in use; None if there is none yet."""
        return self._champion

    def get_champion(self) -> Champion:
        """Give the champion in use.

        Raises
        ------
        NoChampionError
            If there is none yet.
        """
        if self._champion is None:
            raise NoChampionError(self.folder, self.problem or "it is still being loaded.")
        return self._champion

    def _event(self, happened: str) -> str:
        return f"{self.role}_{happened}"

    def forget(self) -> None:
        """Let go of the bundle in use."""
        self._champion = self._mark = None

    def refresh(self, at: datetime) -> None:
        """Look at the folder; load what is new in it aside, then swap. Never raises."""
        mark = find_mark(self.folder)
        if mark is None:
            self.problem = self.problem_in_short = "no bundle is there."
            # Forgotten, so that a bundle moved away and back again is looked at once more.
            self._mark = None
            return
        if mark == self._mark:
            return
        for _ in range(ATTEMPTS):
            refused, loaded = None, None
            try:
                loaded = load_champion(self.folder, at)
            except Exception as error:  # noqa: BLE001 - edge of a job: a broken bundle must not stop the old one
                refused = error
            again = find_mark(self.folder)
            if again == mark:
                self._settle(loaded, refused, mark)
                return
            # Half of one bundle and half of the next is nobody's fault: it is read again.
            log.info(self._event("folder_changed"), read_again=again is not None)
            if again is None:
                break
            mark = again
        self._mark = None
        self.problem = self.problem_in_short = "the folder changed while it was read."

    def _settle(
        self, loaded: Champion | None, refused: Exception | None, mark: FolderMark
    ) -> None:
        if loaded is not None:
            self._swap(loaded, mark)
        elif refused is not None:
            self._refuse(refused, mark)

    def _swap(self, loaded: Champion, mark: FolderMark) -> None:
        before = self._champion
        self._champion, self._mark = loaded, mark
        self.problem = self.problem_in_short = None
        self.swaps += 1
        log.info(
            self._event("taken_up"),
            model=loaded.bundle.name,
            version=loaded.bundle.version,
            before=before.bundle.version if before else None,
        )

    def _refuse(self, error: Exception, mark: FolderMark) -> None:
        # Remembered, so that a broken bundle is read once, not every second.
        self._mark = mark
        self.failures += 1
        self.problem = f"{type(error).__name__}: {error}"
        self.problem_in_short = f"the bundle cannot be loaded ({type(error).__name__})."
        log.error(
            self._event("refused"),
            folder=str(self.folder),
            **describe_fault(error),
            kept=self._champion.bundle.version if self._champion else None,
        )

    async def watch(self, every_seconds: float) -> None:
        """Look at the folder again and again, until cancelled."""
        while True:
            await asyncio.to_thread(self.refresh, clock.now())
            await asyncio.sleep(every_seconds)
