"""Names under which tools know somebody: an anonymous id, a user id, an e-mail address. Pure."""

from hashlib import sha256
from typing import Literal, NamedTuple

IdentityKeyKind = Literal["anonymous_id", "user_id", "email"]

ANONYMOUS = "anonymous:"
"""In front of an anonymous id, so that no visitor is taken for a lead of the same id."""


MOST_CHARACTERS = 480
"""Of a name: with what stands in front of it, it is the id of a lead."""


class IdentityKey(NamedTuple):
    """One key under which a source knows somebody."""

    kind: IdentityKeyKind
    value: str
    """Of an e-mail address only a hash: to tell that two are the same, more is not needed."""

    @property
    def lead_id(self) -> str:
        """The lead that comes to be under this name, where no other lead has it.

        >>> IdentityKey("anonymous_id", "a1").lead_id, IdentityKey("user_id", "u1").lead_id
        ('anonymous:a1', 'u1')
        """
        return ANONYMOUS + self.value if self.kind == "anonymous_id" else self.value


class Join(NamedTuple):
    """That two names are said to be of one person."""

    merged: IdentityKey
    kept: IdentityKey
    """Whose lead remains, if nothing else decides."""
    is_asked: bool = False
    """Whether to say so was all the sender wanted: then a refusal is kept for people to see."""


def read_email(address: object) -> IdentityKey | None:
    """Read an e-mail address as a name; None if it is none.

    >>> read_email(" Ann@Example.com ") == read_email("ann@example.com")
    True
    >>> read_email("ann") is None
    True
    """
    if not isinstance(address, str):
        return None
    folded = address.strip().casefold()
    before, at, behind = folded.rpartition("@")
    if not (before and at and "." in behind) or any(c.isspace() for c in folded):
        return None
    return IdentityKey("email", sha256(folded.encode("utf-8", "replace")).hexdigest())
