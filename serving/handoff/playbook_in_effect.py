"""The playbook in effect, and those that decisions cite, as the store keeps them."""

from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import select

from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.read import default_text, read_playbook
from serving.store.session import UnitOfWork
from serving.store.tables import PlaybookVersion


@dataclass(frozen=True)
class Agreed:
    """A playbook, and how decisions made by it cite it."""

    playbook: Playbook
    version: str


@lru_cache(maxsize=32)
def _read(number: int | None, body: str) -> Agreed:
    playbook = read_playbook(body)
    name = "shipped" if number is None else f"v{number}"
    return Agreed(playbook, f"{name}-{playbook.fingerprint}")


def read_agreed(work: UnitOfWork) -> Agreed:
    """Read the version both sides agreed to last; until there is one, that which ships with Baton."""
    asked = select(PlaybookVersion).where(PlaybookVersion.state == "in_effect")
    row = work.session.scalars(asked).first()
    return _read(None, default_text()) if row is None else _read(row.number, row.body)


def read_cited(work: UnitOfWork, version: str) -> Agreed:
    """Read the version a decision cites; the one in effect if it is not there any more."""
    number = version.partition("-")[0].removeprefix("v")
    row = work.session.get(PlaybookVersion, int(number)) if number.isdigit() else None
    return read_agreed(work) if row is None else _read(row.number, row.body)
