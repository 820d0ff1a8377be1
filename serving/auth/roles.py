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

PERMISSIONS: Final[Mapping[Permission, str]] = {
    "leads:score": "score leads sent in a request (`POST /v1/score`)",
    "model:read": "read the model card and the drift report",
    "leads:read": "read cards, timelines and lists of leads",
    "scores:read": "read scores, their history, why they changed and what would change them; export them",
    "records:send": "send leads, events, stage changes and attempts",
    "records:repair": "read the quarantine, correct its items, send them again",
    "engagement:send": "send engagement by the protocols of Segment, RudderStack and Snowplow",
    "leads:merge": "merge two leads, and undo it",
    "handoffs:read": "read the queue, packets, decisions, definitions and sellers",
    "handoffs:create": "hand a lead over with a reason; supply, release and withdraw handoffs",
    "handoffs:work": "answer handoffs, log attempts, qualify, return; sellers only their own",
    "handoffs:assign": "assign a handoff to a seller; record absences and who acts for a seller",
    "playbook:read": "read the playbook in effect and its versions",
    "playbook:draft": "check a draft of the playbook, and propose it as a version",
    "playbook:sign_for_marketing": "agree to a version of the playbook for marketing",
    "playbook:sign_for_sales": "agree to a version of the playbook for sales",
    "personal_data:export": "export all data held on a person",
    "personal_data:erase": "erase a person, and readmit one",
    "audit_log:read": "read the audit log",
    "jobs:manage": "list background jobs that failed for good, and retry them; reopen webhook endpoints",
    "metrics:read": "read the Prometheus metrics",
    "scoreboard:read": "read SLA results of both sides (`GET /v1/sla`) and how leads were pursued (`GET /v1/pursuit`)",
    "rejections:review": "draw a month's sample of rejected leads, read its cases, record findings",
    "oversight:read": "read a month's report of oversight",
    "api_docs:read": "read the description of the API",
}
"""Every permission and what it means, in words for the manual."""


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
