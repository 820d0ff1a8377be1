"""Shares and their intervals, and cells too small to be shown. Pure."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist


@dataclass(frozen=True)
class Rate:
    """A share with its interval; all three are None where too few stand behind it."""

    share: float | None
    low: float | None
    high: float | None
    of: float
    """How many stand behind it; of a weighted sample, how many simple draws would tell as much."""

    @property
    def words(self) -> str:
        """Say it.

        >>> find_rate(5, 10).words
        '50 % (24-76 %, of 10)'
        """
        if self.share is None or self.low is None or self.high is None:
            return f"not shown (of {self.of:g})"
        low, high = 100 * self.low, 100 * self.high
        return f"{100 * self.share:.0f} % ({low:.0f}-{high:.0f} %, of {self.of:.0f})"


def find_wilson(successes: float, trials: float, confidence: float = 0.95) -> tuple[float, float]:
    """Compute the Wilson score interval of a share (Wilson, JASA 22, 1927, 209-212).

    >>> low, high = find_wilson(5, 10)
    >>> round(low, 3), round(high, 3)
    (0.237, 0.763)
    """
    if trials <= 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max((centre - spread) / scale, 0.0), min((centre + spread) / scale, 1.0)


def find_rate(successes: float, trials: float, confidence: float = 0.95, least: float = 1) -> Rate:
    """Compute a share with its interval, or nothing if fewer than ``least`` stand behind it."""
    if trials < max(least, 1):
        return Rate(None, None, None, trials)
    low, high = find_wilson(successes, trials, confidence)
    return Rate(successes / trials, low, high, trials)
