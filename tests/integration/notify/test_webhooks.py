"""Signed webhooks over real HTTP: verified by the libraries of the standard, sent to hostile receivers."""

import json
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from features import clock as wall_clock
from serving.notify.outbox import LEASE, RETRY_AFTER
from serving.notify.webhooks import MOST_BYTES
from serving.store.session import Store
from tests.integration.notify.factories import (
    BY_WEBHOOK,
    NEWER_SECRET,
    SECRET,
    agree_on,
    build_outbox,
    describe_of,
    make_endpoint,
    make_notice,
    make_notifier,
)
from tests.integration.notify.receiver import Receiver, Reply, hanging, receiving
from tests.integration.scores.job_resources import Clock, ask

ROOT = Path(__file__).parents[3]
WEBHOOKS = "SELECT state, attempts, last_problem FROM outbox_effect WHERE topic = 'webhook'"
NEXT = "SELECT next_at FROM outbox_effect WHERE topic = 'webhook'"


def make_clock() -> Clock:
    """Make a clock of today: the verifiers refuse messages older than five minutes."""
    return Clock(wall_clock.now())


def start(store: Store, folder: Path, receiver: Receiver, clock: Clock, *secrets: str):
    """Announce a notice, spread it, and give the outbox that will send the webhook."""
    settings = make_notifier(folder, webhooks={"crm": make_endpoint(receiver.url, *secrets)})
    agree_on(store, BY_WEBHOOK, clock())
    describe_of(store, make_notice(clock()))
    outbox = build_outbox(store, settings, clock)
    assert outbox.run_once() == 1
    return outbox


def test_the_python_library_of_the_standard_verifies_what_we_send(
    store: Store, tmp_path: Path
) -> None:
    clock = make_clock()
    with receiving() as receiver:
        outbox = start(store, tmp_path, receiver, clock)
        outbox.run_once()
        outbox.run_once()

    ((headers, body),) = receiver.received
    data = Webhook(SECRET).verify(body, headers)
    assert data["type"] == "lead.accepted"
    assert data["data"] == {
        "lead_id": "L17",
        "handoff_id": "17",
        "seller": "ann",
        "because": "Sales took it on within 2 hours.",
        "segment": "smb",
    }
    assert "." not in headers["webhook-id"]
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"L17", b"L18"), headers)
    assert ask(store, WEBHOOKS) == [("done", 1, None)]


def test_while_a_secret_is_changed_receivers_verify_with_the_old_one_and_the_new_one(
    store: Store, tmp_path: Path
) -> None:
    with receiving() as receiver:
        start(store, tmp_path, receiver, make_clock(), NEWER_SECRET, SECRET).run_once()

    ((headers, body),) = receiver.received
    assert len(headers["webhook-signature"].split()) == 2
    for secret in (SECRET, NEWER_SECRET):
        Webhook(secret).verify(body, headers)


def test_the_id_stays_over_retries_while_time_and_signature_are_those_of_the_attempt(
    store: Store, tmp_path: Path
) -> None:
    clock = make_clock()
    with receiving((500, {}), (500, {}), (204, {})) as receiver:
        outbox = start(store, tmp_path, receiver, clock)
        for wait in (*RETRY_AFTER[:2], timedelta()):
            assert outbox.run_once() == 1
            clock.at += wait

    assert len(set(receiver.ids)) == 1
    assert len({body for _, body in receiver.received}) == 1
    assert len({headers["webhook-timestamp"] for headers, _ in receiver.received}) == 3
    assert ask(store, WEBHOOKS) == [("done", 3, None)]


def test_whoever_dies_between_sending_and_saying_so_has_the_same_id_sent_again(
    store: Store, tmp_path: Path
) -> None:
    clock = make_clock()
    with receiving() as receiver:
        outbox = start(store, tmp_path, receiver, clock)
        _, (effect,) = outbox.claim()
        outbox.senders["webhook"](effect)  # and dies
        assert outbox.run_once() == 0
        clock.at += LEASE
        assert outbox.run_once() == 1
        assert outbox.run_once() == 0

    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1


def test_a_notice_reported_and_spread_twice_is_one_message(store: Store, tmp_path: Path) -> None:
    clock = make_clock()
    with receiving() as receiver:
        outbox = start(store, tmp_path, receiver, clock)
        describe_of(store, make_notice(clock()), make_notice(clock(), because="Noticed again."))
        with store.work() as work:  # a spreader that died before it said so
            work.execute("UPDATE outbox_effect SET state = 'waiting' WHERE topic = 'notice'")
        while outbox.run_once():
            pass

    assert len(receiver.ids) == 1


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ((500, {}), "Answered 500"),
        ((404, {}), "Answered 404"),
        (
            (302, {"Location": "http://127.0.0.1:1/"}),
            "Redirected (302); redirects are not followed",
        ),
        ((429, {"Retry-After": "2"}), "Answered 429"),
    ],
)
def test_only_2xx_is_success_and_the_rest_is_tried_again(
    reply: Reply, problem: str, store: Store, tmp_path: Path
) -> None:
    clock = make_clock()
    with receiving(reply) as receiver:
        start(store, tmp_path, receiver, clock).run_once()

    assert len(receiver.received) == 1
    assert ask(store, WEBHOOKS) == [("waiting", 1, problem)]
    assert ask(store, NEXT) == [(clock() + RETRY_AFTER[0],)]


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        ("120", timedelta(seconds=120)),
        ("999999999999999", timedelta(days=1)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", timedelta(days=1)),
        ("Mon, 01 Jan 2001 00:00:00 GMT", RETRY_AFTER[0]),
        ("soon", RETRY_AFTER[0]),
        ("-5", RETRY_AFTER[0]),
    ],
)
def test_the_wait_a_receiver_asks_for_is_kept_to_within_a_day(
    asked: str, waits: timedelta, store: Store, tmp_path: Path
) -> None:
    clock = make_clock()
    with receiving((429, {"Retry-After": asked})) as receiver:
        start(store, tmp_path, receiver, clock).run_once()

    assert ask(store, NEXT) == [(clock() + waits,)]


def test_gone_closes_the_endpoint_until_it_has_another_address(
    store: Store, tmp_path: Path
) -> None:
    clock = make_clock()
    with receiving((410, {})) as receiver:
        outbox = start(store, tmp_path, receiver, clock)
        outbox.run_once()
        describe_of(store, make_notice(clock(), key="handoff:18:accepted"))
        while outbox.run_once():
            pass

    assert len(receiver.received) == 1
    assert {row[0] for row in ask(store, WEBHOOKS)} == {"given_up"}
    with receiving() as moved:
        settings = make_notifier(tmp_path, webhooks={"crm": make_endpoint(moved.url)})
        describe_of(store, make_notice(clock(), key="handoff:19:accepted"))
        outbox = build_outbox(store, settings, clock)
        while outbox.run_once():
            pass
    assert len(moved.received) == 1


def test_a_receiver_that_hangs_is_left_and_does_not_hold_up_the_others(
    store: Store, tmp_path: Path
) -> None:
    clock = make_clock()
    agree_on(store, BY_WEBHOOK, clock())
    with hanging() as (slow, let_go), receiving() as quick:
        quick.before_answer = let_go.set  # else the slow one would be let go by its timeout
        settings = make_notifier(
            tmp_path,
            webhooks={"a": make_endpoint(slow.url), "b": make_endpoint(quick.url)},
            send_timeout_seconds=25,
        )
        describe_of(store, make_notice(clock()))
        outbox = build_outbox(store, settings, clock, at_once=2)
        outbox.run_once()
        assert outbox.run_once() == 2

    assert {row[0] for row in ask(store, WEBHOOKS)} == {"done"}


def test_no_answer_before_the_deadline_is_a_failure(store: Store, tmp_path: Path) -> None:
    clock = make_clock()
    agree_on(store, BY_WEBHOOK, clock())
    with hanging() as (slow, _):
        settings = make_notifier(
            tmp_path, webhooks={"a": make_endpoint(slow.url)}, send_timeout_seconds=1
        )
        describe_of(store, make_notice(clock()))
        outbox = build_outbox(store, settings, clock)
        outbox.run_once()
        outbox.run_once()

    assert [row[0] for row in ask(store, WEBHOOKS)] == ["waiting"]


def test_a_long_payload_is_cut_and_states_so(store: Store, tmp_path: Path) -> None:
    clock = make_clock()
    with receiving() as receiver:
        settings = make_notifier(tmp_path, webhooks={"crm": make_endpoint(receiver.url)})
        agree_on(store, BY_WEBHOOK, clock())
        describe_of(store, make_notice(clock(), facts={"reasons": ["é" * 100] * 200, "score": 61}))
        outbox = build_outbox(store, settings, clock)
        outbox.run_once()
        outbox.run_once()

    ((headers, body),) = receiver.received
    data = Webhook(SECRET).verify(body, headers)["data"]
    assert len(body) < MOST_BYTES
    assert data["left_out"] == ["reasons"]
    assert data["score"] == 61


def test_two_outboxes_at_once_send_each_message_once(store: Store, tmp_path: Path) -> None:
    clock = make_clock()
    agree_on(store, BY_WEBHOOK, clock())
    with receiving() as receiver:
        settings = make_notifier(tmp_path, webhooks={"crm": make_endpoint(receiver.url)})
        describe_of(store, *(make_notice(clock(), key=f"handoff:{n}:accepted") for n in range(30)))

        def work() -> None:
            outbox = build_outbox(store, settings, clock, at_once=4)
            while outbox.run_once():
                pass

        threads = [Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        work()  # what the first was still spreading when the second found nothing

    assert len(receiver.ids) == len(set(receiver.ids)) == 30


NODE_PROGRAM = """
const { Webhook } = require("standardwebhooks");
const told = JSON.parse(require("fs").readFileSync(0));
for (const secret of told.secrets) new Webhook(secret).verify(told.body, told.headers);
try { new Webhook(told.secrets[0]).verify(told.body + " ", told.headers); process.exit(3); }
catch { console.log("ok"); }
"""


@pytest.fixture(scope="module")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the Node library of the standard; skip where that cannot be."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node is not installed")
    folder = tmp_path_factory.mktemp("node")
    asked = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        made = subprocess.run(
            [*asked, "standardwebhooks@1.0.0"],
            check=False,
            cwd=folder,
            capture_output=True,
            timeout=60,
        )
    except subprocess.TimeoutExpired:
        pytest.skip("npm's registry does not answer")
    if made.returncode:
        pytest.skip("npm's registry cannot be reached")
    return folder


@pytest.mark.slow
def test_the_node_library_of_the_standard_verifies_what_we_send(
    node_folder: Path, store: Store, tmp_path: Path
) -> None:
    with receiving() as receiver:
        start(store, tmp_path, receiver, make_clock(), NEWER_SECRET, SECRET).run_once()
    ((headers, body),) = receiver.received
    data = {"secrets": [SECRET, NEWER_SECRET], "body": body.decode(), "headers": headers}

    output = subprocess.run(
        ["node", "-e", NODE_PROGRAM],
        check=False,
        cwd=node_folder,
        input=json.dumps(data),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert output.stdout.strip() == "ok", output.stderr


KILLED_PROGRAM = """
import sys
from pathlib import Path
from serving.store.session import Store
from tests.integration.notify.factories import build_outbox, make_endpoint, make_notifier
from tests.integration.scores.job_resources import Clock
from datetime import datetime

url, database, folder, at = sys.argv[1:]
settings = make_notifier(
    Path(folder),
    database_url=database,
    allow_unsafe_durability=True,
    webhooks={"crm": make_endpoint(url)},
)
store = Store(settings)
store.open()
print("sending", flush=True)
build_outbox(store, settings, Clock(datetime.fromisoformat(at))).run_once()
"""


@pytest.mark.slow
def test_a_process_killed_once_the_receiver_has_the_message_leaves_it_to_be_sent_under_its_id(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    clock = make_clock()
    with receiving() as receiver:
        outbox = start(store, tmp_path, receiver, clock)
        asked = [receiver.url, database_url, str(tmp_path), clock().isoformat()]
        process = subprocess.Popen([sys.executable, "-c", KILLED_PROGRAM, *asked], cwd=ROOT)
        receiver.before_answer = process.kill
        assert process.wait(60) == -signal.SIGKILL
        assert ask(store, WEBHOOKS) == [("waiting", 1, None)]

        receiver.before_answer = lambda: None
        clock.at += LEASE
        assert outbox.run_once() == 1

    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1
    assert ask(store, WEBHOOKS) == [("done", 2, None)]
