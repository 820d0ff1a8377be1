"""Bodies that nobody would send who means well, drawn at random for every route that takes one."""

import json
import random
import re
from collections.abc import Iterator
from typing import Any

import httpx
import typer

from tests.attack.victim import Victim

BODIES = 3_000

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**31, 2**53, 2**63, 2**64, 10**400, -(10**30), 0.1, 1e308, -0.0,
    "", " ", ".", "..", "/", "a\x00b", "\ud800", "' OR 1=1--", "%00", "{}", "{{7*7}}", "../../etc/passwd",
    "x" * 501, "x" * 70_000, "9" * 5_000, "nan", "1980-01-01T00:00:00Z", "2199-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00", "2026-02-30T00:00:00Z", "ann@example.com", "日本", "\u202e", "\uf02f",
    [], [[]], [[[[[[[[[[]]]]]]]]]], {}, {"": {}}, {"a": {"b": {"c": {}}}}, ["x"] * 2_000,
)  # fmt: skip
NAMES = (
    "lead_id", "event_id", "name", "kind", "occurred_at", "at", "stage", "channel", "result", "actor",
    "attributes", "events", "leads", "batch", "data", "sent_at", "sentAt", "userId", "anonymousId",
    "type", "event", "traits", "properties", "messageId", "seller", "reason", "note", "body", "answers",
    "handoff_id", "first", "last", "changes", "although_both_known", "source", "created_at", "as_of",
)  # fmt: skip
PARTS = ("1", "0", "ann", "a%2Fb", "..", "%00", "x" * 600, "9" * 30, "-1", "nan", "2026-01")


def draw_value(rng: random.Random, depth: int = 0) -> Any:
    """Draw a value; sometimes one with values inside."""
    if depth < 4 and rng.random() < 0.3:
        if rng.random() < 0.5:
            return [draw_value(rng, depth + 1) for _ in range(rng.randrange(4))]
        return {rng.choice(NAMES): draw_value(rng, depth + 1) for _ in range(rng.randrange(6))}
    return rng.choice(VALUES)


def draw_body(rng: random.Random) -> bytes:
    """Draw a body: an object as a rule, sometimes broken on its way."""
    fields = {rng.choice(NAMES): draw_value(rng) for _ in range(rng.randrange(8))}
    whole: Any = fields if rng.random() < 0.9 else draw_value(rng)
    body = json.dumps(whole, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    if rng.random() < 0.1:
        place = rng.randrange(len(body) + 1)
        body = body[:place] + bytes([rng.randrange(256)]) + body[place:]
    return body


def send_hostile_bodies(victim: Victim) -> Iterator[int]:
    """Send them to every route that takes a body, with every place of its path filled at random."""
    rng = random.Random(20_261_130)  # noqa: S311 - the same ones each time
    with victim.connect() as client:
        described = client.get("/openapi.json").json()["paths"]
        routes = [
            (method.upper(), path)
            for path, operations in described.items()
            for method in operations
            if method in {"post", "put", "delete"}
        ]
        for n in range(BODIES):
            method, path = routes[n % len(routes)]
            filled = re.sub(r"\{[^}]*\}", lambda _: rng.choice(PARTS), path)
            headers = {"Content-Type": "application/json"}
            if rng.random() < 0.1:
                headers["Idempotency-Key"] = rng.choice(("k", "x" * 300, "ü".encode().hex()))
            try:
                answer = client.request(method, filled, content=draw_body(rng), headers=headers)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                yield 0
                continue
            if answer.status_code >= 500:
                typer.echo(f"{method} {filled}: {answer.text[:400]}", err=True)
            yield answer.status_code
