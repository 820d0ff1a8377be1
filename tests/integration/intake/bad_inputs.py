"""The fixed corpus of bad inputs: what must be refused on every writing route, and what is odd but allowed."""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

WHEN = "2026-03-05T10:31:00Z"
JSON = "application/json"

GOOD: dict[str, dict[str, Any]] = {
    "/v1/events": {"lead_id": "ann", "event_id": "e", "name": "pricing", "occurred_at": WHEN},
    "/v1/stages": {"lead_id": "ann", "stage": "mql", "at": WHEN},
    "/v1/attempts": {"lead_id": "ann", "channel": "call", "at": WHEN},
    "/v1/leads": {"lead_id": "ann", "created_at": WHEN, "attributes": {"employees": 5}},
    "/v1/score": {"lead_id": "ann", "created_at": WHEN, "as_of": "2026-03-09T00:00:00Z"},
}
PUT = "/v1/leads/ann"

FURTHER = (
    ("POST", "/v1/timing"),
    ("POST", "/v1/handoffs"),
    ("POST", "/v1/handoffs/7/attempts"),
    ("POST", "/v1/handoffs/7/reject"),
    ("POST", "/v1/handoffs/7/qualify"),
    ("POST", "/v1/handoffs/7/ask"),
    ("POST", "/v1/playbook/versions"),
    ("POST", "/v1/playbook/check"),
    ("POST", "/v1/leads/ann/merge"),
    ("POST", "/v1/oversight/cases/7/findings"),
    ("POST", "/v1/sellers/nobody/absences"),
    ("PUT", "/v1/sellers/nobody/actor"),
)
"""Further routes with a body, for things that do not exist."""

NUMBERED = (
    ("DELETE", "/v1/quarantine/{}"),
    ("POST", "/v1/quarantine/{}/replay"),
    ("POST", "/v1/jobs/{}/retry"),
    ("POST", "/v1/merges/{}/undo"),
    ("POST", "/v1/handoffs/{}/accept"),
    ("POST", "/v1/playbook/versions/{}/agree/sales"),
    ("DELETE", "/v1/sellers/nobody/absences/{}"),
)
NO_NUMBERS = (
    "0",
    "-1",
    "99",
    "9223372036854775808",
    "1e3",
    "1.5",
    "seven",
    "%00",
    "%ff",
    "٣",
    "' OR 1=1",
)
NO_LEADS = ("%00", "a%00b", "x" * 5_000)
ROUTES = (*GOOD, "/v1/score/batch", "/v1/leads/ann/what-if", PUT)

_DEEP = 100_000
BODIES: dict[str, bytes] = {
    "empty": b"",
    "blank": b"  \n\t ",
    "null": b"null",
    "true": b"true",
    "a number": b"7",
    "a text": b'"lead"',
    "an empty list": b"[]",
    "a list": b"[1, 2]",
    "no JSON": b"lead_id=ann",
    "XML": b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    "cut short": b'{"lead_id": "ann", "occurred_at"',
    "two values": b'{"lead_id": "ann"} {"lead_id": "bob"}',
    "trailing comma": b'{"lead_id": "ann",}',
    "comment": b'{"lead_id": "ann" /* who */}',
    "single quotes": b"{'lead_id': 'ann'}",
    "NaN": b'{"lead_id": "ann", "value": NaN}',
    "Infinity": b'{"lead_id": "ann", "value": Infinity}',
    "minus Infinity": b'{"lead_id": "ann", "value": -Infinity}',
    "1e400": b'{"lead_id": "ann", "value": 1e400, "x": 1}',
    "a number of 5,000 digits": b'{"lead_id": "ann", "x": ' + b"9" * 5_000 + b"}",
    "deep lists": b"[" * _DEEP + b"]" * _DEEP,
    "deep objects": b'{"a":' * _DEEP + b"1" + b"}" * _DEEP,
    "deep and cut short": b"[" * _DEEP,
    "invalid UTF-8": b'{"lead_id": "\xff\xfe", "x": 1}',
    "overlong UTF-8": b'{"lead_id": "\xc0\xaf", "x": 1}',
    "a surrogate in UTF-8": b'{"lead_id": "\xed\xa0\x80", "x": 1}',
    "UTF-16": json.dumps({"lead_id": "ann"}).encode("utf-16"),
    "UTF-32": json.dumps({"lead_id": "ann"}).encode("utf-32"),
    "a BOM": b'\xef\xbb\xbf{"lead_id": "ann"}',
    "only a BOM": b"\xef\xbb\xbf",
    "NUL bytes": b"\x00" * 64,
    "a raw control character": b'{"lead_id": "a\x01b", "x": 1}',
    "gzip nobody announced": gzip.compress(b'{"lead_id": "ann"}'),
    "deflate nobody announced": zlib.compress(b'{"lead_id": "ann"}'),
    "10,000 unknown keys": json.dumps({f"k{i}": i for i in range(10_000)}).encode(),
    "a key of a million characters": json.dumps({"k" * 1_000_000: 1}).encode(),
    "__proto__": b'{"__proto__": {"lead_id": "ann"}}',
    "nothing in it": b"{}",
    "a leading zero": b'{"lead_id": "ann", "value": 007}',
    "a plus": b'{"lead_id": "ann", "value": +1}',
    "hexadecimal": b'{"lead_id": "ann", "value": 0x1F}',
    "a bad escape": b'{"lead_id": "\\x41"}',
    "half an escape": b'{"lead_id": "\\u12"}',
    "half a character as a key": b'{"\\ud800": 1}',
}
"""Bodies that no route may take."""

TEXTS: dict[str, Any] = {
    "a number": 7,
    "a flag": True,
    "a list": ["ann"],
    "an object": {"id": "ann"},
    "NUL": "a\x00b",
    "a lone surrogate": "a\ud800b",
    "a million characters": "x" * 1_000_000,
}
"""What is no text, or none that can be kept."""

TIMES: dict[str, Any] = {
    "no zone": "2026-03-05T10:31:00",
    "a date": "2026-03-05",
    "hour 24": "2026-03-05T24:30:00Z",
    "minute 60": "2026-03-05T10:60:00Z",
    "February 30": "2026-02-30T10:00:00Z",
    "month 13": "2026-13-01T10:00:00Z",
    "year 0": "0000-01-01T00:00:00Z",
    "year 1, before it by its zone": "0001-01-01T00:00:00+14:00",
    "year 9999, after it by its zone": "9999-12-31T23:59:59-14:00",
    "year 10000": "10000-01-01T00:00:00Z",
    "seconds of the epoch": 1_772_706_660,
    "seconds of the epoch as text": "1772706660",
    "a word": "yesterday",
    "empty": "",
    "a zone of 99 hours": "2026-03-05T10:31:00+99:00",
    "RFC 2822": "Thu, 05 Mar 2026 10:31:00 GMT",
    "Arabic digits": "\u0662\u0660\u0662\u0666-03-05T10:31:00Z",
    "NUL": "2026-03-05T10:31:00Z\x00",
    "a flag": True,
    "a list": [WHEN],
    "an object": {"at": WHEN},
}
NUMBERS: dict[str, Any] = {
    "a text": "87",
    "a flag": True,
    "a list": [1],
    "an object": {},
}

FIELDS: dict[str, dict[str, dict[str, Any]]] = {
    "/v1/events": {
        "lead_id": {**TEXTS, "empty": "", "null": None},
        "occurred_at": {**TIMES, "null": None},
        "event_id": TEXTS,
        "name": TEXTS,
        "kind": TEXTS,
        "channel": TEXTS,
        "source": {**TEXTS, "empty": "", "null": None},
        "value": NUMBERS,
        "properties": {
            "a text": "x", "a list": [1], "NUL": {"a": "\x00"}, "NUL in a key": {"\x00": 1},
            "a lone surrogate": {"a": "\ud800"}, "a lone surrogate in a key": {"\udfff": 1},
        },
        "unknown": {"anything": 1},
    },
    "/v1/stages": {
        "lead_id": {**TEXTS, "empty": "", "null": None},
        "stage": {**TEXTS, "no stage": "customer", "empty": "", "null": None},
        "at": {**TIMES, "null": None},
        "change_id": TEXTS,
        "reason": TEXTS,
        "actor": TEXTS,
        "amount": NUMBERS,
        "propensity": {**NUMBERS, "above one": 1.5, "below nought": -0.1},
        "unknown": {"anything": 1},
    },
    "/v1/attempts": {
        "lead_id": {**TEXTS, "empty": "", "null": None},
        "at": {**TIMES, "null": None},
        "channel": {**TEXTS, "empty": "", "null": None},
        "attempt_id": TEXTS,
        "handoff_id": TEXTS,
        "result": TEXTS,
        "actor": TEXTS,
        "unknown": {"anything": 1},
    },
    "/v1/leads": {
        "lead_id": {**TEXTS, "empty": "", "null": None},
        "created_at": TIMES,
        "changed_at": TIMES,
        "account_id": TEXTS,
        "attributes": {
            "a text": "x", "a list": [1], "null": None, "a list in it": {"employees": [5]},
            "an object in it": {"employees": {"n": 5}}, "NUL": {"industry": "a\x00"},
            "NUL in a name": {"a\x00": 1}, "a lone surrogate": {"industry": "\ud800"},
            "a nameless one": {"": 1}, "too many": {f"a{i}": i for i in range(2_000)},
        },
        "unknown": {"anything": 1},
    },
}  # fmt: skip

ODD_TEXTS = {
    "right to left": "\u202eann\u202c",
    "zero width": "a\u200bn\u200dn\ufeff",
    "combining": "e\u0301\u0327" * 20,
    "emoji": "👩‍👩‍👧‍👦",
    "a formula": '=HYPERLINK("http://example.com","x")',
    "another formula": "@SUM(1+1)*cmd|' /C calc'!A0",
    "a script": "<script>alert(1)</script>",
    "SQL": "'; DROP TABLE lead; --",
    "LIKE": "%_\\",
    "SOQL": "O\\'Brien' OR Name != '",
    "a template": "{{7*7}}${7*7}%s%(x)s{0}",
    "a path": "../../../../etc/passwd",
    "line ends": "a\r\nSet-Cookie: x=1",
    "2^53 + 1": str(2**53 + 1),
    "2^63": str(2**63),
    "an odd address": '"very.(),:;<>[]\\".VERY"@[IPv6:2001:db8::1]',
    "Turkish": "İıŞş",
    "sharp s": "ẞß",
}
"""Odd, and somebody's true name or address all the same: kept as it is."""

ODD_VALUES = (0, -0.0, 1e308, -1e308, 5e-324, 2**53 + 1, 2**63, 2**64)
ODD_TIMES = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z",
             "2026-03-05T10:31:00.123456789Z", "2026-03-05T10:31:60Z", "2026-03-05T24:00:00Z")  # fmt: skip


@dataclass(frozen=True)
class BadInput:
    """One request that must not go through."""

    name: str
    method: str
    path: str
    body: bytes
    media_type: str | None = JSON


def method_of(path: str) -> str:
    """Give the method that writes at a path."""
    return "PUT" if path == PUT else "POST"


def _encode(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8")


def _with_bad_bodies() -> Iterator[BadInput]:
    for path in ROUTES:
        for name, body in BODIES.items():
            if path in {PUT, "/v1/leads/ann/what-if"} and name == "nothing in it":
                continue  # a lead without news, and a question without a wish, are allowed
            yield BadInput(f"{path}: {name}", method_of(path), path, body)
        good = _encode(GOOD.get(path, {}))
        for media_type in (None, "text/plain", "application/x-www-form-urlencoded", "json", ";"):
            yield BadInput(f"{path}: as {media_type}", method_of(path), path, good, media_type)


def _with_bad_fields() -> Iterator[BadInput]:
    for path, fields in FIELDS.items():
        for field, values in fields.items():
            for name, value in values.items():
                body = _encode({**GOOD[path], field: value})
                yield BadInput(f"{path}: {field} is {name}", "POST", path, body)


def _with_missing_fields() -> Iterator[BadInput]:
    for path in FIELDS:
        for field in {"lead_id", "occurred_at", "at", "stage", "channel"} & GOOD[path].keys():
            rest = {k: v for k, v in GOOD[path].items() if k != field}
            yield BadInput(f"{path}: without {field}", "POST", path, _encode(rest))


def _with_bad_tales() -> Iterator[BadInput]:
    for method, path in FURTHER:
        for name, body in BODIES.items():
            yield BadInput(f"{method} {path}: {name}", method, path, body)


def _with_bad_places() -> Iterator[BadInput]:
    for method, path in NUMBERED:
        for number in NO_NUMBERS:
            yield BadInput(f"{method} {path}: {number}", method, path.format(number), b"", None)
    for lead_id in NO_LEADS:
        yield BadInput(f"DELETE of {lead_id[:9]}", "DELETE", f"/v1/leads/{lead_id}", b"", None)
    for name, body in BODIES.items():
        yield BadInput(f"sign in: {name}", "POST", "/sign-in", body)
        yield BadInput(
            f"sign in, form: {name}", "POST", "/sign-in", body, "application/x-www-form-urlencoded"
        )


def build_corpus() -> Iterator[BadInput]:
    """Build every bad input, always the same."""
    yield from _with_bad_tales()
    yield from _with_bad_places()
    yield from _with_bad_bodies()
    yield from _with_bad_fields()
    yield from _with_missing_fields()


def build_odd() -> Iterator[tuple[str, dict[str, Any]]]:
    """Build what is odd, but nobody's fault: taken or refused, never a fault of ours."""
    for number, text in enumerate(ODD_TEXTS.values()):
        yield "/v1/events", {**GOOD["/v1/events"], "lead_id": text, "name": text, "source": "odd",
                             "event_id": f"{number}", "properties": {text: text}}  # fmt: skip
        yield "/v1/leads", {"lead_id": text, "account_id": text, "attributes": {text: text}}
        yield "/v1/stages", {**GOOD["/v1/stages"], "lead_id": text, "reason": text, "actor": text}
        yield "/v1/attempts", {**GOOD["/v1/attempts"], "lead_id": text, "channel": text}
    for value in ODD_VALUES:
        yield "/v1/events", {**GOOD["/v1/events"], "event_id": f"v{value}", "value": value}
        yield "/v1/leads", {"lead_id": "ann", "attributes": {"employees": value}}
    for moment in ODD_TIMES:
        yield "/v1/events", {**GOOD["/v1/events"], "event_id": moment, "occurred_at": moment}
        yield "/v1/leads", {"lead_id": f"born {moment}", "created_at": moment}
