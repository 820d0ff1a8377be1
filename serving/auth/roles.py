"""Roles and what each may do: the one table. A route names a permission, never a role."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal, get_args

Permission = Literal[
    "score leads",
    "read the model",
    "read leads",
    "read scores",
    "send records",
    "mend records",
    "send engagement",
    "join leads",
    "read handoffs",
    "hand over leads",
    "work handoffs",
    "assign handoffs",
    "read the playbook",
    "draft the playbook",
    "agree for marketing",
    "agree for sales",
    "export people",
    "erase people",
    "read the audit log",
    "tend jobs",
    "read the metrics",
    "read the scoreboard",
    "oversee rejections",
    "read oversight",
    "read the manual",
]

PERMISSIONS: Final[Mapping[Permission, str]] = {
    "score leads": "have leads scored that are sent along (`POST /v1/score`)",
    "read the model": "read the model card and the drift report",
    "read leads": "read cards, timelines and lists of leads",
    "read scores": "read scores, their history and why they moved; ask what would move them; export them",
    "send records": "send leads, events, stage changes and attempts",
    "mend records": "read the quarantine, mend what is in it, send it through again",
    "send engagement": "send engagement by the protocols of Segment, RudderStack and Snowplow",
    "join leads": "merge two leads, and undo it",
    "read handoffs": "read the queue, packets, decisions, definitions and sellers",
    "hand over leads": "hand a lead over by a reason; supply, release and withdraw handoffs",
    "work handoffs": "answer handoffs, log attempts, qualify, give back; sellers their own only",
    "assign handoffs": "give a handoff to a seller by hand; note absences and who asks for whom",
    "read the playbook": "read the playbook in effect and its versions",
    "draft the playbook": "check a draft of the playbook, and propose it as a version",
    "agree for marketing": "agree to a version of the playbook for marketing",
    "agree for sales": "agree to a version of the playbook for sales",
    "export people": "get all that is held on a person",
    "erase people": "erase a person, and let one in again",
    "read the audit log": "read who did what",
    "tend jobs": "see which background jobs failed for good, and try them again",
    "read the metrics": "read the figures for Prometheus",
    "read the scoreboard": "read what both sides promised and did (`GET /v1/sla`) and how leads were pursued (`GET /v1/pursuit`)",
    "oversee rejections": "draw a month's sample of rejected leads, read its cases, find on them",
    "read oversight": "read a month's report of oversight",
    "read the manual": "read the description of the API",
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
            "score leads",
            "read the model",
            "read leads",
            "read scores",
            "send records",
            "mend records",
            "send engagement",
            "join leads",
            "read the scoreboard",
            "read handoffs",
            "work handoffs",
            "read the playbook",
            "read the manual",
        }
    ),
    # Write keys lie in web pages and phones, where anybody can read them.
    Role.TRACKER: frozenset({"send engagement"}),
    Role.MARKETER: frozenset(
        {
            "score leads",
            "read the model",
            "read leads",
            "read scores",
            "join leads",
            "read handoffs",
            "hand over leads",
            "read the playbook",
            "draft the playbook",
            "agree for marketing",
            "export people",
            "read the scoreboard",
            "read oversight",
            "read the manual",
        }
    ),
    Role.SALES: frozenset(
        {
            "read the model",
            "read leads",
            "read scores",
            "read handoffs",
            "work handoffs",
            "read the playbook",
            "draft the playbook",
            "agree for sales",
            "read the scoreboard",
            "read oversight",
            "read the manual",
        }
    ),
    Role.SCIENTIST: frozenset(
        {
            "score leads",
            "read the model",
            "read scores",
            "read the playbook",
            "read the metrics",
            "read the manual",
        }
    ),
    Role.OPS: frozenset(
        {
            "read the model",
            "mend records",
            "read handoffs",
            "assign handoffs",
            "read the playbook",
            "erase people",
            "read the audit log",
            "tend jobs",
            "read the metrics",
            "read the manual",
        }
    ),
    Role.OVERSEER: frozenset(
        {
            "read the model",
            "read leads",
            "read scores",
            "read the scoreboard",
            "oversee rejections",
            "read oversight",
            "read handoffs",
            "read the playbook",
            "draft the playbook",
            "read the manual",
        }
    ),
    Role.ADMIN: ALL,
}
"""What each role may do. What is not here is refused."""

TOKEN: Final[frozenset[Permission]] = ROLES[Role.CRM] | {"read the metrics"}
"""What the token of BATON_API_TOKEN may: the role ``crm``, and what Prometheus asked with it."""
