"""Many joins of one person: what they cost, how many there may be, and that the past stays."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from serving.intake.api.tools import MESSAGES_AT_ONCE
from serving.store.packed import find_differences, read_packed
from serving.store.session import Store
from tests.conftest import empty_tables
from tests.integration.intake.factories import CATALOG, ask, send_messages, survivors, undo
from tests.integration.intake.test_merging import Market
from tests.integration.scores.job_resources import replay_at

WHEN = "2026-03-05T10:31:00Z"


def track(message_id: str, **who: Any) -> dict[str, Any]:
    return {"type": "track", "event": "x", "messageId": message_id, "timestamp": WHEN, **who}


def identify(user: str, device: str, **traits: Any) -> dict[str, Any]:
    who = {"userId": user, "anonymousId": device, "traits": traits}
    return {"type": "identify", "timestamp": WHEN, **who}


@contextmanager
def watch(store: Store) -> Iterator[Counter[str]]:
    """Count statements, those that pack a lead, and commits; and the rows one statement is to create."""
    seen: Counter[str] = Counter()

    def note(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        seen["statements"] += 1
        if "INTO packed_history" in statement:
            seen["packed"] += len(values) if isinstance(values, list) else 1
        if "pg_advisory_xact_lock(" in statement and "ids" in values:
            seen["created at once"] = max(seen["created at once"], len(values["ids"]))

    def note_commit(_: Any) -> None:
        seen["commits"] += 1

    event.listen(store.engine, "before_cursor_execute", note)
    event.listen(store.engine, "commit", note_commit)
    try:
        yield seen
    finally:
        event.remove(store.engine, "before_cursor_execute", note)
        event.remove(store.engine, "commit", note_commit)


def join_devices(store: Store, user: str, devices: int) -> Counter[str]:
    send_messages(
        store, *(track(f"{user}-{n}", anonymousId=f"{user}-{n}") for n in range(devices))
    )
    with watch(store) as seen:
        send_messages(store, *(identify(user, f"{user}-{n}") for n in range(devices)))
    return seen


def test_joins_of_one_person_take_as_many_statements_as_one_join_and_pack_nobody(
    store: Store,
) -> None:
    one, many = join_devices(store, "u-1", 1), join_devices(store, "u-2", MESSAGES_AT_ONCE)

    assert ask(store, "SELECT count(*) FROM merge WHERE kept_lead_id = 'u-2'") == [
        (MESSAGES_AT_ONCE,)
    ]
    assert many["statements"] == one["statements"]
    # Only the new lead itself, which is empty: none of the histories that were joined to it.
    assert (one["packed"], many["packed"]) == (1, 1)
    with watch(store) as seen, store.work() as work:
        packed = read_packed(work, CATALOG, ["u-2"])
        assert find_differences(work, CATALOG, ["u-2"]) == []
    assert len(packed["u-2"].records) == 16 * MESSAGES_AT_ONCE
    assert seen["packed"] == 1


def test_a_body_is_committed_in_parts_and_holds_few_locks_at_once(store: Store) -> None:
    messages = [identify("u-1", f"a-{n}") for n in range(3 * MESSAGES_AT_ONCE - 1)]

    with watch(store) as seen:
        answer = send_messages(store, *messages)

    assert len(answer) == len(messages)
    assert seen["commits"] == 3
    assert seen["created at once"] <= MESSAGES_AT_ONCE + 1
    assert set(survivors(store).values()) == {"u-1"}


def test_a_person_is_known_under_so_many_keys_and_no_more(store: Store) -> None:
    refused: Counter[str] = Counter()
    bound: dict[str, Any] = {"most_identity_keys": 4, "joins_refused": refused}
    devices = [identify("u-1", f"a-{n}") for n in range(9)]
    send_messages(store, *devices, **bound)
    send_messages(store, *devices, **bound)
    send_messages(store, track("m-1", anonymousId="a-8"), track("m-2", anonymousId="a-1"), **bound)
    mails = [identify("u-1", "a-0", email=f"{n}@example.com") for n in range(9)]
    send_messages(store, *mails, **bound)

    joined = {"u-1", "anonymous:a-0", "anonymous:a-1", "anonymous:a-2"}
    # What nobody did anything under is not kept; a visitor who did something is one of their own.
    assert survivors(store) == {**dict.fromkeys(joined, "u-1"), "anonymous:a-8": "anonymous:a-8"}
    assert ask(store, "SELECT count(*) FROM identity WHERE kind = 'email'") == [(0,)]
    assert refused == {"too many identity keys": 6 + 6 + 9}


def test_who_asks_for_one_join_too_many_is_refused_in_words(store: Store) -> None:
    send_messages(store, *(identify("u-1", f"a-{n}") for n in range(3)))
    alias = {"type": "alias", "previousId": "a-9", "userId": "u-1", "messageId": "m-1"}

    answer = send_messages(store, alias, most_identity_keys=4)

    problem = answer[0].problem
    assert problem is not None
    assert problem["type"] == "urn:baton:problem:too-many-identity-keys"
    assert "BATON_MAX_IDENTITY_KEYS" in problem["fix"]


def draw_messages(rng: random.Random) -> list[dict[str, Any]]:
    """Draw messages that join few names in many ways."""
    drawn: list[dict[str, Any]] = []
    for n in range(12):
        device, user = f"a-{rng.randrange(4)}", f"u-{rng.randrange(3)}"
        mail = {"email": f"{rng.randrange(3)}@example.com"} if rng.random() < 0.4 else {}
        drawn.append(
            rng.choice(
                [
                    track(f"m-{n}", anonymousId=device),
                    track(f"m-{n}", anonymousId=device, userId=user),
                    identify(user, device, **mail),
                    {"type": "alias", "previousId": device, "userId": user, "messageId": f"{n}"},
                ]
            )
        )
    return drawn


@pytest.mark.parametrize("seed", range(12))
def test_joins_decided_together_end_as_if_they_had_come_one_by_one(
    seed: int, store: Store
) -> None:
    messages = draw_messages(random.Random(seed))  # noqa: S311 - no secret
    send_messages(store, *messages)
    together = survivors(store)
    pairs = "SELECT kept_lead_id, merged_lead_id FROM merge ORDER BY merge_id"
    merges = ask(store, pairs)
    empty_tables(store.engine)

    for message in messages:
        send_messages(store, message)

    assert {one: kept for one, kept in survivors(store).items() if one != kept} == {
        one: kept for one, kept in together.items() if one != kept
    }
    assert ask(store, pairs) == merges


class VisitorMarket(Market):
    """Visitors who act, identify themselves many at a time, and are parted by people."""

    def __init__(self, store: Store, folder: Path, seed: int) -> None:
        super().__init__(store, folder, seed)
        self.messages = 0

    def tell(self, *messages: dict[str, Any]) -> None:
        send_messages(self.store, *messages, at=self.clock(), catalog=self.catalog)

    def draw_device(self) -> str:
        return f"a-{self.rng.randrange(6)}"

    def act(self) -> None:
        self.messages += 1
        self.tell(track(f"m-{self.messages}", anonymousId=self.draw_device()))

    def merge(self) -> None:
        users = [f"u-{self.rng.randrange(2)}" for _ in range(4)]
        self.tell(
            *(
                identify(user, self.draw_device(), employees=self.rng.randrange(9))
                for user in users
            )
        )

    def part(self) -> None:
        held = ask(self.store, "SELECT merge_id FROM merge WHERE undone_at IS NULL")
        if held:
            undo(self.store, self.rng.choice(held)[0], self.clock())

    def score(self) -> None:
        for (lead_id,) in ask(self.store, "SELECT lead_id FROM lead WHERE merged_into IS NULL"):
            if self.rng.random() < 0.8:
                self.scorer.score_lead(lead_id, ["asked"])

    def check(self) -> None:
        with self.store.work() as work:
            kept = sorted(set(survivors(self.store).values()))
            read_packed(work, self.catalog, kept)
            assert find_differences(work, self.catalog, kept) == []


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_replayed_to_the_byte_across_joins_made_many_at_a_time(
    seed: int, store: Store, tmp_path: Path
) -> None:
    market = VisitorMarket(store, tmp_path, seed)
    for _ in range(15):
        market.clock.move(minutes=market.rng.randint(1, 2_000))
        market.rng.choice([market.act, market.merge, market.merge, market.part])()
        market.check()
        market.score()

    assert ask(store, "SELECT count(*) FROM merge")[0][0] > 3
    given = ask(store, "SELECT lead_id, as_of, answer FROM score")
    for lead_id, as_of, answer in given:
        assert replay_at(market.scorer, lead_id, as_of, anew=True) == bytes(answer)
    assert len(given) > 30
