"""From what a caller sent to what the kernel reads."""

import json
from datetime import timedelta
from typing import Any

import pytest

from features.clock import to_us
from serving.errors import InvalidBodyError, LookedTooEarlyError, TooManyEventsError
from serving.scoring.records import ReadLead, read_lead
from serving.scoring.service import read_body
from tests.unit.serving.factories import NOW, make_catalog, make_lead

CATALOG = make_catalog()
LATER = (NOW + timedelta(hours=1)).isoformat()


def read(**changes: Any) -> ReadLead:
    lead = read_body(json.dumps(make_lead(**changes)).encode())
    return read_lead(lead, CATALOG, "sql", NOW, most_events=100)


def body(text: str) -> InvalidBodyError:
    with pytest.raises(InvalidBodyError) as refused:
        read_body(text.encode())
    return refused.value


def test_names_become_kinds_and_times_microseconds() -> None:
    events = read().record.events

    assert [event.kind for event in events] == ["pricing_view", "email_open"]
    assert events[0].occurred_at == events[0].known_at == to_us(NOW - timedelta(days=2))


def test_left_out_the_moment_of_looking_is_now() -> None:
    assert read(as_of=None).as_of == NOW


def test_unknown_attributes_are_told_not_dropped_in_silence() -> None:
    found = read(attributes={"shoe_size": 43, "employees": 5})

    assert found.ignored == ["shoe_size"]
    assert found.known == {"employees"}


def test_a_value_never_seen_is_told() -> None:
    found = read(attributes={"industry": "fishing"})

    assert found.warnings == [
        "The value of industry was too rare in training; it counts as another rare value."
    ]


def test_a_time_attribute_is_read_as_microseconds() -> None:
    found = read(attributes={"contract_ends": "2026-03-01T00:00:00Z"})

    assert found.record.versions[0].attributes["contract_ends"] == to_us(NOW) - 8.375 * 86_400e6


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("employees", "250", "is not a number"),
        ("employees", True, "is not a number"),
        ("industry", 7, "is not text"),
        ("has_phone", "yes", "is not true or false"),
        ("contract_ends", "soon", "is not a time with a zone"),
        ("contract_ends", "2026-03-01T00:00:00", "is not a time with a zone"),
    ],
)
def test_an_attribute_of_the_wrong_type_is_refused(name: str, value: Any, problem: str) -> None:
    with pytest.raises(InvalidBodyError) as refused:
        read(attributes={name: value})

    (error,) = refused.value.errors
    assert (error.path, error.problem) == (f"attributes.{name}", problem)
    assert error.fix


def test_what_lies_in_the_future_is_counted_in_a_warning() -> None:
    events = [{"name": "demo_request", "occurred_at": LATER}, *make_lead()["events"]]

    found = read(events=events, stages=[{"stage": "sal", "at": NOW.isoformat()}])

    assert found.warnings == [
        "1 event at or after as_of, or not known before it, does not count.",
        "1 stage change at or after as_of, or not known before it, does not count.",
    ]


def test_an_event_that_became_known_too_late_is_counted_too() -> None:
    event = {"name": "demo_request", "occurred_at": make_lead()["created_at"], "known_at": LATER}

    assert len(read(events=[event]).warnings) == 1


def test_names_the_taxonomy_does_not_know_are_listed() -> None:
    moment = make_lead()["created_at"]
    events = [{"name": name, "occurred_at": moment} for name in ("Yawned", "Yawned", "other")]

    assert read(events=events).warnings == [
        "2 events have names the taxonomy does not know and count as other: 'Yawned'."
    ]


@pytest.mark.parametrize(
    ("stage", "said"), [("sql", "had already reached SQL"), ("lost", "was already closed (lost)")]
)
def test_a_lead_with_nothing_left_to_predict_is_told(stage: str, said: str) -> None:
    stages = [{"stage": stage, "at": (NOW - timedelta(days=1)).isoformat()}]

    assert said in read(stages=stages).warnings[0]


def test_a_lead_cannot_be_looked_at_before_it_was_there() -> None:
    with pytest.raises(LookedTooEarlyError) as refused:
        read(as_of=(NOW - timedelta(days=30)).isoformat())

    assert refused.value.status == 422
    assert refused.value.errors[0].path == "as_of"


def test_a_lead_has_a_limit_of_events() -> None:
    with pytest.raises(TooManyEventsError, match="The lead has 101 events; at most 100"):
        read(events=make_lead()["events"][:1] * 101)


def test_an_event_needs_a_name_or_a_kind() -> None:
    with pytest.raises(InvalidBodyError, match=r"events\[0\]: has neither name nor kind"):
        read(events=[{"occurred_at": NOW.isoformat()}])


def test_every_wrong_field_is_told_at_once() -> None:
    error = body(
        '{"lead_id": 3, "created_at": "2026-01-01T00:00:00", "industry": "x",'
        ' "attributes": {"a": [1]}, "events": [{"occurred_at": "yesterday"}],'
        ' "stages": [{"stage": "hot", "at": 1767225600}]}'
    )

    assert {(one.path, one.problem) for one in error.errors} == {
        ("lead_id", "is not text"),
        ("created_at", "the time has no zone"),
        ("industry", "is not a field of this record"),
        ("attributes.a", "is not a plain value"),
        ("events[0].occurred_at", "is not a time"),
        ("stages[0].stage", "is none of the stages"),
        ("stages[0].at", "is not a time"),
    }
    assert all(one.fix for one in error.errors)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the body is not JSON"),
        ("{", "the body is not JSON"),
        ("[]", "is not an object"),
        ('{"lead_id": "", "created_at": "2026-01-01T00:00:00Z"}', "is empty"),
        ('{"lead_id": "a"}', "is missing"),
        (
            '{"lead_id": "a", "created_at": "0001-01-01T00:00:00Z"}',
            "lies too far in the past to be right",
        ),
        (
            '{"lead_id": "a", "created_at": "2026-01-01T00:00:00Z", "attributes": {"b": NaN}}',
            "is not a plain value",
        ),
    ],
)
def test_odd_bodies_are_refused_in_words(text: str, problem: str) -> None:
    assert body(text).errors[0].problem == problem
