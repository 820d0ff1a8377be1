"""Who was erased, by a hash of each of their names, so that late records do not revive them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType
from uuid import uuid4

from features.contracts.identity_keys import ANONYMOUS, read_email
from serving.store.session import UnitOfWork

TURN = 0x746F6D62
"""Key of the lock that whoever adds leads shares, and whoever erases one has alone."""

SHARE = "SELECT pg_advisory_xact_lock_shared(%(key)s)"
TAKE = "SELECT pg_advisory_xact_lock(%(key)s)"
FIND = "SELECT id_hash FROM tombstone WHERE id_hash = ANY(%(hashes)s)"
BURY = """
INSERT INTO tombstone (id_hash, erased_at, person)
SELECT unnest(%(hashes)s::bytea[]), %(at)s, %(person)s
ON CONFLICT (id_hash) DO NOTHING
"""
LIFT = """
DELETE FROM tombstone WHERE id_hash = %(hash)s
    OR person IN (SELECT person FROM tombstone WHERE id_hash = %(hash)s)
"""

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


def list_names(lead_id: str) -> list[ErasableName]:
    """List the names of tools that an id may be: whoever is erased must not come back by one as an id.

    >>> list_names("anonymous:a1")
    [('user_id', 'anonymous:a1'), ('anonymous_id', 'a1')]
    """
    names: list[ErasableName] = [("user_id", lead_id)]
    if lead_id.startswith(ANONYMOUS):
        names.append(("anonymous_id", lead_id.removeprefix(ANONYMOUS)))
    email = read_email(lead_id)
    return names if email is None else [*names, email]


def find_erased(
    work: UnitOfWork,
    lead_ids: Iterable[str],
    brought: Mapping[str, Collection[ErasableName]] = MappingProxyType({}),
) -> set[str]:
    """Find which of some leads were erased; ask it right before adding any.

    Parameters
    ----------
    work
        The unit of work that adds them.
    lead_ids
        The leads: by their ids, under whatever name somebody erased was known.
    brought
        By lead, further names that come with it, such as its e-mail address.
    """
    whose: dict[bytes, list[str]] = defaultdict(list)
    for lead_id in lead_ids:
        whose[hash_id(lead_id)].append(lead_id)
        for name in (*list_names(lead_id), *brought.get(lead_id, ())):
            whose[hash_name(name)].append(lead_id)
    return {lead_id for found in _find(work, whose) for lead_id in whose[found]}


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
    """Remember that a person was erased, under every id and name."""
    hashes = sorted({*map(hash_id, lead_ids), *map(hash_name, names)})
    work.execute(BURY, {"hashes": hashes, "at": at, "person": uuid4()})


def lift(work: UnitOfWork, lead_id: str) -> bool:
    """Let a person who was erased come in again; tell whether they had been, under that id."""
    return bool(work.execute(LIFT, {"hash": hash_id(lead_id)}).rowcount)
