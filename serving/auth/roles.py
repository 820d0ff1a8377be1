"""Roles and what each may do: the one table. A route names a permission, never a role."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal, get_args

Permission = Literal[
    "leads:score",
    "model:read",
    "leads:read",
    "scores:read",
    "records:send",
    "records:repair",
    "engagement:send",
    "leads:merge",
    "handoffs:read",
    "handoffs:create",
    "handoffs:work",
    "handoffs:assign",
    "playbook:read",
    "playbook:draft",
    "playbook:sign_for_marketing",
    "playbook:sign_for_sales",
    "personal_data:export",
    "personal_data:erase",
    "audit_log:read",
    "jobs:manage",
    "metrics:read",
    "scoreboard:read",
    "rejections:review",
    "oversight:read",
    "api_docs:read",
]


class Role(StrEnum):
    """What somebody is here for. Nobody has two."""

    CRM = "crm"
    TRACKER = "tracker"
    MARKETER = "marketer"
    SALES = "sales"
    SCIENTIST = "scientist"
    OPS = "ops"
    OVERSEER = "overseer"
    ADMIN = "admin"


ALL: Final[frozenset[Permission]] = frozenset(get_args(Permission))

ROLES: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.CRM: frozenset(
        {
            "leads:score",
            "model:read",
            "leads:read",
            "scores:read",
            "records:send",
            "records:repair",
            "engagement:send",
            "leads:merge",
            "scoreboard:read",
            "handoffs:read",
            "handoffs:work",
            "playbook:read",
            "api_docs:read",
        }
    ),
    # Write keys lie in web pages and phones, where anybody can read them.
    Role.TRACKER: frozenset({"engagement:send"}),
    Role.MARKETER: frozenset(
        {
            "leads:score",
            "model:read",
            "leads:read",
            "scores:read",
            "leads:merge",
            "handoffs:read",
            "handoffs:create",
            "playbook:read",
            "playbook:draft",
            "playbook:sign_for_marketing",
            "personal_data:export",
            "scoreboard:read",
            "oversight:read",
            "api_docs:read",
        }
    ),
    Role.SALES: frozenset(
        {
            "model:read",
            "leads:read",
            "scores:read",
            "handoffs:read",
            "handoffs:work",
            "playbook:read",
            "playbook:draft",
            "playbook:sign_for_sales",
            "scoreboard:read",
            "oversight:read",
            "api_docs:read",
        }
    ),
    Role.SCIENTIST: frozenset(
        {
            "leads:score",
            "model:read",
            "scores:read",
            "playbook:read",
            "metrics:read",
            "api_docs:read",
        }
    ),
    Role.OPS: frozenset(
        {
            "model:read",
            "records:repair",
            "handoffs:read",
            "handoffs:assign",
            "playbook:read",
            "personal_data:erase",
            "audit_log:read",
            "jobs:manage",
            "metrics:read",
            "api_docs:read",
        }
    ),
    Role.OVERSEER: frozenset(
        {
            "model:read",
            "leads:read",
            "scores:read",
            "scoreboard:read",
            "rejections:review",
            "oversight:read",
            "handoffs:read",
            "playbook:read",
            "playbook:draft",
            "api_docs:read",
        }
    ),
    Role.ADMIN: ALL,
}
"""What each role may do. What is not here is refused."""

TOKEN: Final[frozenset[Permission]] = ROLES[Role.CRM] | {"metrics:read"}
"""What the token of BATON_API_TOKEN may: the role ``crm``, and what Prometheus asked with it."""
