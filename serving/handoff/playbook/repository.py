"""Versions of the playbook in the store: proposed, signed by both sides, in effect; each can be cited."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import select, text

from serving.handoff.playbook.agreement import (
    Side,
    Signature,
    SignatureDecision,
    Version,
    VersionStatus,
    Word,
    decide_signature,
    standing_at,
)
from serving.handoff.playbook.agreement import VersionState as Stands
from serving.handoff.playbook.errors import (
    NoSuchVersionError,
    SignatureRefusedError,
)
from serving.handoff.playbook.notifications import Notification, enqueue_notification
from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.read import default_text, read_playbook
from serving.handoff.playbook.sections.notifications import NotificationEvent
from serving.store.deferring import defer
from serving.store.session import UnitOfWork
from serving.store.tables import PlaybookSignature, PlaybookVersion

DECIDE_PROPOSED = "baton.decide_proposed"
"""The job that decides, once a playbook takes effect, about leads that were only proposed."""

TURN = 0x706C6179
"""Key of the advisory lock under which versions are proposed and signed, one at a time."""

SHIPPED = "shipped"
"""How decisions cite the playbook that ships with Baton, while none is agreed."""

STATES = {Stands.PROPOSED: "draft", Stands.IN_FORCE: "in_effect", Stands.REPLACED: "retired"}

NAME_SELLERS = """
INSERT INTO seller (seller_id, team, named_at)
SELECT id, team, %(at)s FROM unnest(%(ids)s::text[], %(teams)s::text[]) AS n (id, team)
ON CONFLICT (seller_id) DO UPDATE SET team = excluded.team, left_at = NULL
"""
FORGET_SELLERS = """
UPDATE seller SET left_at = %(at)s WHERE left_at IS NULL AND NOT seller_id = ANY(%(ids)s)
"""


@dataclass(frozen=True)
class Agreed:
    """A playbook, and how decisions made by it cite it."""

    playbook: Playbook
    version: str

    @property
    def is_agreed(self) -> bool:
        """Whether both sides have agreed to it: to the one that ships with Baton nobody has."""
        return not self.version.startswith(SHIPPED)


@lru_cache(maxsize=32)
def _read(number: int, body: str) -> Agreed:
    # Bodies never change, so what was read of one holds for good; the number makes the citation.
    playbook = read_playbook(body, f"version {number}")
    return Agreed(playbook, f"v{number}-{playbook.fingerprint}")


@lru_cache(maxsize=1)
def read_shipped() -> Agreed:
    """Read the playbook that ships with Baton."""
    playbook = read_playbook(default_text())
    return Agreed(playbook, f"{SHIPPED}-{playbook.fingerprint}")


def read_agreed(work: UnitOfWork) -> Agreed:
    """Read the playbook in effect; that which ships with Baton while none is agreed by both sides."""
    asked = select(PlaybookVersion).where(PlaybookVersion.state == "in_effect")
    row = work.session.scalars(asked).first()
    return read_shipped() if row is None else _read(row.number, row.body)


def read_cited(work: UnitOfWork, version: str) -> Agreed:
    """Read the playbook a decision cites; the one in effect if what it cites is not there any more."""
    number = version.partition("-")[0].removeprefix("v")
    if not number.isdigit():
        return read_shipped()
    row = work.session.get(PlaybookVersion, int(number))
    return read_agreed(work) if row is None else _read(row.number, row.body)


def read_version(row: PlaybookVersion) -> Agreed:
    """Read what a version says."""
    return _read(row.number, row.body)


def get_version(work: UnitOfWork, number: int) -> PlaybookVersion:
    """Find a version by its number.

    Raises
    ------
    NoSuchVersionError
        If there is none.
    """
    row = work.session.get(PlaybookVersion, number)
    if row is None:
        raise NoSuchVersionError(number)
    return row


def list_versions(work: UnitOfWork) -> list[PlaybookVersion]:
    """List every version proposed, newest first."""
    return list(
        work.session.scalars(select(PlaybookVersion).order_by(PlaybookVersion.number.desc()))
    )


def list_signatures(work: UnitOfWork) -> list[Signature]:
    """List what was said of versions, in order."""
    rows = work.session.scalars(
        select(PlaybookSignature).order_by(PlaybookSignature.signature_number)
    )
    return [Signature(r.number, Side(r.side), Word(r.word), r.by, r.at) for r in rows]


def find_standing(work: UnitOfWork, row: PlaybookVersion, at: datetime) -> VersionStatus:
    """Tell where a version stands, and why."""
    return find_standings(work, list_versions(work), at)[row.number]


def find_standings(
    work: UnitOfWork, rows: Sequence[PlaybookVersion], at: datetime
) -> dict[int, VersionStatus]:
    """Tell where each of all versions stands, by number."""
    versions, signatures = [_as_version(one) for one in rows], list_signatures(work)
    return {one.number: standing_at(one, versions, signatures, at) for one in versions}


def _as_version(row: PlaybookVersion) -> Version:
    return Version(row.number, row.version, row.created_by, row.created_at)


def propose(
    work: UnitOfWork, body: str, *, by: str, at: datetime, note: str | None = None
) -> PlaybookVersion:
    """Keep a text as a new version, which nobody has agreed to yet.

    Raises
    ------
    PlaybookError
        If the text is no sound playbook.
    """
    playbook = read_playbook(body)
    row = PlaybookVersion(
        version=playbook.fingerprint,
        body=body,
        note=note,
        state="draft",
        created_at=at,
        created_by=by,
    )
    work.session.add(row)
    work.session.flush()
    because = f"Version {row.number} waits for marketing and sales to agree."
    _notify(work, "playbook_proposed", row.number, because, at)
    return row


def _notify(
    work: UnitOfWork, event: NotificationEvent, number: int, because: str, at: datetime
) -> None:
    key = f"{event}:{number}"
    enqueue_notification(work, Notification(key, event, because, at, facts={"number": number}))


def sign(
    work: UnitOfWork, number: int, side: Side, word: Word, *, by: str, at: datetime
) -> SignatureDecision:
    """Say something of a version for one side; it takes effect once both sides have agreed.

    Raises
    ------
    NoSuchVersionError
        If there is no such version.
    SignatureRefusedError
        If the word does not count, such as one person's for both sides.
    """
    work.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": TURN})
    row = get_version(work, number)
    signature = Signature(number, side, word, by, at)
    rows = list_versions(work)
    decision = decide_signature(
        signature,
        [_as_version(one) for one in rows],
        list_signatures(work),
        one_person_for_both=_read(number, row.body).playbook.goals.one_person_for_both,
    )
    if not decision.counts:
        raise SignatureRefusedError(decision.because)
    work.session.add(
        PlaybookSignature(number=number, side=side.value, word=word.value, by=by, at=at)
    )
    work.session.flush()
    _settle(work, rows, at)
    return decision


def _settle(work: UnitOfWork, rows: list[PlaybookVersion], at: datetime) -> None:
    """Write down where each version stands, the replaced one first: one at a time is in effect."""
    stands = find_standings(work, rows, at)
    for row in sorted(rows, key=lambda r: STATES[stands[r.number].state] == "in_effect"):
        state = STATES[stands[row.number].state]
        if row.state == state:
            continue
        row.state = state
        if state == "in_effect":
            row.in_effect_from = at
        elif state == "retired":
            row.retired_at = at
        work.session.flush()
        if state == "in_effect":
            name_sellers(work, _read(row.number, row.body).playbook, at)
            because = f"Both sides have agreed to version {row.number}: it holds from now on."
            _notify(work, "playbook_agreed", row.number, because, at)
            defer(work, DECIDE_PROPOSED, {}, lock=DECIDE_PROPOSED)


def name_sellers(work: UnitOfWork, playbook: Playbook, at: datetime) -> None:
    """Have the store know the sellers of a playbook, and who is none of them any more."""
    sellers = playbook.routing.sellers
    named = {"ids": [s.id for s in sellers], "teams": [s.team for s in sellers], "at": at}
    work.execute(NAME_SELLERS, named)
    work.execute(FORGET_SELLERS, named)
