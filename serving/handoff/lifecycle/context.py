"""When an action happens, by whom, and with which catalogue its records are packed."""

from dataclasses import dataclass
from datetime import datetime

from features.catalog.manifest import Catalog
from serving.intake.records.items import OWN

RULE = "rule"
"""Who does what nobody decided: the playbook's rules."""

SOURCE = OWN
"""Source of the records that handoffs make."""


@dataclass(frozen=True)
class ActionContext:
    """The circumstances of an action."""

    at: datetime
    by: str = RULE
    catalog: Catalog | None = None
    """Of the champion, whose codes histories are packed in; None where there is none."""
