"""The tables, by topic. Importing this package knows them all."""

from serving.store.tables.access import ApiKey, AuditEntry, Person, SignIn, SignInFailure
from serving.store.tables.base import Base
from serving.store.tables.effects import ClosedEndpoint, OutboxEffect
from serving.store.tables.handoff import (
    Absence,
    Assignment,
    ClockActionTaken,
    Decision,
    Handoff,
    HandoffMove,
    NurtureTrack,
    OversightCase,
    OversightFinding,
    RoutingCredit,
    Seller,
)
from serving.store.tables.history import Attempt, Event, PackedHistory, StageChange
from serving.store.tables.jobs import JobProblem
from serving.store.tables.leads import Identity, Lead, LeadVersion, Merge, Tombstone
from serving.store.tables.playbooks import PlaybookSignature, PlaybookVersion
from serving.store.tables.requests import IdempotencyKey, QuarantinedItem
from serving.store.tables.scores import (
    BundleVersion,
    Score,
    ScoredRow,
    ScoreDue,
    ShadowScore,
)

__all__ = [
    "Absence",
    "ApiKey",
    "Assignment",
    "Attempt",
    "AuditEntry",
    "Base",
    "BundleVersion",
    "ClockActionTaken",
    "ClosedEndpoint",
    "Decision",
    "Event",
    "Handoff",
    "HandoffMove",
    "IdempotencyKey",
    "Identity",
    "JobProblem",
    "Lead",
    "LeadVersion",
    "Merge",
    "NurtureTrack",
    "OutboxEffect",
    "OversightCase",
    "OversightFinding",
    "PackedHistory",
    "Person",
    "PlaybookSignature",
    "PlaybookVersion",
    "QuarantinedItem",
    "RoutingCredit",
    "Score",
    "ScoreDue",
    "ScoredRow",
    "Seller",
    "ShadowScore",
    "SignIn",
    "SignInFailure",
    "StageChange",
    "Tombstone",
]
