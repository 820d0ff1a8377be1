"""The libraries people already run send to us, over real HTTP with real gzip, and everything lands."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from rudderstack.analytics.client import Client as RudderClient
from segment.analytics.client import Client as SegmentClient
from snowplow_tracker import (
    Emitter,
    PageView,
    SelfDescribing,
    SelfDescribingJson,
    StructuredEvent,
    Subject,
    Tracker,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.app import build_app
from serving.store.session import Store
from tests.integration.intake.factories import ask, survivors
from tests.unit.serving.factories import running_app, settle_in, wait_until

KEY = "write-key-of-the-tests"
EARLIER = datetime.now(UTC) - timedelta(days=2)


class LosingAnswers:
    """Takes some requests in, and then answers as if it had failed: so they come again."""

    to_lose = 0

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or LosingAnswers.to_lose == 0:
            await self.app(scope, receive, send)
            return
        LosingAnswers.to_lose -= 1

        async def keep_silent(message: Message) -> None:
            """Drop the answer."""

        await self.app(scope, receive, keep_silent)
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


@pytest.fixture(scope="module")
def server(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    home = tmp_path_factory.mktemp("home")
    settings = settle_in(
        home,
        database_url,
        api_token=KEY,
        lock_timeout_seconds=0.2,
    )
    app = build_app(settings)
    app.add_middleware(LosingAnswers)
    with running_app(app, {"Authorization": f"Bearer {KEY}"}) as client:
        yield client


def place(server: httpx.Client) -> str:
    return str(server.base_url).rstrip("/")


Errors = list[Exception]


def note(errors: Errors) -> Callable[[Exception, Any], None]:
    return lambda error, *_: errors.append(error)


@pytest.fixture(params=["segment", "rudderstack"])
def tracker(
    request: pytest.FixtureRequest, server: httpx.Client, store: Store
) -> Iterator[tuple[Any, Errors]]:
    """Give a genuine client, and what goes wrong with it."""
    errors: Errors = []
    make: Callable[..., Any] = SegmentClient if request.param == "segment" else RudderClient
    client = make(
        KEY,
        host=place(server),
        gzip=True,
        upload_interval=0.05,
        max_retries=3,
        timeout=20,
        on_error=note(errors),
    )
    yield client, errors
    client.shutdown()


def test_every_call_of_the_library_lands(tracker: tuple[Any, Errors], store: Store) -> None:
    client, errors = tracker
    client.page(anonymous_id="a-1", name="Pricing", timestamp=EARLIER)
    client.track(anonymous_id="a-1", event="Webinar Attended", properties={"value": 3})
    traits = {"title": "CTO", "company": "Acme", "employees": 120}
    client.identify("u-1", traits, anonymous_id="a-1")
    client.group("u-1", "acme", {"industry": "software"})
    client.screen("u-1", name="Settings")
    client.alias("old-1", "u-1")
    client.flush()

    assert errors == []
    events = ask(store, "SELECT lead_id, kind, channel, value FROM event ORDER BY occurred_at")
    assert events[0] == ("anonymous:a-1", "pricing_view", "web", None)
    assert set(events[1:]) == {
        ("anonymous:a-1", "webinar_attend", None, 3.0),
        ("u-1", "product_use", "product", None),
    }
    newest = "SELECT account_id, attributes FROM lead_version ORDER BY version_id DESC LIMIT 1"
    assert ask(store, newest) == [
        (
            "acme",
            {"job_title": "CTO", "company": "Acme", "employees": 120, "industry": "software"},
        )
    ]
    assert survivors(store) == {"u-1": "u-1", "anonymous:a-1": "u-1", "anonymous:old-1": "u-1"}
    ((first,),) = ask(store, "SELECT min(occurred_at) FROM event")
    assert abs(first - EARLIER) < timedelta(minutes=1)


def test_what_the_library_sends_again_lands_once(
    tracker: tuple[Any, Errors], store: Store
) -> None:
    client, errors = tracker
    LosingAnswers.to_lose = 1
    for i in range(20):
        client.track("u-1", "Pricing Page Viewed", {"i": i})
    client.flush()

    assert errors == []
    assert LosingAnswers.to_lose == 0
    assert ask(store, "SELECT count(*), count(DISTINCT event_id) FROM event") == [(20, 20)]


def test_a_bad_message_leaves_the_others_alone(
    tracker: tuple[Any, Errors], server: httpx.Client, store: Store
) -> None:
    client, errors = tracker
    client.track("u-1", "Demo Requested", message_id="good-1")
    client.track("u-1", " ", message_id="bad-1")
    client.track("u-1", "Demo Requested", message_id="good-2")
    client.flush()

    assert errors == []
    assert sorted(ask(store, "SELECT event_id FROM event")) == [("good-1",), ("good-2",)]
    (kept,) = server.get("/v1/quarantine?record=segment").json()["items"]
    assert (kept["source"], kept["lead_id"]) == ("segment", "u-1")
    assert kept["problem"]["errors"][0]["path"] == "event"

    whole = server.get(f"/v1/quarantine/{kept['item_number']}").json()
    mended = {**json.loads(whole["body"]), "event": "Demo Requested"}
    again = server.post(f"/v1/quarantine/{kept['item_number']}/replay", json=mended)

    assert again.json()["status"] == "landed"
    assert len(ask(store, "SELECT 1 FROM event")) == 3


def test_a_wrong_write_key_is_reported_and_nothing_lands(
    server: httpx.Client, store: Store
) -> None:
    errors: Errors = []
    client = SegmentClient("another-key", host=place(server), gzip=True, on_error=note(errors))
    client.track("u-1", "Demo Requested")
    client.shutdown()

    assert [error.status for error in errors] == [401]  # type: ignore[attr-defined]
    assert ask(store, "SELECT 1 FROM event") == []


def test_a_store_that_does_not_answer_loses_nothing(server: httpx.Client, store: Store) -> None:
    errors: Errors = []
    client = SegmentClient(KEY, host=place(server), gzip=True, on_error=note(errors))
    client.track("u-1", "Demo Requested", message_id="m-1")
    client.flush()
    with store.work() as work:
        # Somebody holds the lead for so long that the request gives up.
        work.execute("SELECT 1 FROM lead FOR UPDATE")
        client.track("u-1", "Demo Requested", message_id="m-2")
        wait_until(lambda: client.consumers[0].rate_limited_until is not None)
        refused = server.post("/v1/track", json={"userId": "u-1", "event": "x"})
    client.flush()
    client.shutdown()

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert errors == []
    landed = ask(store, "SELECT event_id FROM event ORDER BY 1")
    assert landed == [("m-1",), ("m-2",)]


def make_tracker(server: httpx.Client, session: requests.Session, **more: Any) -> Tracker:
    session.auth = (KEY, "")
    emitter = Emitter(place(server), protocol="http", batch_size=50, session=session, **more)
    subject = Subject()
    subject.set_domain_user_id("d-1")
    return Tracker("tests", emitter, subject=subject, app_id="web", encode_base64=True)


def test_events_of_snowplow_land_and_join(server: httpx.Client, store: Store) -> None:
    with requests.Session() as session:
        tracker = make_tracker(server, session)
        tracker.track(PageView("https://acme.example/pricing", page_title="Plans & prices"))
        tracker.track(StructuredEvent("docs", "Whitepaper Downloaded", value=2))
        tracker.subject.set_user_id("u-1")
        sent = SelfDescribingJson("iglu:com.acme/demo_request/jsonschema/1-0-0", {"plan": "pro"})
        tracker.track(SelfDescribing(sent))
        tracker.flush()

    assert sorted(ask(store, "SELECT lead_id, kind, value, source FROM event")) == [
        ("anonymous:d-1", "content_download", 2.0, "snowplow"),
        ("anonymous:d-1", "pricing_view", None, "snowplow"),
        ("u-1", "demo_request", None, "snowplow"),
    ]
    assert survivors(store) == {"u-1": "u-1", "anonymous:d-1": "u-1"}


def test_what_snowplow_sends_again_lands_once(server: httpx.Client, store: Store) -> None:
    failed: list[int] = []
    with requests.Session() as session:
        tracker = make_tracker(
            server, session, on_failure=lambda *sent: failed.append(len(sent[1]))
        )
        for i in range(5):
            tracker.track(PageView(f"https://acme.example/blog/{i}"))
        LosingAnswers.to_lose = 1
        tracker.flush()
        emitter = tracker.emitters[0]
        emitter.retry_timer.timer.join()  # it tries again by itself, within a second

    assert failed == [5]
    assert ask(store, "SELECT count(*) FROM event") == [(5,)]


NODE = """
const { Analytics } = require('@segment/analytics-node')
const client = new Analytics({ writeKey: process.argv[3], host: process.argv[2], flushAt: 4 })
client.on('error', (error) => { console.error(error); process.exitCode = 1 })
client.page({ anonymousId: 'a-1', name: 'Pricing' })
client.track({ anonymousId: 'a-1', event: 'Demo Requested' })
client.identify({ userId: 'u-1', anonymousId: 'a-1', traits: { title: 'CTO' } })
client.track({ userId: 'u-1', event: 'Trial Started' })
client.closeAndFlush({ timeout: 20000 })
"""


@pytest.fixture(scope="module")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the Node library into a folder that goes away again."""
    if shutil.which("npm") is None:
        pytest.skip("there is no Node here")
    folder = tmp_path_factory.mktemp("node")
    wanted = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0"]
    try:
        done = subprocess.run(
            [*wanted, "--fetch-timeout=20000", "@segment/analytics-node@3.1.0"],
            cwd=folder,
            capture_output=True,
            timeout=90,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the npm registry takes too long")
    if done.returncode != 0:
        pytest.skip("the npm registry is not to be reached")
    return folder


@pytest.mark.slow
def test_messages_of_node_land(node_folder: Path, server: httpx.Client, store: Store) -> None:
    (node_folder / "send.js").write_text(NODE)
    LosingAnswers.to_lose = 1

    done = subprocess.run(
        ["node", "send.js", place(server), KEY],
        cwd=node_folder,
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr.decode()
    assert sorted(ask(store, "SELECT lead_id, kind FROM event")) == [
        ("anonymous:a-1", "demo_request"),
        ("anonymous:a-1", "pricing_view"),
        ("u-1", "product_use"),
    ]
    assert survivors(store) == {"u-1": "u-1", "anonymous:a-1": "u-1"}
