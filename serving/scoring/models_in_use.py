"""The bundles in use: which contract each serves, since when; and those of then, for replay.

A bundle that was ever in use is kept in a folder of its own by its version, so that what it said can
be said again after the champion's folder holds another.
"""

import shutil
import threading
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from secrets import token_hex

import structlog

from serving.champion import Champion, ModelHolder, load_champion
from serving.errors import RefusedError
from serving.faults import describe_fault
from serving.store.deferring import defer
from serving.store.session import UnitOfWork

log = structlog.get_logger(__name__)

MOST_IN_MEMORY = 4
"""Bundles of then held ready at a time."""

TURN = """SELECT pg_advisory_xact_lock(hashtext('bundle_version'))"""
FIND_OPEN = """
SELECT version FROM bundle_version
WHERE role = %(role)s AND contract = %(contract)s AND retired_at IS NULL
ORDER BY use_number DESC LIMIT 1
"""
RETIRE = """
UPDATE bundle_version SET retired_at = %(at)s
WHERE role = %(role)s AND contract = %(contract)s AND retired_at IS NULL
"""
TAKE_UP = """
INSERT INTO bundle_version (version, name, role, contract, folder, catalog_fingerprint, taken_up_at)
VALUES (%(version)s, %(name)s, %(role)s, %(contract)s, %(folder)s, %(catalog)s, %(at)s)
"""
FIND_IN_USE = """
SELECT version FROM bundle_version
WHERE role = 'champion' AND contract = %(contract)s AND taken_up_at <= %(at)s
ORDER BY taken_up_at DESC, use_number DESC LIMIT 1
"""
RESCORE = "baton.rescore_everyone"


class ModelGoneError(RefusedError):
    """The model of then is not kept any more."""

    status, slug, title = 410, "model-gone", "The model of that time is gone"

    def __init__(self, version: str) -> None:
        self.version = version
        self.fix = "Put its bundle back into the folder of BATON_SERVED, under its version."
        super().__init__(f"The bundle {version} is not in the folder of earlier bundles.")


class UnknownContractError(RefusedError):
    """Nobody serves such a score."""

    status, slug, title = 404, "unknown-contract", "No such score is served"

    def __init__(self, served: Sequence[str]) -> None:
        self.served = tuple(served)
        known = "; ".join(served) or "none"
        self.fix = f"Leave `contract` out, or ask for one that is served: {known}."
        super().__init__("No model with this contract is in use.")


class ModelCache:
    """Keeps every bundle that was in use. Safe to call from several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ready: OrderedDict[str, Champion] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, champion: Champion) -> None:
        """Keep a bundle; next to nothing if it is kept already.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        version = champion.bundle.version
        with self._lock:
            self._remember(version, champion)
            place = self.folder / version
            if place.exists():
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            aside = self.folder / f".{version}-{token_hex(4)}"
            shutil.copytree(champion.bundle.folder, aside)
            try:
                aside.rename(place)
            except OSError:
                shutil.rmtree(aside, ignore_errors=True)
                if not place.exists():  # another process was quicker
                    raise

    def _remember(self, version: str, champion: Champion) -> None:
        self._ready[version] = champion
        self._ready.move_to_end(version)
        while len(self._ready) > MOST_IN_MEMORY:
            self._ready.popitem(last=False)

    def get(self, version: str, at: datetime) -> Champion:
        """Give a bundle that was in use.

        Raises
        ------
        ModelGoneError
            If it is not there, or is not itself any more.
        """
        with self._lock:
            found = self._ready.get(version)
            if found is None:
                found = self._load(version, at)
            self._remember(version, found)
            return found

    def _load(self, version: str, at: datetime) -> Champion:
        try:
            champion = load_champion(self.folder / version, at)
        except Exception as error:
            log.warning("past_bundle_refused", version=version, **describe_fault(error))
            raise ModelGoneError(version) from error
        if champion.bundle.version != version:
            raise ModelGoneError(version)
        return champion


def list_served(model_holders: Sequence[ModelHolder]) -> list[Champion]:
    """List the champions in use, the main one first; of two with one contract the first counts."""
    found: dict[str, Champion] = {}
    for holder in model_holders:
        champion = holder.find_champion()
        if champion is not None:
            found.setdefault(champion.bundle.contract.text, champion)
    return list(found.values())


def choose_champion(model_holders: Sequence[ModelHolder], contract: str | None) -> Champion:
    """Choose the champion of a contract; the main one if none is named.

    Raises
    ------
    NoChampionError
        If there is none yet.
    UnknownContractError
        If there is none of this contract.
    """
    if contract is None:
        return model_holders[0].get_champion()
    served = list_served(model_holders)
    for champion in served:
        if champion.bundle.contract.text == contract:
            return champion
    raise UnknownContractError([champion.bundle.contract.text for champion in served])


def record_use(work: UnitOfWork, champion: Champion, folder: Path, at: datetime) -> bool:
    """Write down that a champion is in use from now on, and have everyone scored by it.

    Several processes take up the same bundle; the first one writes it down.

    Returns
    -------
    bool
        Whether that was news.
    """
    bundle = champion.bundle
    work.execute(TURN)
    asked = {"role": "champion", "contract": bundle.contract.text, "at": at}
    if work.execute(FIND_OPEN, asked).scalar() == bundle.version:
        return False
    work.execute(RETIRE, asked)
    work.execute(
        TAKE_UP,
        {
            **asked,
            "version": bundle.version,
            "name": bundle.name,
            "folder": str(folder),
            "catalog": bundle.catalog.fingerprint,
        },
    )
    defer(work, RESCORE, {"version": bundle.version, "after": ""})
    return True


def find_version_in_use(work: UnitOfWork, contract: str, at: datetime) -> str | None:
    """Find which bundle was in use at a moment; None if none was."""
    found: str | None = work.execute(FIND_IN_USE, {"contract": contract, "at": at}).scalar()
    return found
