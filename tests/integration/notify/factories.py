"""Settings, notices and playbooks of the tests of notifications."""

from base64 import b64encode
from datetime import datetime
from pathlib import Path
from typing import Any

from serving.handoff.playbook.notifications import Notification, enqueue_notification
from serving.notify.outbox import Outbox
from serving.notify.senders import build_senders
from serving.settings import ServingSettings
from serving.store.session import Store
from serving.store.tables import PlaybookVersion
from tests.integration.scores.job_resources import Clock
from tests.unit.serving.factories import make_settings

SECRET = "whsec_" + b64encode(b"a" * 32).decode()
NEWER_SECRET = "whsec_" + b64encode(b"b" * 32).decode()

BY_WEBHOOK = """
[[notifications.rules]]
on = ["accepted", "returned"]
to = ["marketing"]
by = ["webhook"]
"""


def make_notifier(folder: Path, **changes: Any) -> ServingSettings:
    """Make settings that may reach this machine."""
    allowed = {"plain_hosts": "127.0.0.1,localhost", "private_networks": "127.0.0.0/8"}
    return make_settings(folder, **{**allowed, **changes})


def make_endpoint(url: str, *secrets: str) -> dict[str, Any]:
    return {"url": url, "secrets": list(secrets) or [SECRET]}


def build_outbox(store: Store, settings: ServingSettings, clock: Clock, **changes: Any) -> Outbox:
    return Outbox(store, build_senders(settings, store, now=clock), now=clock, **changes)


def agree_on(store: Store, text: str, at: datetime) -> None:
    """Put a playbook in effect."""
    with store.work() as work:
        work.session.add(
            PlaybookVersion(
                version="v-test",
                body=text,
                state="in_effect",
                created_at=at,
                created_by="tests",
                in_effect_from=at,
            )
        )


def make_notice(at: datetime, **changes: Any) -> Notification:
    valid: dict[str, Any] = {
        "key": "handoff:17:accepted",
        "event": "accepted",
        "because": "Sales took it on within 2 hours.",
        "at": at,
        "lead_id": "L17",
        "seller": "ann",
        "handoff_id": "17",
        "facts": {"segment": "smb"},
    }
    return Notification(**{**valid, **changes})


def describe_of(store: Store, *notices: Notification) -> None:
    with store.work() as work:
        for notification in notices:
            enqueue_notification(work, notification)
