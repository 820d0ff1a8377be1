"""From what a caller sent to what the kernel reads."""

import json
from datetime import timedelta
from typing import Any

import pytest

from features.clock import to_us
from serving.errors import AsOfBeforeCreationError, InvalidBodyError, TooManyEventsError
from serving.scoring.request.batches import MOST_VALUES, split_batch
from serving.scoring.request.records import ScorableLead, read_lead
from serving.scoring.request.service import read_body
from tests.unit.serving.factories import NOW, make_catalog, make_lead

CATALOG = make_catalog()
LATER = (NOW + timedelta(hours=1)).isoformat()


def read(**changes: Any) -> ScorableLead:
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


def test_unknown_attributes_are_reported_not_dropped_in_silence() -> None:
    found = read(attributes={"shoe_size": 43, "employees": 5})

    assert found.ignored == ["shoe_size"]
    assert found.known == {"employees"}


def test_a_value_never_seen_is_reported() -> None:
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
    ("stage", "expected"),
    [("sql", "had already reached SQL"), ("lost", "was already closed (lost)")],
)
def test_a_lead_with_nothing_left_to_predict_is_reported(stage: str, expected: str) -> None:
    stages = [{"stage": stage, "at": (NOW - timedelta(days=1)).isoformat()}]

    assert expected in read(stages=stages).warnings[0]


def test_a_lead_cannot_be_looked_at_before_it_was_there() -> None:
    with pytest.raises(AsOfBeforeCreationError) as refused:
        read(as_of=(NOW - timedelta(days=30)).isoformat())

    assert refused.value.status == 422
    assert refused.value.errors[0].path == "as_of"


def test_a_lead_has_a_limit_of_events() -> None:
    with pytest.raises(TooManyEventsError, match="The lead has 101 events; at most 100"):
        read(events=make_lead()["events"][:1] * 101)


def test_an_event_needs_a_name_or_a_kind() -> None:
    with pytest.raises(InvalidBodyError, match=r"events\[0\]: has neither name nor kind"):
        read(events=[{"occurred_at": NOW.isoformat()}])


def test_every_wrong_field_is_reported_at_once() -> None:
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
            "is too far in the past to be right",
        ),
        (
            '{"lead_id": "a", "created_at": "2026-01-01T00:00:00Z", "attributes": {"b": NaN}}',
            "is not a plain value",
        ),
    ],
)
def test_odd_bodies_are_refused_in_words(text: str, problem: str) -> None:
    assert body(text).errors[0].problem == problem


@pytest.mark.parametrize("field", ["events", "stages", "versions"])
def test_a_list_of_a_million_mistakes_is_refused_at_the_first(field: str) -> None:
    listed = ",".join(["{}"] * 500_000)

    error = body(
        f'{{"lead_id": "a", "created_at": "2026-01-01T00:00:00Z", "{field}": [{listed}]}}'
    )

    assert 1 <= len(error.errors) <= 3
    assert all(one.path.startswith(f"{field}[0]") for one in error.errors)


@pytest.mark.parametrize(
    ("field", "entry"),
    [
        ("events", '{"kind":"x","occurred_at":"2026-01-01T00:00:00Z"}'),
        ("stages", '{"stage":"mql","at":"2026-01-01T00:00:00Z"}'),
    ],
)
def test_a_list_has_a_length_that_no_setting_can_raise(field: str, entry: str) -> None:
    listed = ",".join([entry] * 100_001)

    (error,) = body(
        f'{{"lead_id": "a", "created_at": "2026-01-01T00:00:00Z", "{field}": [{listed}]}}'
    ).errors

    assert (error.path, error.problem) == (field, "has too many entries")


def test_thousands_of_wrong_fields_are_counted_not_listed() -> None:
    (error,) = body(json.dumps({f"x{i}": 1 for i in range(10_000)})).errors

    assert error.problem == "10,002 fields are not as agreed"


def test_thousands_of_wrong_attributes_end_at_the_first() -> None:
    sent = {"lead_id": "a", "created_at": "2026-01-01T00:00:00Z"}

    (error,) = body(json.dumps({**sent, "attributes": {f"x{i}": [1] for i in range(900)}})).errors

    assert error.path == "attributes.x0"


def test_a_body_of_commas_is_refused_unread() -> None:
    (error,) = body('{"lead_id": [' + "0," * 1_000_001 + "0]}").errors

    assert error.problem == "the lead has more than 1,000,000 values"


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ("1773046800", "is not a time"),
        ("2026-03-09", "the time has no zone"),
        ("9999-12-31T23:59:59-14:00", "is too far in the future to be right"),
        ("2200-01-01T00:00:00Z", "is too far in the future to be right"),
        ("1979-12-31T23:59:59Z", "is too far in the past to be right"),
        ("1980-01-01T00:00:00+01:00", "is too far in the past to be right"),
        ("0001-01-01T00:00:00+14:00", "is too far in the past to be right"),
    ],
)
def test_times_that_cannot_be_right_are_refused(sent: str, problem: str) -> None:
    (error,) = body(json.dumps({"lead_id": "a", "created_at": sent})).errors

    assert (error.path, error.problem) == ("created_at", problem)
    assert error.fix


@pytest.mark.parametrize(
    "sent",
    [
        "2026-03-09T09:00:00Z",
        "2026-03-09t09:00:00z",
        "2026-03-09T10:00:00.000000+01:00",
        "2026-03-08T19:00:00-14:00",
    ],
)
def test_times_of_every_zone_are_read_to_utc(sent: str) -> None:
    found = read(as_of=sent)

    assert found.as_of == NOW
    assert found.as_of.utcoffset() == timedelta(0)


@pytest.mark.parametrize("value", ["5", True])
def test_the_value_of_an_event_is_a_number_not_text(value: Any) -> None:
    event = {"kind": "purchase", "occurred_at": NOW.isoformat(), "value": value}

    (error,) = body(json.dumps(make_lead(events=[event]))).errors

    assert (error.path, error.problem) == ("events[0].value", "is not a number")


def test_a_category_is_read_as_imports_read_it() -> None:
    spaced, empty = (read(attributes={"industry": sent}) for sent in (" software ", "  "))

    assert spaced.record.versions[0].attributes["industry"] == "software"
    assert empty.record.versions[0].attributes["industry"] is None
    assert empty.known == frozenset()
    assert spaced.warnings == empty.warnings == []


def test_kinds_and_channels_are_read_as_imports_read_them() -> None:
    moment = make_lead()["created_at"]
    sent: list[dict[str, Any]] = [
        {"kind": " Pricing_View", "channel": "WEB "},
        {"kind": "no such kind", "name": "pricing_view", "channel": " "},
        {"kind": "", "name": "Email_Open", "channel": "carrier pigeon"},
    ]

    events = read(events=[{**one, "occurred_at": moment} for one in sent]).record.events

    assert [(event.kind, event.channel) for event in events] == [
        ("pricing_view", "web"),
        ("pricing_view", None),
        ("email_open", "other"),
    ]


def test_an_event_sent_twice_counts_once() -> None:
    first, second = make_lead()["events"]
    sent = [
        {**first, "event_id": "e1"},
        {**second, "event_id": "e1 "},
        {**first, "event_id": ""},
        first,
    ]

    found = read(events=sent)

    assert [event.kind for event in found.record.events] == ["pricing_view"] * 3
    assert found.warnings == [
        "1 event repeats the event_id of another; each id counts once.",
    ]


def test_versions_are_laid_over_each_other_in_the_order_they_became_known() -> None:
    days = [(NOW - timedelta(days=n)).isoformat() for n in (1, 3, 40)]

    found = read(
        attributes={"industry": "software", "employees": 10},
        versions=[
            {"known_at": days[0], "attributes": {"employees": None, "shoe_size": 4}},
            {"known_at": days[1], "attributes": {"employees": 20}},
            {"known_at": days[2], "attributes": {"has_phone": True}},
        ],
    )

    created = found.record.created_at
    base = {"industry": "software", "employees": 10, "has_phone": True}
    assert [(v.known_at, dict(v.attributes)) for v in found.record.versions] == [
        (created, {"industry": "software", "employees": 10}),
        (created, base),
        (to_us(NOW) - 3 * 86_400_000_000, {**base, "employees": 20}),
        (to_us(NOW) - 86_400_000_000, {**base, "employees": None}),
    ]
    assert found.ignored == ["shoe_size"]


def test_a_wrong_attribute_of_a_version_is_reported_by_its_place() -> None:
    version = {"known_at": NOW.isoformat(), "attributes": {"employees": "many"}}

    with pytest.raises(InvalidBodyError) as refused:
        read(versions=[version])

    assert refused.value.errors[0].path == "versions[0].attributes.employees"


def test_a_version_not_known_at_the_moment_is_counted_in_a_warning() -> None:
    found = read(versions=[{"known_at": LATER, "attributes": {"employees": 3}}])

    assert found.warnings == [
        "1 version at or after as_of, or not known before it, does not count."
    ]


@pytest.mark.parametrize(
    ("changes", "is_warned"),
    [
        ({}, True),
        ({"versions": []}, False),
        ({"attributes": {}}, False),
        ({"as_of": (NOW - timedelta(hours=23)).isoformat()}, False),
    ],
)
def test_attributes_of_today_are_not_taken_for_those_of_then_in_silence(
    changes: dict[str, Any], is_warned: bool
) -> None:
    past = {"as_of": (NOW - timedelta(days=2)).isoformat(), "events": [], "stages": []}

    warnings = read(**{**past, **changes}).warnings

    assert any("attributes are taken as known then" in one for one in warnings) == is_warned


@pytest.mark.parametrize("order", [("sql", "returned"), ("returned", "sql")])
def test_moves_of_one_moment_are_replayed_in_one_order(order: tuple[str, str]) -> None:
    at = (NOW - timedelta(days=1)).isoformat()

    assert read(stages=[{"stage": stage, "at": at} for stage in order]).warnings == []


def test_a_batch_of_commas_is_refused_before_it_is_read() -> None:
    body = b'{"leads":[0' + b",0" * (MOST_VALUES + 1) + b"]}"
    with pytest.raises(InvalidBodyError, match="more than 4,000,000 values"):
        split_batch(body, 10_000)


def colleague(**changes: Any) -> dict[str, Any]:
    return {
        "created_at": (NOW - timedelta(days=9)).isoformat(),
        "events": [{"name": "pricing_view", "occurred_at": (NOW - timedelta(days=1)).isoformat()}],
        **changes,
    }


def test_left_out_colleagues_mean_an_unknown_account_and_none_mean_none() -> None:
    unknown, alone = read().record, read(colleagues=[]).record

    assert unknown.colleagues is None
    assert {version.account_id for version in unknown.versions} == {None}
    assert alone.colleagues == ()
    assert None not in {version.account_id for version in alone.versions}


def test_colleagues_are_read_as_leads_are() -> None:
    found = read(colleagues=[colleague()]).record
    (person,) = found.colleagues or ()

    assert [event.kind for event in person.events] == ["pricing_view"]
    assert person.versions[0].account_id == found.versions[0].account_id


def test_an_account_counts_from_the_moment_it_is_known() -> None:
    since = NOW - timedelta(days=3)
    (person,) = (
        read(colleagues=[colleague(account_known_at=since.isoformat())]).record.colleagues or ()
    )

    assert [(v.known_at, v.account_id is None) for v in person.versions] == [
        (to_us(NOW - timedelta(days=9)), True),
        (to_us(since), False),
    ]


def test_problems_of_a_colleague_name_it() -> None:
    for change, path in (
        ({"attributes": {"employees": "many"}}, "colleagues[1].attributes.employees"),
        ({"events": [{"occurred_at": NOW.isoformat()}]}, "colleagues[1].events[0]"),
    ):
        with pytest.raises(InvalidBodyError) as refused:
            read(colleagues=[colleague(), colleague(**change)])
        assert refused.value.errors[0].path == path


def test_colleagues_together_have_no_more_events_than_a_lead() -> None:
    crowd = [colleague(events=colleague()["events"] * 51) for _ in range(2)]

    with pytest.raises(TooManyEventsError, match="colleagues"):
        read(colleagues=crowd)
