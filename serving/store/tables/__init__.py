"""The tables, by topic. Importing this package knows them all."""

from serving.store.tables.access import ApiKey, AuditEntry, Person, SignIn, SignInFailure
from serving.store.tables.base import Base
from serving.store.tables.effects import ClosedEndpoint, OutboxEffect
from serving.store.tables.history import Attempt, Event, PackedHistory, StageChange
from serving.store.tables.jobs import JobProblem
from serving.store.tables.leads import Identity, Lead, LeadVersion, Merge, Tombstone
from serving.store.tables.playbooks import PlaybookVersion
from serving.store.tables.requests import IdempotencyKey, QuarantinedItem
from serving.store.tables.scores import BundleVersion, Score, ScoreDue

__all__ = [
    "ApiKey",
    "Attempt",
    "AuditEntry",
    "Base",
    "BundleVersion",
    "ClosedEndpoint",
    "Event",
    "IdempotencyKey",
    "Identity",
    "JobProblem",
    "Lead",
    "LeadVersion",
    "Merge",
    "OutboxEffect",
    "PackedHistory",
    "Person",
    "PlaybookVersion",
    "QuarantinedItem",
    "Score",
    "ScoreDue",
    "SignIn",
    "SignInFailure",
    "StageChange",
    "Tombstone",
]
