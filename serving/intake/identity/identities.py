"""Names of leads in the store: whose they are, and which are new."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from serving.intake.identity.identity_keys import IdentityKey
from serving.store.session import UnitOfWork

FIND = """
SELECT kind, value, lead_id FROM identity
WHERE (kind, value) IN (SELECT * FROM unnest(%(kinds)s::text[], %(values)s::text[]))
"""
ADD = """
INSERT INTO identity (kind, value, lead_id, known_at)
SELECT *, %(at)s FROM unnest(%(kinds)s::text[], %(values)s::text[], %(leads)s::text[])
ON CONFLICT (kind, value) DO NOTHING
"""


def find_holders(work: UnitOfWork, names: Iterable[IdentityKey]) -> dict[IdentityKey, str]:
    """Find the leads that have names; without names nobody has."""
    asked = sorted(set(names))
    if not asked:
        return {}
    values = {"kinds": [n.kind for n in asked], "values": [n.value for n in asked]}
    return {IdentityKey(kind, value): lead for kind, value, lead in work.execute(FIND, values)}


def add_identity_keys(work: UnitOfWork, holders: Mapping[IdentityKey, str], at: datetime) -> None:
    """Give leads names; a name somebody has stays theirs."""
    # In one order, as everywhere: two units that add the same names wait, and do not deadlock.
    asked = sorted(holders)
    if asked:
        values = {
            "at": at,
            "kinds": [name.kind for name in asked],
            "values": [name.value for name in asked],
            "leads": [holders[name] for name in asked],
        }
        work.execute(ADD, values)
