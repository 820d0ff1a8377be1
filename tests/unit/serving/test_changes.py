"""Why a score moved: parts that add up, each to its cause; and what a next event would do."""

from pathlib import Path

import numpy as np
import pytest

from features.clock import DAY_US, HOUR_US, to_us
from features.compute.online import compute_rows
from features.contracts.records import EventRecord, LeadRecord, LeadVersion, StageRecord
from serving.explain.changes import ScoreChangePart, explain_change, known_by
from serving.explain.what_if import list_plausible, score_next_events
from tests.unit.serving.factories import NOW, write_small_bundle
from training.bundle import Bundle, load_bundle

UNTIL = to_us(NOW)
SINCE = UNTIL - 3 * DAY_US
CREATED = UNTIL - 20 * DAY_US


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(write_small_bundle(tmp_path_factory.mktemp("old"), accounts=True))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder: Path = tmp_path_factory.mktemp("new")
    return load_bundle(write_small_bundle(folder, bias=-1.3))


def draw_record(rng: np.random.Generator, *, colleagues: int = 0) -> LeadRecord:
    """Draw a lead of which part is known before SINCE, part later, part not even at UNTIL."""

    def moment() -> int:
        return int(rng.integers(CREATED, UNTIL + DAY_US))

    events = []
    for _ in range(int(rng.integers(0, 25))):
        at = moment()
        known = at if rng.random() < 0.7 else at + int(rng.integers(0, 4 * DAY_US))
        kind = str(rng.choice(["pricing_view", "email_open", "page_view", "demo_request"]))
        events.append(EventRecord(at, known, kind, "web"))
    versions = [LeadVersion(CREATED, {"employees": 10.0, "industry": None}, "acme")]
    for at in sorted(moment() for _ in range(int(rng.integers(0, 3)))):
        known = {"employees": float(rng.integers(1, 999)), "industry": "software"}
        versions.append(LeadVersion(at, known, str(rng.choice(["acme", "other"]))))
    at = moment()
    stages = (StageRecord(at, at, "mql"),) if rng.random() < 0.5 else ()
    others = tuple(draw_record(rng) for _ in range(colleagues))
    return LeadRecord("ann", CREATED, tuple(versions), tuple(events), stages, others)


def score(bundle: Bundle, record: LeadRecord, as_of: int) -> float:
    rows = compute_rows(bundle.catalog, [record], [as_of])
    return float(bundle.score(rows).points[0])


def kinds_of(parts: list[ScoreChangePart]) -> list[str]:
    return [part.what for part in parts]


@pytest.mark.parametrize("seed", range(25))
def test_the_parts_add_up_to_the_difference_of_the_two_scores(
    bundle: Bundle, other: Bundle, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    record = draw_record(rng, colleagues=int(rng.integers(0, 3)))
    after = other if seed % 2 else bundle

    moved = explain_change(record, record, SINCE, UNTIL, bundle, after)

    assert moved.points[0] == pytest.approx(score(bundle, record, SINCE), abs=1e-9)
    assert moved.points[1] == pytest.approx(score(after, record, UNTIL), abs=1e-9)
    assert sum(part.points for part in moved.parts) == pytest.approx(moved.delta, abs=1e-9)
    order = ["time", "field", "account", "events", "stages", "model"]
    assert kinds_of(moved.parts) == sorted(kinds_of(moved.parts), key=order.index)
    assert (moved.parts[-1].what == "model") == (after is other)


def make_record(**changes) -> LeadRecord:
    old = SINCE - DAY_US
    record = LeadRecord(
        "ann",
        CREATED,
        (LeadVersion(CREATED, {"employees": 10.0}),),
        (EventRecord(old, old, "pricing_view", "web"),),
        (),
        (),
    )
    return record._replace(**changes)


def test_if_nothing_was_learned_only_time_moved_the_score(bundle: Bundle) -> None:
    moved = explain_change(make_record(), make_record(), SINCE, UNTIL, bundle, bundle)

    assert kinds_of(moved.parts) == ["time"]
    assert moved.delta < 0


def test_each_part_names_its_cause(bundle: Bundle) -> None:
    new = SINCE + HOUR_US
    record = make_record(
        versions=(
            LeadVersion(CREATED, {"employees": 10.0}),
            LeadVersion(new, {"employees": 4_000.0, "industry": "software"}),
        ),
        events=(
            EventRecord(new, new, "email_open", "email"),
            EventRecord(new + 1, new + 1, "pricing_view", "web"),
            EventRecord(new + 2, new + 2, "pricing_view", "web"),
        ),
        stages=(StageRecord(new, new, "mql"),),
    )

    moved = explain_change(record, record, SINCE, UNTIL, bundle, bundle)

    found = [(part.what, part.name, part.count) for part in moved.parts]
    assert found == [
        ("time", None, 1),
        ("field", "employees", 1),
        ("field", "industry", 1),
        ("events", "email_open", 1),
        ("events", "pricing_view", 2),
        ("stages", None, 1),
    ]
    by_name = {part.name or part.what: part for part in moved.parts}
    assert by_name["pricing_view"].points > 0 > by_name["email_open"].points
    assert by_name["employees"].points > 0
    assert by_name["pricing_view"].words == "2 pricing-page views"
    assert by_name["stages"].words == "moved to mql"


def test_a_late_arrival_counts_when_it_became_known(bundle: Bundle) -> None:
    happened = SINCE - HOUR_US
    late = EventRecord(happened, SINCE + HOUR_US, "pricing_view", "web")

    record = make_record(events=(late,))

    moved = explain_change(record, record, SINCE, UNTIL, bundle, bundle)

    assert [part.name for part in moved.parts] == [None, "pricing_view"]


def test_what_colleagues_do_is_a_part_of_its_own(bundle: Bundle) -> None:
    new = SINCE + HOUR_US
    colleague = make_record(
        versions=(LeadVersion(CREATED, {}, "acme"),),
        events=(EventRecord(new, new, "demo_request", "web"),),
        colleagues=None,
    )
    lead = make_record(versions=(LeadVersion(CREATED, {}, "acme"),), colleagues=(colleague,))

    moved = explain_change(lead, lead, SINCE, UNTIL, bundle, bundle)

    assert kinds_of(moved.parts) == ["time", "account"]
    assert moved.parts[1].points > 0


def test_a_colleague_who_came_later_was_not_there_before() -> None:
    later = make_record(created_at=SINCE, versions=(LeadVersion(SINCE, {}, "acme"),))

    assert known_by(make_record(colleagues=(later,)), SINCE).colleagues == ()


def test_what_a_merge_brought_and_its_undoing_took_away_is_a_part_of_its_own(
    bundle: Bundle,
) -> None:
    old, new = SINCE - DAY_US, SINCE + HOUR_US
    brought = EventRecord(old, old, "pricing_view", "web")
    own = make_record(events=())
    end = make_record(events=(EventRecord(new, new, "email_open", "email"),))

    moved = explain_change(
        make_record(events=(brought, brought)), end, SINCE, UNTIL, bundle, bundle
    )

    assert kinds_of(moved.parts) == ["time", "merge", "events"]
    part = moved.parts[1]
    assert (part.count, part.points < 0) == (2, True)
    assert part.words == "2 records of another lead, since a merge was undone"
    assert moved.points[1] == pytest.approx(score(bundle, end, UNTIL), abs=1e-9)
    with_it, without = (
        score(bundle, own._replace(events=(brought,) * 2), UNTIL),
        score(bundle, own, UNTIL),
    )
    assert part.points == pytest.approx(without - with_it, abs=1e-9)


def test_a_next_event_is_worth_what_the_score_with_it_states(bundle: Bundle) -> None:
    record = make_record()
    events = list_plausible(bundle, record)

    base, outcomes = score_next_events(bundle, record, UNTIL, events)

    assert base == pytest.approx(score(bundle, record, UNTIL))
    assert {o.event.kind for o in outcomes} == set(bundle.catalog.taxonomy.kind_names) - {"other"}
    assert [o.points_added for o in outcomes] == sorted(
        (o.points_added for o in outcomes), reverse=True
    )
    best = outcomes[0]
    assert (best.event.kind, best.event.channel, best.seen_before) == ("pricing_view", "web", 1)
    added = EventRecord(UNTIL - 1, UNTIL - 1, "pricing_view", "web")
    with_it = score(bundle, record._replace(events=(*record.events, added)), UNTIL)
    assert best.points == pytest.approx(with_it)
    assert best.points_added == pytest.approx(with_it - base)
