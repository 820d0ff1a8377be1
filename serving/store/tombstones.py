"""Who was erased, by a hash of each of their names, so that late records do not revive them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256

from serving.store.session import UnitOfWork

TURN = 0x746F6D62
"""Key of the lock that whoever adds leads shares, and whoever erases one has alone."""

SHARE = "SELECT pg_advisory_xact_lock_shared(%(key)s)"
TAKE = "SELECT pg_advisory_xact_lock(%(key)s)"
FIND = "SELECT id_hash FROM tombstone WHERE id_hash = ANY(%(hashes)s)"
BURY = """
INSERT INTO tombstone (id_hash, erased_at) SELECT unnest(%(hashes)s::bytea[]), %(at)s
ON CONFLICT (id_hash) DO NOTHING
"""
LIFT = "DELETE FROM tombstone WHERE id_hash = ANY(%(hashes)s)"

ErasableName = tuple[str, str]
"""Kind and value of an identity, as the table ``identity`` holds it."""


def hash_id(lead_id: str) -> bytes:
    """Hash a lead's id, as tombstones hold it."""
    return sha256(lead_id.encode()).digest()


def hash_name(name: ErasableName) -> bytes:
    """Hash another name a lead was known by, as tombstones hold it."""
    kind, value = name
    return sha256(f"{kind}\x1f{value}".encode()).digest()


def _find(work: UnitOfWork, hashes: Iterable[bytes]) -> set[bytes]:
    # Held until the unit of work ends, so that nobody is erased between this look and the adding
    # of a lead. A statement of its own: the next one must see what was committed while it waited.
    work.execute(SHARE, {"key": TURN})
    return {bytes(found) for found in work.execute(FIND, {"hashes": list(hashes)}).scalars()}


def find_erased(work: UnitOfWork, lead_ids: Iterable[str]) -> set[str]:
    """Find which of some leads were erased; ask it right before adding any."""
    hashes = {hash_id(lead_id): lead_id for lead_id in lead_ids}
    return {hashes[found] for found in _find(work, hashes)}


def find_erased_names(work: UnitOfWork, names: Iterable[ErasableName]) -> set[ErasableName]:
    """Find which of some names belonged to leads that were erased."""
    hashes = {hash_name(name): name for name in names}
    return {hashes[found] for found in _find(work, hashes)}


def wait_for_adders(work: UnitOfWork) -> None:
    """Wait until nobody is adding a lead, and keep them waiting until the unit of work ends."""
    work.execute(TAKE, {"key": TURN})


def bury(
    work: UnitOfWork, lead_ids: Sequence[str], names: Sequence[ErasableName], at: datetime
) -> None:
    """Remember that leads were erased."""
    hashes = [*map(hash_id, lead_ids), *map(hash_name, names)]
    work.execute(BURY, {"hashes": sorted(hashes), "at": at})


def lift(work: UnitOfWork, lead_id: str) -> bool:
    """Let a lead that was erased come in again under its id; tell whether it had been erased."""
    return bool(work.execute(LIFT, {"hashes": [hash_id(lead_id)]}).rowcount)
