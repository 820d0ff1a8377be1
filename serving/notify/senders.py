"""Who sends what leaves the house, put together from the settings."""

from collections.abc import Callable, Mapping
from datetime import datetime

from features import clock
from serving.handoff.playbook import notifications
from serving.notify import chat, digests, mail, webhooks
from serving.notify.chat import ChatSender
from serving.notify.digests import DigestSender
from serving.notify.fan_out import EVENTS_BY_TOPIC, FanOut
from serving.notify.guarded_http import OutboundRules
from serving.notify.mail import MailSender
from serving.notify.outbox import Sender
from serving.notify.webhooks import WebhookSender
from serving.settings import ServingSettings
from serving.store.session import Store


def build_rules(settings: ServingSettings) -> OutboundRules:
    """Build the rules of where webhooks and chat messages may go."""
    return OutboundRules(
        frozenset(settings.plain_hosts), settings.private_networks, settings.send_timeout_seconds
    )


def build_senders(
    settings: ServingSettings, store: Store, now: Callable[[], datetime] = clock.now
) -> Mapping[str, Sender]:
    """Build the senders of every topic of notifications."""
    rules = build_rules(settings)
    fan_out = FanOut(store, settings)
    return {
        notifications.TOPIC: fan_out,
        **dict.fromkeys(EVENTS_BY_TOPIC, fan_out),
        webhooks.TOPIC: WebhookSender(store, settings.webhooks, rules, now),
        chat.TOPIC: ChatSender(settings.chats, rules, settings.public_url, now),
        mail.TOPIC: MailSender(settings, now),
        digests.TOPIC: DigestSender(store, settings, now),
    }
