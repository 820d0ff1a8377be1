"""Digests: the daily queue of a seller, the weekly numbers of both sides, the overseer's month.

What is announced says only whose digest of which day; the words are made when it is sent, from what
the store holds by then, so that no list of leads lies in the outbox.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256

from sqlalchemy import select

from features import clock
from serving.handoff.clocks.working_hours import WorkingHours
from serving.handoff.lifecycle.clocks import Read, read_clocks
from serving.handoff.machine.transitions import OPEN
from serving.handoff.oversight.queries import GIVEN_BACK, list_cases
from serving.handoff.playbook.repository import Agreed, read_agreed, read_cited
from serving.handoff.playbook.sections.notifications import Digest
from serving.handoff.scoreboard.period import ReportingPeriod
from serving.handoff.scoreboard.queries import read_promised, read_records
from serving.handoff.scoreboard.rules import build_scoreboard
from serving.notify.digest_times import find_due_day, find_span
from serving.notify.mail import deliver, write_mail
from serving.notify.messages import Message, Table
from serving.notify.outbox import Effect, SendFailedError
from serving.settings import ServingSettings
from serving.store.session import Store, UnitOfWork
from serving.store.tables import Handoff

TOPIC = "digest"

MOST_ROWS = 50


def find_hours(agreed: Agreed, digest: Digest) -> WorkingHours:
    """Find the calendar of a digest."""
    return WorkingHours(agreed.playbook.sla.calendars[digest.calendar])


def list_readers(digest: Digest, settings: ServingSettings) -> Iterator[tuple[str, str | None]]:
    """List who gets a digest: an address, and the seller where it is one's own."""
    if digest.to != "seller":
        yield from ((address, None) for address in settings.mail_to.get(digest.to, ()))
        return
    for name, addresses in sorted(settings.mail_to.items()):
        if name.startswith("seller:"):
            yield from ((address, name.removeprefix("seller:")) for address in addresses)


def announce_digests(work: UnitOfWork, settings: ServingSettings, at: datetime) -> int:
    """Announce the digests that are due, each once to each reader; give how many are new."""
    if settings.smtp_host is None:
        return 0
    agreed, count = read_agreed(work), 0
    for digest in agreed.playbook.notifications.digests:
        day = find_due_day(digest, find_hours(agreed, digest), at)
        if day is None:
            continue
        for to, seller in list_readers(digest, settings):
            whom = sha256(f"{to} {seller}".encode()).hexdigest()[:16]
            payload = {"name": digest.name, "day": day.isoformat(), "to": to, "seller": seller}
            count += work.enqueue_effect(f"digest:{digest.name}:{day}:{whom}", TOPIC, payload, at)
    return count


def build_digest(
    work: UnitOfWork, digest: Digest, day: date, seller: str | None, at: datetime, public_url: str
) -> Message:
    """Write a digest from what the store holds."""
    agreed = read_agreed(work)
    tables: list[Table] = []
    rows = _list_open(work, seller)
    clocks = _read_running(work, rows, at) if {"overdue", "due_today"} & set(digest.holds) else []
    hours = find_hours(agreed, digest)
    span = ReportingPeriod(*find_span(digest, hours, day))
    for part in digest.holds:
        if part == "queue":
            tables.append(_list_queue(rows))
        elif part in {"overdue", "due_today"}:
            tables.append(_list_clocks(part, clocks, hours, at))
        elif part == "scoreboard":
            tables.append(_draw_scoreboard(work, agreed, span, at))
        elif part == "returns":
            tables.append(_count_returns(work, span))
        else:
            tables.append(_list_cases(work))
    title = f"{digest.name.replace('_', ' ').capitalize()}, {day:%Y-%m-%d}"
    link = public_url.rstrip("/") + ("/sla" if "scoreboard" in digest.holds else "/")
    return Message(title, (f"{title}.",), tuple(tables), link)


def _list_open(work: UnitOfWork, seller: str | None) -> list[Handoff]:
    asked = select(Handoff).where(Handoff.state.in_([state.value for state in OPEN]))
    if seller is not None:
        asked = asked.where(Handoff.seller_id == seller)
    return list(work.session.scalars(asked.order_by(Handoff.since).limit(MOST_ROWS)))


def _list_queue(rows: list[Handoff]) -> Table:
    cells = tuple(
        (str(row.handoff_id), row.state.replace("_", " "), row.priority, row.because)
        for row in rows
    )
    return Table("Your queue", ("Handoff", "State", "Priority", "Why"), cells, "No lead waits.")


def _read_running(
    work: UnitOfWork, rows: list[Handoff], at: datetime
) -> list[tuple[Handoff, Read]]:
    return [
        (row, one)
        for row in rows
        for one in read_clocks(work, row, at, read_cited(work, row.playbook_version), running=True)
    ]


def _list_clocks(
    part: str, clocks: list[tuple[Handoff, Read]], hours: WorkingHours, at: datetime
) -> Table:
    today = hours.local_day(at)
    cells = []
    for row, one in clocks:
        due_at = one.reading.due_at
        is_today = due_at is not None and due_at >= at and hours.local_day(due_at) == today
        if is_today if part == "due_today" else one.reading.breached:
            cells.append((str(row.handoff_id), one.reading.because))
    title = {"overdue": "Overdue", "due_today": "Due today"}[part]
    return Table(title, ("Handoff", "Deadline"), tuple(cells))


def _draw_scoreboard(
    work: UnitOfWork, agreed: Agreed, span: ReportingPeriod, at: datetime
) -> Table:
    clocks, handoffs = read_records(work, agreed, span, at)
    lines = build_scoreboard(read_promised(work), clocks, handoffs, span, at)
    cells = tuple(
        (line.side.value, line.promise.replace("_", " "), line.because) for line in lines
    )
    return Table("SLA: agreed and achieved", ("Side", "Target", "Result"), cells)


def _count_returns(work: UnitOfWork, span: ReportingPeriod) -> Table:
    asked = select(Handoff.reason).where(
        Handoff.closed_at >= span.start,
        Handoff.closed_at < span.end,
        Handoff.state.in_(GIVEN_BACK),
    )
    counts = Counter(reason or "not known" for reason in work.session.scalars(asked))
    cells = tuple((reason.replace("_", " "), str(n)) for reason, n in counts.most_common())
    return Table("Returned", ("Reason", "Leads"), cells, "No lead was returned.")


def _list_cases(work: UnitOfWork) -> Table:
    cells = tuple(
        (str(case.row.case_id), f"{case.row.due_at:%Y-%m-%d}", case.row.because)
        for case in list_cases(work)
        if case.finding is None
    )
    return Table("Cases to review", ("Case", "Until", "What the rule says"), cells[:MOST_ROWS])


@dataclass
class DigestSender:
    """Sends effects of the topic ``digest``."""

    store: Store
    settings: ServingSettings
    now: Callable[[], datetime] = clock.now

    def __call__(self, effect: Effect) -> None:
        """Write and deliver.

        Raises
        ------
        SendFailedError
            If the mail server does not take it; for good where the playbook has no such digest now.
        """
        payload, at = effect.payload, self.now()
        with self.store.work(read_only=True) as work:
            digests = read_agreed(work).playbook.notifications.digests
            digest = next((one for one in digests if one.name == payload["name"]), None)
            if digest is None:
                raise SendFailedError("The playbook has no such digest now", for_good=True)
            day = date.fromisoformat(payload["day"])
            message = build_digest(
                work, digest, day, payload["seller"], at, self.settings.public_url
            )
        sender = self.settings.mail_from
        deliver(self.settings, write_mail(message, sender, payload["to"], effect.key, at))
