"""The table of roles: whole, described, and as narrow as it says."""

import re
from pathlib import Path
from typing import get_args

from serving.auth.roles import ROLES, TOKEN, Permission, Role

PERMISSIONS = set(get_args(Permission))
MANUAL = Path(__file__).parents[4] / "docs" / "how-to" / "keys-and-roles.md"


def test_every_role_and_every_permission_is_in_the_table():
    assert set(ROLES) == set(Role)
    assert frozenset().union(*ROLES.values()) == PERMISSIONS
    assert ROLES[Role.ADMIN] == PERMISSIONS


def test_a_key_that_lies_open_in_web_pages_may_only_send_engagement():
    assert ROLES[Role.TRACKER] == {"engagement:send"}


def test_nobody_but_admins_reads_and_erases_people():
    both = {
        role
        for role, may in ROLES.items()
        if {"personal_data:export", "personal_data:erase"} <= may
    }
    assert both == {Role.ADMIN}
    assert "personal_data:erase" not in TOKEN


def test_the_manual_prints_the_table_as_it_is():
    rows = re.findall(r"^\| (.+?) \|(.+)\|$", MANUAL.read_text(), flags=re.MULTILINE)
    head = next(cells for first, cells in rows if first == "permission")
    roles = [cell.strip(" `") for cell in head.split("|")][1:]
    assert roles == [role.value for role in Role]
    printed = {
        first: (cells.split("|")[0].strip(), [cell.strip() for cell in cells.split("|")[1:]])
        for first, cells in rows
        if first in PERMISSIONS
    }
    assert set(printed) == PERMISSIONS
    for permission, (words, marks) in printed.items():
        assert words
        for role, mark in zip(Role, marks, strict=True):
            assert (mark == "yes") == (permission in ROLES[role]), (permission, role)
