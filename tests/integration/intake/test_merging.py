"""Leads become one and two again: no record is lost, packed is what the rows say, the past stays."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from features.clock import from_us, to_us
from features.compute.online import compute_packed_row, compute_rows
from serving.errors import RefusedError
from serving.intake.errors import (
    BothKnownError,
    LeadErasedError,
    MergedElsewhereError,
    MergeUndoneError,
    NoSuchLeadError,
    NoSuchMergeError,
    OneAlreadyError,
    SameLeadError,
)
from serving.store.histories import find_colleagues, read_histories
from serving.store.packed import find_differences, read_packed, read_packed_with_colleagues
from serving.store.session import Store, UnitOfWork
from serving.store.snapshots import read_store
from serving.store.tombstones import hash_id
from tests.integration.intake.factories import (
    CATALOG,
    ask,
    make_event,
    merge,
    send,
    survivors,
    undo,
)
from tests.unit.serving.factories import NOW


def count_packed(store: Store, *lead_ids: str) -> list[int]:
    with store.work() as work:
        packed = read_packed(work, CATALOG, lead_ids)
        assert find_differences(work, CATALOG, lead_ids) == []
    return [len(packed[lead_id].records) // 16 for lead_id in lead_ids]


def test_a_merge_joins_histories_and_undoing_it_restores_both(store: Store) -> None:
    send(store, "event", make_event("e1"), make_event("e2"), make_event("e3", lead_id="bob"))
    made = merge(store, "ann", "bob")
    send(store, "event", make_event("e4", lead_id="bob"))

    assert count_packed(store, "ann") == [4]
    assert ask(store, "SELECT lead_id FROM packed_history") == [("ann",)]

    undone = undo(store, made.merge_id, NOW + timedelta(hours=1))

    assert (undone.undone_by, undone.undone_at) == ("bob the admin", NOW + timedelta(hours=1))
    assert count_packed(store, "ann", "bob") == [2, 2]
    assert set(ask(store, "SELECT lead_id FROM score_due WHERE because = 'merge'")) == {
        ("ann",),
        ("bob",),
    }


def test_a_merge_may_be_undone_though_others_were_built_on_it(store: Store) -> None:
    for lead_id in ("ann", "bob", "cyd", "dee"):
        send(store, "event", make_event(lead_id, lead_id=lead_id))
    merge(store, "cyd", "dee")
    first = merge(store, "bob", "cyd")
    merge(store, "ann", "bob")
    assert survivors(store) == dict.fromkeys(["ann", "bob", "cyd", "dee"], "ann")

    undo(store, first.merge_id)

    assert survivors(store) == {"ann": "ann", "bob": "ann", "cyd": "cyd", "dee": "cyd"}
    assert count_packed(store, "ann", "cyd") == [2, 2]


def _merge_with_nobody(store: Store) -> None:
    merge(store, "ann", "nobody")


def _merge_with_itself(store: Store) -> None:
    merge(store, "ann", "ann")


def _merge_again(store: Store) -> None:
    merge(store, "ann", "bob")
    merge(store, "ann", "bob")


def _merge_in_a_circle(store: Store) -> None:
    merge(store, "ann", "bob")
    merge(store, "bob", "ann")


def _merge_a_part_of_another(store: Store) -> None:
    merge(store, "ann", "bob")
    merge(store, "cyd", "bob")


def _merge_into_a_part_of_another(store: Store) -> None:
    merge(store, "ann", "bob")
    merge(store, "bob", "cyd")


def _merge_two_known_ones_unsaid(store: Store) -> None:
    merge(store, "ann", "bob", both_known=False)


def _merge_an_erased_one(store: Store) -> None:
    with store.work() as work:
        work.execute("DELETE FROM lead WHERE lead_id = 'bob'")
        values = {"hash": hash_id("bob"), "at": NOW}
        work.execute("INSERT INTO tombstone VALUES (%(hash)s, %(at)s)", values)
    merge(store, "ann", "bob")


def _undo_none(store: Store) -> None:
    undo(store, 999)


def _undo_twice(store: Store) -> None:
    made = merge(store, "ann", "bob")
    undo(store, made.merge_id)
    undo(store, made.merge_id)


@pytest.mark.parametrize(
    ("deed", "refusal"),
    [
        (_merge_with_nobody, NoSuchLeadError),
        (_merge_with_itself, SameLeadError),
        (_merge_again, OneAlreadyError),
        (_merge_in_a_circle, OneAlreadyError),
        (_merge_a_part_of_another, MergedElsewhereError),
        (_merge_into_a_part_of_another, MergedElsewhereError),
        (_merge_two_known_ones_unsaid, BothKnownError),
        (_merge_an_erased_one, LeadErasedError),
        (_undo_none, NoSuchMergeError),
        (_undo_twice, MergeUndoneError),
    ],
)
def test_what_cannot_be_merged_is_refused_by_name(
    deed: Callable[[Store], None], refusal: type[RefusedError], store: Store
) -> None:
    send(store, "lead", *({"lead_id": lead_id} for lead_id in ("ann", "bob", "cyd")))

    with pytest.raises(refusal):
        deed(store)


def test_merges_that_cross_each_other_end_in_one(store: Store) -> None:
    leads = [f"L{i}" for i in range(5)]
    send(store, "event", *(make_event(lead_id, lead_id=lead_id) for lead_id in leads))
    pairs = [(kept, merged) for kept in leads for merged in leads if kept != merged]

    def try_merge(pair: tuple[str, str]) -> int:
        try:
            merge(store, *pair)
        except (OneAlreadyError, MergedElsewhereError):
            return 0
        return 1

    with ThreadPoolExecutor(6) as threads:
        made = sum(threads.map(try_merge, pairs))

    assert made == len(leads) - 1
    kept = set(survivors(store).values())
    assert len(kept) == 1
    assert count_packed(store, *kept) == [len(leads)]


def test_what_a_lead_brought_in_is_known_in_training_from_the_merge_on(store: Store) -> None:
    send(store, "event", make_event("e1"), make_event("e2", lead_id="bob"))
    send(store, "lead", {"lead_id": "bob", "attributes": {"employees": 5}})
    at = NOW + timedelta(days=1)
    made = merge(store, "ann", "bob", at)

    def read(before: datetime) -> dict[str, tuple[str, datetime]]:
        events = read_store(store, before, CATALOG.taxonomy, CATALOG).events.to_pylist()
        return {one["event_id"]: (one["lead_id"], one["known_at"]) for one in events}

    joined = {"api:e1": ("ann", NOW), "api:e2": ("ann", at)}
    apart = {"api:e1": ("ann", NOW), "api:e2": ("bob", NOW)}
    assert read(at + timedelta(days=1)) == joined
    assert read(at) == apart
    undo(store, made.merge_id, at + timedelta(days=2))
    assert read(at + timedelta(days=1)) == joined
    assert read(at + timedelta(days=3)) == apart
    leads = read_store(store, at + timedelta(days=1), CATALOG.taxonomy, CATALOG).leads.to_pylist()
    assert [(one["lead_id"], one["known_at"], one["employees"]) for one in leads] == [
        ("ann", NOW - timedelta(hours=1), None),
        ("ann", at, 5),
    ]


class Market:
    """Leads that act, merge and part at random, and what is expected of them."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store, self.rng, self.at = store, random.Random(seed), NOW  # noqa: S311 - no secret
        self.leads = [f"L{i}" for i in range(6)]
        self.events: dict[str, set[str]] = {lead_id: set() for lead_id in self.leads}
        self.merged: dict[int, tuple[str, str]] = {}
        self.looks: list[tuple[str, int, bytes]] = []
        account = {"account_id": "acme"}
        send(store, "lead", *({"lead_id": i, **(account if i < "L3" else {})} for i in self.leads))

    def root(self, lead_id: str) -> str:
        into = {merged: kept for kept, merged in self.merged.values()}
        while lead_id in into:
            lead_id = into[lead_id]
        return lead_id

    def act(self) -> None:
        lead_id = self.rng.choice(self.leads)
        event_id = f"e{sum(map(len, self.events.values()))}"
        when = self.at - timedelta(minutes=self.rng.randint(0, 50_000))
        event = make_event(event_id, lead_id=lead_id, occurred_at=when.isoformat())
        send(self.store, "event", event, at=self.at)
        self.events[lead_id].add(event_id)
        if self.rng.random() < 0.4:
            attributes = {"employees": self.rng.randint(1, 99)}
            send(self.store, "lead", {"lead_id": lead_id, "attributes": attributes}, at=self.at)

    def merge(self) -> None:
        kept, merged = self.rng.sample(self.leads, 2)
        if self.root(kept) != kept or self.root(merged) != merged:
            return
        made = merge(self.store, kept, merged, self.at)
        self.merged[made.merge_id] = (kept, merged)

    def part(self) -> None:
        if self.merged:
            merge_id = self.rng.choice(sorted(self.merged))
            undo(self.store, merge_id, self.at)
            del self.merged[merge_id]

    def look(self) -> None:
        """Look at every lead, as whoever scores them does."""
        with self.store.work() as work:
            for lead_id in self.leads:
                if self.root(lead_id) == lead_id:
                    self._look_at(work, lead_id)

    def _look_at(self, work: UnitOfWork, lead_id: str) -> None:
        packed = read_packed_with_colleagues(work, CATALOG, lead_id)
        assert packed is not None
        known = max(one.known_until for one in (packed, *(packed.colleagues or ())))
        as_of = max(to_us(self.at), known + 1)
        values = {"lead": lead_id, "at": from_us(as_of)}
        work.execute("UPDATE lead SET looked_at = %(at)s WHERE lead_id = %(lead)s", values)
        seen = compute_packed_row(CATALOG, packed, as_of).tobytes()
        self.looks.append((lead_id, as_of, seen))

    def check(self) -> None:
        kept = {lead_id: self.root(lead_id) for lead_id in self.leads}
        assert survivors(self.store) == kept
        with self.store.work() as work:
            roots = sorted(set(kept.values()))
            assert find_differences(work, CATALOG, roots) == []
            for lead_id, packed in read_packed(work, CATALOG, roots).items():
                held = [len(self.events[one]) for one in self.leads if kept[one] == lead_id]
                assert len(packed.records) == 16 * sum(held), lead_id

    def replay(self) -> None:
        with self.store.work(read_only=True) as work:
            for lead_id, as_of, seen in self.looks:
                assert replay(work, lead_id, as_of) == seen, (lead_id, from_us(as_of))


def replay(work: UnitOfWork, lead_id: str, as_of: int) -> bytes:
    """Compute a lead's features from its rows as of a moment of the past."""
    before: datetime = from_us(as_of)
    others = find_colleagues(work, lead_id, before)
    rows = read_histories(work, [lead_id, *others], CATALOG, known_before=before)
    colleagues = tuple(rows[other] for other in others)
    record = rows[lead_id]._replace(colleagues=colleagues)
    return compute_rows(CATALOG, [record], [as_of]).tobytes()


@pytest.mark.parametrize("seed", range(5))
def test_no_sequence_of_merges_and_undoings_loses_an_event_or_changes_the_past(
    seed: int, store: Store
) -> None:
    market = Market(store, seed)
    for _ in range(18):
        market.at += timedelta(minutes=market.rng.randint(1, 2_000))
        market.rng.choice([market.act, market.act, market.merge, market.merge, market.part])()
        market.check()
        market.look()

    market.replay()

    rows = ask(store, "SELECT lead_id, event_id FROM event")
    assert set(rows) == {(lead, one) for lead, held in market.events.items() for one in held}
    for merge_id in sorted(market.merged):
        undo(store, merge_id, market.at)
    assert all(lead_id == kept for lead_id, kept in survivors(store).items())
