"""Those who act, as the audit log names them: references to keys and people, never names."""

from typing import Final

from serving.store.session import UnitOfWork
from serving.store.tables import ApiKey, Person

ACTOR: Final = r"^(key|person):[0-9A-Za-z_-]{1,64}$"
"""How a key or a person is referred to."""


def is_actor(work: UnitOfWork, actor: str) -> bool:
    """Tell whether a reference is one to a key or a person there is."""
    kind, _, principal_id = actor.partition(":")
    table = {"key": ApiKey, "person": Person}.get(kind)
    return table is not None and work.session.get(table, principal_id) is not None
