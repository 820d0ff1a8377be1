"""The page on security names tests that exist, and every role."""

import re

from serving.auth.roles import Role
from serving.web_api import connections, limits
from tests.docs.documents import ROOT

PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)


def test_every_test_that_holds_a_point_is_there():
    missing = [
        f"{path}::{name}"
        for path, name in NAMED
        if not (ROOT / path).exists() or f"def {name}(" not in (ROOT / path).read_text()
    ]
    assert len(NAMED) > 20
    assert missing == []


def test_every_risk_of_the_list_is_held_by_a_test():
    rows = re.findall(r"^\| \*\*API(\d+)\*\*.*$", PAGE, flags=re.MULTILINE)
    assert rows == [str(n) for n in range(1, 11)]
    for line in PAGE.splitlines():
        if line.startswith("| **API"):
            assert "::test_" in line


def test_every_role_is_described():
    section = PAGE.split("## What each role can see and do")[1].split("\n## ")[0]
    described = re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)
    assert set(described) == set(Role)


def test_the_bounds_are_those_of_the_code():
    assert f"{limits.SMALL_BYTES // 1024} KiB; {limits.FORM_BYTES // 1024} KiB" in PAGE
    assert f"{connections.HEAD_BYTES // 1024} KiB, {connections.HEADERS} headers" in PAGE
    assert f"{connections.MOST_CONNECTIONS:,}" in PAGE
