"""Token buckets: bursts, the steady rate, one caller apart from another."""

import pytest

from serving.auth.rate_limiter import MOST_KEPT, RateLimiter


def test_a_burst_is_allowed_and_then_the_rate_holds():
    rates = RateLimiter(per_second=2.0, burst=3.0)

    taken = [rates.acquire("ann", 10.0) for _ in range(5)]

    assert taken == [0.0, 0.0, 0.0, 0.5, 0.5]
    assert rates.acquire("ann", 10.5) == 0.0
    assert rates.acquire("ann", 10.5) == pytest.approx(0.5)
    assert [rates.acquire("ann", 1000.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_callers_do_not_share_a_bucket():
    rates = RateLimiter(per_second=1.0, burst=1.0)

    assert rates.acquire("ann", 0.0) == 0.0
    assert rates.acquire("ann", 0.0) == 1.0
    assert rates.acquire("bob", 0.0) == 0.0


def test_looking_takes_nothing():
    rates = RateLimiter(per_second=1.0, burst=1.0)

    assert [rates.peek("ann", 0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert rates.acquire("ann", 0.0) == 0.0
    assert rates.peek("ann", 0.0) == 1.0


def test_no_rate_is_no_limit():
    assert {RateLimiter(0.0, 1.0).acquire("ann", 0.0) for _ in range(100)} == {0.0}


def test_a_crowd_does_not_fill_the_memory_and_frees_nobody_who_waits():
    rates = RateLimiter(per_second=1.0, burst=1.0)
    rates.acquire("ann", 0.0)

    for number in range(2 * MOST_KEPT):
        rates.acquire(str(number), 0.5 + number * 1e-9)

    assert len(rates._buckets) <= MOST_KEPT
    assert rates.acquire("ann", 0.6) > 0.0


def test_a_crowd_drives_out_whoever_waits_least():
    rates = RateLimiter(per_second=1.0, burst=10.0)
    for _ in range(10):
        rates.acquire("ann", 0.0)

    # Each of the crowd has nine tokens left; ann has none.
    for number in range(MOST_KEPT):
        rates.acquire(str(number), 0.0)

    assert rates.peek("ann", 0.0) > 0.0
