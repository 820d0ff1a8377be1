"""Traits, as tools tell them, to attributes of a lead. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

OWN_NAMES = {
    "title": "job_title",
    "company_name": "company",
    "company_industry": "industry",
    "company_employee_count": "employees",
    "company_employees": "employees",
    "company_size": "employees",
    "company_revenue": "annual_revenue",
    "address_country": "country",
    "address_state": "region",
    "address_city": "city",
}
"""Traits of Segment's spec that have a name of their own here."""

OWN_GROUP_NAMES = {
    "name": "company",
    "industry": "industry",
    "employees": "employees",
    "employee_count": "employees",
    "annual_revenue": "annual_revenue",
    "revenue": "annual_revenue",
    "website": "company_website",
    "address_country": "country",
    "address_state": "region",
    "country": "country",
    "region": "region",
}
"""Traits of a group that say something of each of its members."""

NO_ATTRIBUTES = frozenset({"id", "anonymous_id", "user_id", "created_at", "company_id", "avatar"})
"""Traits that are names, times or pictures of the person, not facts about it."""

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_WORD = re.compile(r"[^0-9a-zA-Z]+")


def snake(name: str) -> str:
    """Write a name the way attributes are.

    >>> snake("jobTitle"), snake("Employee Count"), snake("NPS")
    ('job_title', 'employee_count', 'nps')
    """
    return _NO_WORD.sub("_", _HUMP.sub("_", name)).strip("_").lower()


def _flatten(traits: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in traits.items():
        name = f"{before}{snake(key)}"
        if isinstance(value, Mapping):
            # One floor down and no further: what lies deeper is a document.
            if not before:
                yield from _flatten(value, f"{name}_")
        elif not isinstance(value, list) and name.strip("_"):
            yield name[:500], value


def map_attributes(traits: Mapping[str, Any]) -> dict[str, Any]:
    """Read a person's traits; lists are left out, nested ones written in one name.

    >>> map_attributes({"title": "CTO", "company": {"name": "Acme", "id": "acme"}, "tags": ["x"]})
    {'job_title': 'CTO', 'company': 'Acme'}
    """
    flat = ((OWN_NAMES.get(name, name), value) for name, value in _flatten(traits))
    return {name: value for name, value in flat if name not in NO_ATTRIBUTES}


def map_group_attributes(traits: Mapping[str, Any]) -> dict[str, Any]:
    """Read a group's traits as attributes of a member; those of no own name begin with account.

    >>> map_group_attributes({"name": "Acme", "employees": 120, "plan": "pro"})
    {'company': 'Acme', 'employees': 120, 'account_plan': 'pro'}
    """
    flat = ((OWN_GROUP_NAMES.get(name, f"account_{name}"), v) for name, v in _flatten(traits))
    return {n: v for n, v in flat if n.removeprefix("account_") not in NO_ATTRIBUTES}
