"""Messages of tools in our words: pure, so no server and no store."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from features.contracts.identity_keys import IdentityKey, read_email
from features.taxonomy import default_taxonomy
from serving.errors import InvalidBodyError
from serving.intake.identity.joining import MergeCandidate, MergeVerdict, decide_join
from serving.intake.tools import segment, snowplow
from serving.intake.tools.parsed_message import ParsedMessage

TAXONOMY = default_taxonomy()
WHEN = "2026-03-05T10:31:00+00:00"


def make_message(**fields: Any) -> ParsedMessage:
    message = {"userId": "u-1", "messageId": "m-1", "timestamp": WHEN, **fields}
    read = msgspec.json.decode(json.dumps(message).encode(), type=segment.SegmentMessage)
    return segment.translate(read, TAXONOMY, None)


def make_payload(**fields: Any) -> ParsedMessage:
    return snowplow.translate({"duid": "d-1", "eid": "e-1", **fields}, TAXONOMY)


def event_of(parsed: ParsedMessage) -> dict[str, Any]:
    assert parsed.event is not None
    return dict(parsed.event)


def lead_of(parsed: ParsedMessage) -> dict[str, Any]:
    assert parsed.lead is not None
    return dict(parsed.lead)


def test_a_track_message_is_an_event_of_its_user() -> None:
    parsed = make_message(
        type="track", event="Demo Requested", properties={"revenue": 12, "plan": "pro"}
    )

    assert parsed.about == IdentityKey("user_id", "u-1")
    assert event_of(parsed) == {
        "event_id": "m-1",
        "name": "Demo Requested",
        "kind": None,
        "channel": None,
        "value": 12.0,
        "properties": {"revenue": 12, "plan": "pro"},
        "source": "segment",
        "occurred_at": WHEN,
    }


def test_address_and_browser_of_the_person_are_not_kept() -> None:
    context = {
        "ip": "203.0.113.9",
        "userAgent": "Mozilla",
        "page": {"url": "https://acme.example/x", "referrer": "https://ads.example", "title": "X"},
        "campaign": {"source": "ads"},
    }

    event = event_of(make_message(type="track", event="x", context=context))

    assert event["channel"] == "web"
    assert event["properties"] == {
        "url": "https://acme.example/x",
        "referrer": "https://ads.example",
        "campaign": {"source": "ads"},
    }


@pytest.mark.parametrize(
    ("fields", "name", "kind"),
    [
        ({"name": "Pricing"}, "Pricing", None),
        ({"name": "Home"}, "Home", "page"),
        ({"name": "Plans", "properties": {"path": "/pricing"}}, "pricing", None),
        ({"properties": {"url": "https://acme.example/blog/why-it-works"}}, "blog", None),
        ({"context": {"page": {"path": "/about-us"}}}, "about us", "page"),
        ({"properties": {"url": "http://[broken"}}, "page", "page"),
        ({}, "page", "page"),
    ],
)
def test_a_page_is_called_by_the_first_of_its_names_that_means_something(
    fields: dict[str, Any], name: str, kind: str | None
) -> None:
    event = event_of(make_message(type="page", **fields))

    assert (event["name"], event["kind"], event["channel"]) == (name, kind, "web")
    assert TAXONOMY.kind_of_event(event["kind"], event["name"]) != "other"


def test_a_screen_is_use_of_the_product() -> None:
    event = event_of(make_message(type="screen", name="Settings"))
    assert (event["name"], event["kind"], event["channel"]) == (
        "Settings",
        "product_use",
        "product",
    )


def test_mail_is_a_channel_of_its_own() -> None:
    assert event_of(make_message(type="track", event="Email Opened"))["channel"] == "email"


@pytest.mark.parametrize("where", ["traits", "context"])
def test_identify_tells_who_somebody_is_and_which_names_are_theirs(where: str) -> None:
    traits = {
        "email": "Ann@Example.com",
        "title": "CTO",
        "company": {"id": "acme", "name": "Acme", "employee_count": 120},
        "createdAt": "2026-01-02T03:04:05Z",
        "tags": ["a"],
    }
    extra = {"traits": traits} if where == "traits" else {"context": {"traits": traits}}

    parsed = make_message(type="identify", anonymousId="a-1", **extra)

    assert lead_of(parsed) == {
        "attributes": {
            "email": "Ann@Example.com",
            "job_title": "CTO",
            "company": "Acme",
            "employees": 120,
        },
        "account_id": "acme",
        "source": "segment",
        "changed_at": WHEN,
        "created_at": "2026-01-02T03:04:05+00:00",
    }
    merged = [(join.merged.kind, join.kept.kind) for join in parsed.joins]
    assert merged == [("anonymous_id", "user_id"), ("user_id", "email")]
    assert parsed.joins[1].kept == read_email("ann@example.com")
    assert "example" not in parsed.joins[1].kept.value


def test_group_puts_its_members_on_an_account() -> None:
    lead = lead_of(
        make_message(type="group", groupId="acme", traits={"name": "Acme", "plan": "pro"})
    )
    assert lead["account_id"] == "acme"
    assert lead["attributes"] == {"company": "Acme", "account_plan": "pro"}


def test_alias_asks_for_two_names_to_be_one() -> None:
    (join,) = make_message(type="alias", previousId="a-1").joins
    assert (join.merged.value, join.kept.value, join.is_asked) == ("a-1", "u-1", True)


def test_ids_may_be_numbers_and_null() -> None:
    parsed = make_message(type="track", event="x", userId=None, anonymousId=7)
    assert parsed.about.lead_id == "anonymous:7"


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "track", "event": " "},
        {"type": "track"},
        {"type": "group"},
        {"type": "alias"},
        {"type": "alias", "previousId": "u-1"},
        {"type": "alias", "previousId": "a-1", "userId": None},
        {"type": "page", "userId": None},
        {"type": "dance"},
        {},
    ],
)
def test_a_message_that_states_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidBodyError):
        make_message(**wrong)


def test_the_messages_own_time_of_sending_comes_first() -> None:
    own = make_message(type="track", event="x", sentAt="2026-03-05T11:00:00Z")
    assert own.sent_at == datetime(2026, 3, 5, 11, tzinfo=UTC)


def test_a_page_view_of_snowplow_is_an_event_of_the_visitor() -> None:
    parsed = make_payload(
        e="pv",
        url="https://acme.example/pricing",
        page="Plans",
        dtm="1772706660000",
        stm="1772706661000",
    )

    assert parsed.about == IdentityKey("anonymous_id", "d-1")
    assert parsed.sent_at == datetime(2026, 3, 5, 10, 31, 1, tzinfo=UTC)
    event = event_of(parsed)
    assert (event["name"], event["event_id"], event["occurred_at"]) == ("pricing", "e-1", WHEN)


def test_a_user_of_snowplow_and_the_visitor_are_one() -> None:
    parsed = make_payload(e="pv", uid="u-1")
    assert (parsed.about.value, [join.merged.value for join in parsed.joins]) == ("u-1", ["d-1"])


def test_a_true_time_is_not_corrected_by_the_devices_clock() -> None:
    parsed = make_payload(e="pp", ttm="1772706660000", dtm="1", stm="1772706661000")
    assert (parsed.sent_at, event_of(parsed)["occurred_at"]) == (None, WHEN)


def test_a_structured_event_has_a_name_and_a_value() -> None:
    event = event_of(make_payload(e="se", se_ca="demo", se_ac="Requested", se_va="2.5", p="web"))
    assert (event["name"], event["value"], event["channel"]) == ("demo Requested", 2.5, "web")


def test_a_self_describing_event_is_called_by_its_schema() -> None:
    extra = {
        "schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0",
        "data": {"schema": "iglu:com.acme/demo_request/jsonschema/1-0-0", "data": {"plan": "pro"}},
    }
    event = event_of(make_payload(e="ue", ue_pr=json.dumps(extra)))
    assert (event["name"], event["properties"]) == ("demo_request", {"plan": "pro"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"e": "se"},
        {"e": "se", "se_ac": "x", "se_va": "much"},
        {"e": "ue", "ue_px": "%%%"},
        {"e": "ue", "ue_pr": "[1"},
        {"e": "ue", "ue_pr": "{}"},
        {"e": "ue", "ue_pr": "[" * 100_000},
        {"e": "pv", "dtm": "yesterday"},
        {"e": "pv", "duid": None},
        {"e": "xx"},
        {"e": {}},
    ],
)
def test_an_event_of_snowplow_that_cannot_be_read_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidBodyError):
        make_payload(**wrong)


VISITOR, USER = (
    MergeCandidate("anonymous:a", "anonymous:a", False),
    MergeCandidate("u", "u", False),
)
LEAD, OTHER = MergeCandidate("L1", "L1", True), MergeCandidate("L2", "L2", True)
PART = MergeCandidate("anonymous:a", "L1", True)


@pytest.mark.parametrize(
    ("merged", "kept", "verdict", "stays"),
    [
        (VISITOR, USER, MergeVerdict.MERGE, "u"),
        (VISITOR, LEAD, MergeVerdict.MERGE, "L1"),
        (LEAD, USER, MergeVerdict.MERGE, "L1"),
        (LEAD, OTHER, MergeVerdict.BOTH_KNOWN, "L2"),
        (PART, LEAD, MergeVerdict.ONE_ALREADY, "L1"),
        (PART, USER, MergeVerdict.ELSEWHERE, "u"),
        (USER, PART, MergeVerdict.MERGE, "L1"),
    ],
)
def test_a_lead_that_was_sent_as_such_remains(
    merged: MergeCandidate, kept: MergeCandidate, verdict: MergeVerdict, stays: str
) -> None:
    decision = decide_join(merged, kept)
    assert (decision.verdict, decision.kept) == (verdict, stays)
    assert decision.because


def test_what_somebody_parted_only_people_rejoin() -> None:
    assert decide_join(VISITOR, USER, was_undone=True).verdict is MergeVerdict.UNDONE_BEFORE
    assert (
        decide_join(VISITOR, USER, was_undone=True, is_certain=True).verdict is MergeVerdict.MERGE
    )
