"""Who asks: a key, a person, the configured token, or whoever sits at this machine."""

from dataclasses import dataclass
from typing import Literal

from serving.auth.roles import ROLES, TOKEN, Permission, Role


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who asks, and what they may."""

    kind: Literal["key", "person", "token", "local", "anyone"]
    principal_id: str
    """Which key or person; empty where there is only one of the kind."""
    name: str
    """As people call it; never for the log."""
    role: Role | None
    permissions: frozenset[Permission]
    csrf_token: str | None = None
    """What forms of this session carry; None where nobody asks through a browser."""

    @property
    def actor(self) -> str:
        """As the audit log and the log name it: ``key:3f9a...``, ``person:...``, ``token``."""
        return f"{self.kind}:{self.principal_id}" if self.principal_id else self.kind


def build_principal(
    kind: Literal["key", "person", "local"],
    principal_id: str,
    name: str,
    role: Role,
    csrf_token: str | None = None,
) -> Principal:
    """Build somebody who may what their role may."""
    return Principal(kind, principal_id, name, role, ROLES[role], csrf_token)


BY_TOKEN = Principal("token", "", "the configured token", Role.CRM, TOKEN)
"""Whoever sends the token of BATON_API_TOKEN."""

ANYONE_HERE = Principal("anyone", "", "anyone at this machine", None, frozenset())
"""Whoever asks a server that only this machine can reach for what is open there."""
