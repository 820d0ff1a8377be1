"""What tools send and get, as /docs shows it."""

from typing import Any

import msgspec

from serving.intake.api.merges import Merges
from serving.intake.api.tools import ToolResponse
from serving.intake.identity.merging import MergeRecord
from serving.intake.tools.segment import SegmentMessage


class SegmentBatch(msgspec.Struct):
    """Many messages, each judged on its own."""

    batch: list[SegmentMessage]
    sentAt: str | None = None  # noqa: N815 - theirs
    """When the sender's clock says it was sent: times are corrected by how far that clock is off."""


class SnowplowBatch(msgspec.Struct):
    """Many events, each judged on its own."""

    data: list[dict[str, Any]]
    schema: str | None = None


DESCRIBED_MESSAGES = (
    SegmentBatch,
    SnowplowBatch,
    SegmentMessage,
    ToolResponse,
    MergeRecord,
    Merges,
)
