"""How often one caller may ask: token buckets, in the memory of this process."""

from dataclasses import dataclass
from threading import Lock

MOST_KEPT = 10_000
"""Callers remembered at once. Beyond, the fullest buckets are forgotten: they limit nobody."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class RateLimiter:
    """Buckets by caller: each request takes a token, and tokens come back at a steady rate.

    Parameters
    ----------
    per_second
        Tokens that come back each second; 0 for no limit at all.
    burst
        Tokens a full bucket holds.
    """

    def __init__(self, per_second: float, burst: float) -> None:
        self.per_second = per_second
        self.burst = burst
        self._buckets: dict[str, _Bucket] = {}
        self._lock = Lock()

    def acquire(self, who: str, now: float) -> float:
        """Take a token, and tell how many seconds to wait for one if there is none.

        Parameters
        ----------
        who
            Whose bucket.
        now
            Seconds on a clock that never goes back.

        Returns
        -------
        float
            0 if a token was taken.
        """
        return self._ask(who, now, taken=1.0)

    def peek(self, who: str, now: float) -> float:
        """Tell how many seconds to wait for a token, without taking one."""
        return self._ask(who, now, taken=0.0)

    def _ask(self, who: str, now: float, taken: float) -> float:
        if self.per_second <= 0:
            return 0.0
        with self._lock:
            bucket = self._buckets.get(who)
            if bucket is None:
                self._make_room(now)
                bucket = self._buckets[who] = _Bucket(self.burst, now)
            gained = max(now - bucket.filled_at, 0.0) * self.per_second
            bucket.tokens = min(self.burst, bucket.tokens + gained)
            bucket.filled_at = now
            if bucket.tokens < 1.0:
                return (1.0 - bucket.tokens) / self.per_second
            bucket.tokens -= taken
            return 0.0

    def _make_room(self, now: float) -> None:
        if len(self._buckets) < MOST_KEPT:
            return
        waiting = {
            who: bucket
            for who, bucket in self._buckets.items()
            if bucket.tokens + (now - bucket.filled_at) * self.per_second < self.burst
        }
        kept = sorted(waiting, key=lambda who: waiting[who].tokens)[: MOST_KEPT // 2]
        self._buckets = {who: waiting[who] for who in kept}
