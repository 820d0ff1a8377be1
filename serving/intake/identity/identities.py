"""Names of leads in the store: whose they are, and which are new."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from features.contracts.identity_keys import IdentityKey
from serving.store.session import UnitOfWork

FIND = """
SELECT kind, value, lead_id FROM identity
WHERE (kind, value) IN (SELECT * FROM unnest(%(kinds)s::text[], %(values)s::text[]))
"""
ADD = """
INSERT INTO identity (kind, value, lead_id, known_at, is_confirmed)
SELECT *, %(at)s, %(confirmed)s
FROM unnest(%(kinds)s::text[], %(values)s::text[], %(leads)s::text[])
ON CONFLICT (kind, value) DO UPDATE SET lead_id = excluded.lead_id,
    known_at = excluded.known_at, is_confirmed = true
WHERE excluded.is_confirmed AND NOT identity.is_confirmed
"""


def find_holders(work: UnitOfWork, names: Iterable[IdentityKey]) -> dict[IdentityKey, str]:
    """Find the leads that have names; without names nobody has."""
    asked = sorted(set(names))
    if not asked:
        return {}
    values = {"kinds": [n.kind for n in asked], "values": [n.value for n in asked]}
    return {IdentityKey(kind, value): lead for kind, value, lead in work.execute(FIND, values)}


def add_identity_keys(
    work: UnitOfWork, holders: Mapping[IdentityKey, str], at: datetime, *, is_confirmed: bool
) -> None:
    """Give leads names; a name somebody has stays theirs, unless it is a claim and this is more.

    Parameters
    ----------
    work
        To write with.
    holders
        By name, the lead.
    at
        Now.
    is_confirmed
        Whether a trusted source says so: it takes over what trackers have claimed.
    """
    # In one order, as everywhere: two units that add the same names wait, and do not deadlock.
    asked = sorted(holders)
    if asked:
        values = {
            "at": at,
            "confirmed": is_confirmed,
            "kinds": [name.kind for name in asked],
            "values": [name.value for name in asked],
            "leads": [holders[name] for name in asked],
        }
        work.execute(ADD, values)
