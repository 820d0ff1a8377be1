"""When a deed is done, by whom, and with what its records land."""

from dataclasses import dataclass
from datetime import datetime

from features.catalog.manifest import Catalog

RULE = "rule"
"""Who does what nobody decided: the playbook's rules."""


@dataclass(frozen=True)
class ActionContext:
    """The circumstances of a deed."""

    at: datetime
    by: str = RULE
    catalog: Catalog | None = None
    """Of the champion, whose codes histories are packed in; None where there is none."""
