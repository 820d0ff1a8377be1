"""The outbox: effects claimed under a lease, sent, and settled by whoever still holds the lease.

An effect may be sent twice (a sender that dies after sending cannot say so); its key travels with it, so
that the other side can tell. It is never settled by somebody whose lease has run out.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex
from threading import Lock
from typing import Any, Protocol

import structlog

from features import clock
from serving.errors import ServingError
from serving.faults import describe_fault
from serving.store.session import Store

RETRY_AFTER = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""Waits between attempts, about three days in all: the schedule of Standard Webhooks (2025)."""

MOST_WAIT = timedelta(days=1)
"""However long the other side asks us to wait."""

LEASE = timedelta(seconds=60)
"""Longer than a sender may take; then others may send it."""

CLAIM = """
UPDATE outbox_effect SET leased_by = %(by)s, leased_until = %(until)s, attempts = attempts + 1
WHERE effect_number = ANY(ARRAY(
    SELECT effect_number FROM outbox_effect
    WHERE state = 'waiting' AND next_at <= %(at)s AND topic = ANY(%(topics)s)
        AND (leased_until IS NULL OR leased_until <= %(at)s)
    ORDER BY next_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
)) RETURNING effect_number, effect_key, topic, lead_id, payload, attempts, created_at
"""
SETTLE = """
UPDATE outbox_effect SET state = %(state)s, settled_at = %(settled)s, next_at = %(next)s,
    leased_by = NULL, leased_until = NULL, last_problem = %(problem)s
WHERE effect_number = %(number)s AND leased_by = %(by)s AND state = 'waiting'
"""

log = structlog.get_logger(__name__)


class SendFailedError(ServingError):
    """The other side did not take an effect."""

    def __init__(
        self, reason: str, *, for_good: bool = False, retry_after: timedelta | None = None
    ) -> None:
        self.reason = reason
        """Why, without anything that was sent."""
        self.for_good = for_good
        """Whether it makes no sense to try again."""
        self.retry_after = retry_after
        """How long the other side asks us to wait."""
        super().__init__(f"{reason}. It is tried again unless it was refused for good.")


@dataclass(frozen=True, slots=True)
class Effect:
    """Something to send."""

    number: int
    key: str
    """The same at every attempt: what the other side can tell repeats by."""
    topic: str
    lead_id: str | None
    payload: dict[str, Any]
    attempt: int
    """1 for the first."""
    created_at: datetime


class Sender(Protocol):
    """Sends the effects of one topic."""

    def __call__(self, effect: Effect) -> None:
        """Send an effect; raise `SendFailedError`, or anything, if that did not work."""


class Outbox:
    """Sends what waits, by topic. Effects of topics that nobody sends are left alone."""

    def __init__(
        self,
        store: Store,
        senders: Mapping[str, Sender],
        *,
        most: int = 20,
        lease: timedelta = LEASE,
        at_once: int = 1,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self.store = store
        self.senders = dict(senders)
        self.most = most
        self.lease = lease
        self.at_once = at_once
        """Effects sent side by side, so that one slow receiver does not hold up the others. All that
        are claimed must be through before the lease ends: ``most / at_once`` times a sender's timeout."""
        self.now = now
        self.sent = 0
        self.failed = 0
        """Attempts that failed."""
        self.given_up = 0
        self.leases_lost = 0
        """Effects that were settled by another, since our lease had run out."""
        self._counting = Lock()

    def claim(self) -> tuple[str, list[Effect]]:
        """Claim effects whose time has come; give the name of the lease and the effects."""
        by, at = f"outbox-{token_hex(8)}", self.now()
        asked = {"by": by, "at": at, "until": at + self.lease, "most": self.most}
        with self.store.work() as work:
            rows = work.execute(CLAIM, {**asked, "topics": list(self.senders)}).all()
        return by, [Effect(*row) for row in sorted(rows)]

    def run_once(self) -> int:
        """Send what waits; give how many effects were claimed.

        Raises
        ------
        StoreUnavailableError
            If the database is away; what was not settled is sent again after its lease.
        """
        if not self.senders:
            return 0
        by, effects = self.claim()
        if self.at_once == 1 or len(effects) < 2:
            for effect in effects:
                self._send(by, effect)
            return len(effects)
        with ThreadPoolExecutor(self.at_once, "outbox") as pool:
            # Asked for one by one, so that what went wrong beyond the senders is raised here.
            list(pool.map(lambda effect: self._send(by, effect), effects))
        return len(effects)

    def _count(self, name: str) -> None:
        with self._counting:
            setattr(self, name, getattr(self, name) + 1)

    def _send(self, by: str, effect: Effect) -> None:
        try:
            self.senders[effect.topic](effect)
        except SendFailedError as error:
            self._settle_failure(by, effect, error, {"reason": error.reason})
        except Exception as error:  # noqa: BLE001 - edge of a job: any failure of a sender is one attempt
            fault = describe_fault(error)
            reason = f"{fault['error']} in {fault['where'][-1]}"
            self._settle_failure(by, effect, SendFailedError(reason), fault)
        else:
            self._count("sent")
            self._settle(by, effect, "done", None, None)

    def _settle_failure(
        self, by: str, effect: Effect, error: SendFailedError, fault: Mapping[str, Any]
    ) -> None:
        self._count("failed")
        is_last = effect.attempt > len(RETRY_AFTER)
        gives_up = error.for_good or is_last
        log.warning(
            "effect_not_sent",
            effect=effect.number,
            topic=effect.topic,
            attempt=effect.attempt,
            given_up=gives_up,
            **fault,
        )
        if gives_up:
            self._count("given_up")
            self._settle(by, effect, "given_up", None, error.reason)
            return
        wait = RETRY_AFTER[effect.attempt - 1]
        if error.retry_after is not None:
            wait = min(max(wait, error.retry_after), MOST_WAIT)
        self._settle(by, effect, "waiting", wait, error.reason)

    def _settle(
        self, by: str, effect: Effect, state: str, wait: timedelta | None, problem: str | None
    ) -> None:
        at = self.now()
        values = {"state": state, "by": by, "number": effect.number, "problem": problem}
        values |= {"settled": None if wait else at, "next": at + (wait or timedelta())}
        with self.store.work() as work:
            if work.execute(SETTLE, values).rowcount == 0:
                self._count("leases_lost")
                log.warning("lease_lost", effect=effect.number, topic=effect.topic)
