"""The outbox: sent once where all goes well, again where it does not, settled only by who holds it."""

import re
from datetime import timedelta
from typing import Any

from serving.notify.outbox import LEASE, RETRY_AFTER, Effect, Outbox, SendFailedError
from serving.store.session import Store
from tests.integration.scores.job_resources import Clock, ask


def announce(store: Store, clock: Clock, *keys: str, topic: str = "mail") -> None:
    with store.work() as work:
        for key in keys:
            work.enqueue_effect(key, topic, {"about": key}, clock())


def read_states(store: Store) -> dict[str, Any]:
    return dict(ask(store, "SELECT effect_key, state FROM outbox_effect"))


class Recorder:
    """Sends nothing, remembers all."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def __call__(self, effect: Effect) -> None:
        self.sent.append(effect.key)


class Refuser:
    """Takes nothing."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, effect: Effect) -> None:
        raise self.error


def test_what_waits_is_sent_once_in_the_order_it_was_decided(store: Store) -> None:
    clock, sender = Clock(), Recorder()
    announce(store, clock, "a", "b", "c")
    outbox = Outbox(store, {"mail": sender}, now=clock)

    assert outbox.run_once() == 3
    assert outbox.run_once() == 0

    assert sender.sent == ["a", "b", "c"]
    assert set(read_states(store).values()) == {"done"}


def test_effects_of_a_topic_without_sender_are_left_alone(store: Store) -> None:
    clock = Clock()
    announce(store, clock, "a", topic="fax")

    assert Outbox(store, {"mail": Recorder()}, now=clock).run_once() == 0
    assert read_states(store) == {"a": "waiting"}


def test_a_failure_is_tried_again_after_longer_and_longer_waits(store: Store) -> None:
    clock = Clock()
    announce(store, clock, "a")
    outbox = Outbox(store, {"mail": Refuser(ConnectionError("no route to 10.0.0.7"))}, now=clock)

    waits = []
    for _ in RETRY_AFTER:
        assert outbox.run_once() == 1
        ((next_at, problem),) = ask(store, "SELECT next_at, last_problem FROM outbox_effect")
        waits.append(next_at - clock())
        assert outbox.run_once() == 0
        clock.at = next_at
    outbox.run_once()

    assert tuple(waits) == RETRY_AFTER
    # The class and the place: the words of an error may hold what was sent.
    assert re.fullmatch(
        r"ConnectionError in tests/\S+/test_outbox\.py:\d+ Refuser\.__call__", problem
    )
    assert read_states(store) == {"a": "given_up"}
    assert (outbox.failed, outbox.given_up) == (len(RETRY_AFTER) + 1, 1)


def test_a_refusal_for_good_is_given_up_at_once(store: Store) -> None:
    clock = Clock()
    announce(store, clock, "a")
    refusal = SendFailedError("gone (410)", for_good=True)
    Outbox(store, {"mail": Refuser(refusal)}, now=clock).run_once()

    assert read_states(store) == {"a": "given_up"}


def test_the_other_side_may_ask_for_patience_but_not_for_ever(store: Store) -> None:
    clock = Clock()
    announce(store, clock, "a")
    refusal = SendFailedError("busy (429)", retry_after=timedelta(days=400))
    Outbox(store, {"mail": Refuser(refusal)}, now=clock).run_once()

    assert ask(store, "SELECT next_at FROM outbox_effect") == [(clock() + timedelta(days=1),)]


def test_two_senders_do_not_claim_the_same_effect(store: Store) -> None:
    clock = Clock()
    announce(store, clock, *(f"e{n}" for n in range(10)))
    outboxes = [Outbox(store, {"mail": Recorder()}, most=6, now=clock) for _ in range(2)]

    claimed = [[effect.key for effect in outbox.claim()[1]] for outbox in outboxes]

    assert [len(keys) for keys in claimed] == [6, 4]
    assert len({key for keys in claimed for key in keys}) == 10


def test_an_effect_of_a_dead_sender_is_sent_by_another_after_its_lease(store: Store) -> None:
    clock, sender = Clock(), Recorder()
    announce(store, clock, "a")
    Outbox(store, {"mail": Recorder()}, now=clock).claim()  # and dies
    outbox = Outbox(store, {"mail": sender}, now=clock)

    assert outbox.run_once() == 0
    clock.at += LEASE
    assert outbox.run_once() == 1
    assert sender.sent == ["a"]


def test_who_finishes_after_the_lease_settles_nothing(store: Store) -> None:
    clock = Clock()
    announce(store, clock, "a")
    other = Outbox(store, {"mail": Refuser(ConnectionError())}, now=clock)

    def dawdle(effect: Effect) -> None:
        clock.at += LEASE
        other.run_once()  # takes it over, and fails to send it

    slow = Outbox(store, {"mail": dawdle}, now=clock)
    slow.run_once()

    assert slow.leases_lost == 1
    assert read_states(store) == {"a": "waiting"}
