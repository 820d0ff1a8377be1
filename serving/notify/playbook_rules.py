"""The playbook in effect, as whoever notifies reads it."""

from collections.abc import Callable

from sqlalchemy import select

from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.read import default_text, read_playbook
from serving.store.session import UnitOfWork
from serving.store.tables import PlaybookVersion

ReadPlaybook = Callable[[UnitOfWork], Playbook]


def read_playbook_in_effect(work: UnitOfWork) -> Playbook:
    """Read the version both sides agreed to last; until there is one, that which ships with Baton."""
    asked = select(PlaybookVersion.body).where(PlaybookVersion.state == "in_effect")
    body = work.session.scalars(asked).one_or_none()
    return read_playbook(body or default_text())
