"""The attacks: each yields the statuses it was answered with, one request after the other."""

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator

import httpx

from tests.attack.victim import Victim
from tests.unit.test_toml import HOSTILE

Attack = Callable[[Victim], Iterator[int]]
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CUT_OFF = 0
"""Stands for a connection that the server closed without an answer."""


def _post(client: httpx.Client, path: str, body: bytes, **headers: str) -> int:
    try:
        return client.post(path, content=body, headers={**JSON, **headers}).status_code
    except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
        return CUT_OFF


def send_drafts(victim: Victim) -> Iterator[int]:
    """Drafts of playbooks that take a parser long, or much memory."""
    drafts = {
        "dotted": "a" + ".a" * 100_000 + " = 1",
        "dotted, short enough": "a" + ".a" * 32_000 + " = 1",
        "brackets": "x = " + "[" * 60_000,
        "digits": "x = " + "1" * 60_000,
        "quotes": 'x = """' + '\\"""' * 15_000,
        **{name: make(64_000) for name, make in HOSTILE.items()},
    }
    with victim.connect() as client:
        for draft in drafts.values():
            for path in ("/v1/playbook/check", "/v1/playbook/versions"):
                yield _post(client, path, json.dumps({"body": draft}).encode())


def send_forms(victim: Victim) -> Iterator[int]:
    """Forms of 20 MB, declared and not, by whoever comes by."""
    body = b"&" * 20_000_000
    with httpx.Client(base_url=victim.address, timeout=60) as client:
        cookie = {"Cookie": "baton_form=abc; baton_session=abc", "Sec-Fetch-Site": "same-origin"}
        for path in ("/sign-in", "/sign-in/key", "/sign-out"):
            yield _post(client, path, body, **FORM)
            yield _post(client, path, body, **FORM, **cookie)
            pieces = (body[n : n + 65_536] for n in range(0, len(body), 65_536))
            try:
                answer = client.post(path, content=pieces, headers={**FORM, **cookie})
                yield answer.status_code
            except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
                yield CUT_OFF


def send_bodies(victim: Victim) -> Iterator[int]:
    """Bodies of any route that takes JSON: deep, long, of endless numbers, packed small."""
    bodies = [
        b"[" * 10_000_000,
        b'{"events": [' + b"[]," * 10_000_000,
        b'{"events": ' + b"9" * 5_000 + b"}",
        b'{"sent_at": ' + b"9" * 5_000 + b', "events": []}',
        b'{"lead_id": "' + b"a" * 60_000_000 + b'"}',
        b'{"a": "' + b"\\ud800" * 1_000_000 + b'"}',
    ]
    paths = (
        "/v1/events",
        "/v1/leads",
        "/v1/score",
        "/v1/score/batch",
        "/v1/batch",
        "/v1/handoffs",
    )
    with victim.connect() as client:
        for path in paths:
            for body in bodies:
                yield _post(client, path, body)
        packed = gzip.compress(b" " * 500_000_000, 9)
        yield _post(client, "/v1/batch", packed, **{"Content-Encoding": "gzip"})


def guess_keys(victim: Victim) -> Iterator[int]:
    """Three thousand wrong keys of one address; a key that was never used goes through meanwhile."""
    late = victim.run("keys", "create", f"late-{time.monotonic_ns()}", "--role", "crm")
    with victim.connect() as client:
        for n in range(3_000):
            wrong = f"baton_{n:012x}_{'0' * 48}"
            status = client.get(
                "/v1/audit", headers={"Authorization": f"Bearer {wrong}"}
            ).status_code
            yield status if status in {401, 429} else 599
        right = client.get("/v1/leads", headers={"Authorization": f"Bearer {late}"}).status_code
        yield right if right == 200 else 599


def hold_connections(victim: Victim) -> Iterator[int]:
    """1,500 requests of which half is sent: all are cut off, and others are answered meanwhile."""
    heads = (
        b"",
        b"GET /healthz HT",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000\r\n\r\nhalf",
    )
    held = []
    for n in range(1_500):
        opened = socket.create_connection(("127.0.0.1", victim.port), timeout=60)
        opened.sendall(heads[n % len(heads)])
        held.append(opened)
    with victim.connect() as client:
        yield client.get("/healthz").status_code
    for opened in held:
        opened.settimeout(60)
        try:
            while opened.recv(65_536):
                pass
            yield CUT_OFF
        except ConnectionResetError:
            yield CUT_OFF
        except TimeoutError:
            yield 599  # still open
        opened.close()


def send_heads(victim: Victim) -> Iterator[int]:
    """Heads and chunks without end."""
    starts = (
        b"GET /" + b"a" * 50_000_000,
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 50_000_000,
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 1_000_000,
        b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n1;"
        + b"a" * 50_000_000,
    )
    for start in starts:
        with socket.create_connection(("127.0.0.1", victim.port), timeout=60) as opened:
            try:
                opened.sendall(start)
                answer = opened.recv(4_096)
                yield int(answer.split()[1]) if answer else CUT_OFF
            except (ConnectionResetError, BrokenPipeError):
                yield CUT_OFF


def identify_one_person(victim: Victim) -> Iterator[int]:
    """One user identified on 10,000 devices with the public key, 2,000 in one body."""
    tracker = victim.run("keys", "create", f"page-{time.monotonic_ns()}", "--role", "tracker")
    messages = [
        {"type": "identify", "userId": "one", "anonymousId": f"device-{n}", "messageId": f"m-{n}"}
        for n in range(10_000)
    ]
    with victim.connect() as client:
        for start in range(0, len(messages), 2_000):
            body = json.dumps({"batch": messages[start : start + 2_000]}).encode()
            yield _post(client, "/v1/batch", body, Authorization=f"Bearer {tracker}")


def ask_long_paths(victim: Victim) -> Iterator[int]:
    """Addresses, queries and dates as long as heads may be."""
    with victim.connect() as client:
        for path in ("/" + "a" * 60_000, "/v1/leads/" + "%2F" * 20_000, "/?" + "a@" * 25_000):
            try:
                yield client.get(path).status_code
            except httpx.RemoteProtocolError:
                yield CUT_OFF
        event = json.dumps(
            {"lead_id": "ann", "name": "x", "occurred_at": "2026-03-05T10:31:00Z"}
        ).encode()
        for date in (
            "9" * 50_000,
            "Mon, 01 Jan 0001 00:00:00 +1400",
            "Fri, 31 Dec 9999 23:59:59 -1200",
        ):
            yield _post(client, "/v1/events", event, Date=date)


ATTACKS: dict[str, Attack] = {
    "drafts of playbooks": send_drafts,
    "forms": send_forms,
    "bodies": send_bodies,
    "wrong keys": guess_keys,
    "half-sent requests": hold_connections,
    "endless heads": send_heads,
    "long addresses": ask_long_paths,
    "one person on many devices": identify_one_person,
}
"""Attacks by what they send."""
