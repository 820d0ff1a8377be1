"""Messages in a chat room, by an incoming webhook such as Slack, Teams and Mattermost have.

Rooms cannot tell repeats: whoever dies between sending and saying so has a message stand there twice.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from features import clock
from serving.notify.guarded_http import (
    OutboundRules,
    Resolve,
    check_answer,
    find_target,
    post,
    resolve,
)
from serving.notify.messages import build_message
from serving.notify.outbox import Effect, SendFailedError
from serving.settings import ChatRoom

TOPIC = "chat"

MOST_CHARACTERS = 3_000


@dataclass
class ChatSender:
    """Sends effects of the topic ``chat``."""

    rooms: Mapping[str, ChatRoom]
    rules: OutboundRules
    public_url: str
    now: Callable[[], datetime] = clock.now
    find: Resolve = resolve

    def __call__(self, effect: Effect) -> None:
        """Write in the room.

        Raises
        ------
        SendFailedError
            If it is not taken; for good where there is no such room in the settings any more.
        """
        room = self.rooms.get(str(effect.payload.get("room")))
        if room is None:
            raise SendFailedError("No such room in BATON_CHATS", for_good=True)
        message = build_message(effect.payload, self.public_url)
        body = json.dumps({"text": message.text[:MOST_CHARACTERS]}).encode()
        target = find_target(room.url.get_secret_value(), self.rules, self.find)
        answer = post(
            target, body, {"Content-Type": "application/json"}, self.rules.timeout_seconds
        )
        check_answer(answer, self.now())
