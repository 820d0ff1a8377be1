"""The packet as a plain memo and as Markdown, from the one structure. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from serving.handoff.packet.build import Packet, Touch

UNKNOWN = "not known"
_MARKS = re.compile(r"([\\`*_\[\]<>|~&])")
_BEGINNINGS = re.compile(r"^(\d+(?=[.)]))?([#+=.)-])")
_BREAKS = re.compile(r"\s+")


@dataclass(frozen=True)
class _MemoSection:
    """A heading and its lines."""

    heading: str
    lines: tuple[str, ...]


def _one_line(text: str) -> str:
    """Keep what others wrote on its line: a break in it could pass for a heading of ours."""
    return _BREAKS.sub(" ", text).strip()


def escape_markdown(text: str) -> str:
    r"""Write text so that Markdown shows it as it is.

    >>> escape_markdown("a*b <script>")
    'a\\*b \\<script\\>'
    """
    shown = _MARKS.sub(r"\\\1", text)
    # What opens a list or a heading does so only at the beginning of a line.
    return _BEGINNINGS.sub(r"\1\\\2", shown)


def _shown(text: str) -> str:
    return escape_markdown(_one_line(text))


def _describe_touch(touch: Touch | None) -> str:
    if touch is None:
        return UNKNOWN
    campaign = f", campaign {touch.campaign}" if touch.campaign else ""
    return f"{touch.day}, {touch.words}{campaign}"


def _list_facts(packet: Packet) -> Iterator[tuple[str, str]]:
    """List the facts in the order in which sales asks for them."""
    because = f" ({packet.persona_because})" if packet.persona and packet.persona_because else ""
    yield "Why now", packet.why_now
    yield "Persona", f"{packet.persona or UNKNOWN}{because}"
    yield "Job title", packet.job_title or UNKNOWN
    yield "Company", packet.company or UNKNOWN
    yield "Lead source", packet.source or UNKNOWN
    yield "Campaign", packet.campaign or UNKNOWN
    yield "First touch", _describe_touch(packet.first_touch)
    yield "Last touch", _describe_touch(packet.last_touch)
    yield "Product of interest", packet.product or UNKNOWN
    yield "Awareness", f"{packet.awareness.level} ({packet.awareness.because})"
    yield "Stage", packet.stage
    band = f", band {packet.band}" if packet.band else ""
    yield "Score", UNKNOWN if packet.score is None else f"{packet.score:.1f} of 100{band}"


def _list_parts(packet: Packet) -> Iterator[_MemoSection]:
    if packet.reasons:
        yield _MemoSection("Reasons of the score", packet.reasons)
    if packet.earlier:
        yield _MemoSection("Handed over before", packet.earlier)
    lines = tuple(f"{line.day}: {line.words}" for line in packet.timeline)
    yield _MemoSection("Timeline", lines or ("nothing is recorded",))
    opening = packet.opening
    yield _MemoSection(
        f"Suggested opening: {opening.channel.value} ({opening.because})", (opening.text,)
    )
    if packet.missing:
        yield _MemoSection("Missing", tuple(_list_missing(packet)))


def _list_missing(packet: Packet) -> Iterator[str]:
    for missing in packet.missing:
        name = missing.field.value.replace("_", " ")
        held = "; the packet is held back until then" if missing.holds else ""
        yield f"{name}: {missing.supplier} should supply it{held}"


def _title(packet: Packet) -> str:
    held = " (held back)" if packet.held else ""
    return f"Handoff of lead {packet.lead_id}{held}"


def _signed(packet: Packet) -> str:
    return f"As of {packet.at:%Y-%m-%d %H:%M} UTC, playbook {packet.playbook_version}."


def render_memo(packet: Packet) -> str:
    """Write the packet as plain text, as one would put it into a mail."""
    lines = [_one_line(_title(packet)), ""]
    lines += [f"{name}: {_one_line(value)}" for name, value in _list_facts(packet)]
    for part in _list_parts(packet):
        lines += ["", f"{_one_line(part.heading)}:"]
        lines += [f"- {_one_line(line)}" for line in part.lines]
    return "\n".join([*lines, "", _signed(packet)]) + "\n"


def render_markdown(packet: Packet) -> str:
    """Write the packet as Markdown; what others wrote is shown, never obeyed."""
    lines = [f"## {_shown(_title(packet))}", ""]
    lines += [f"- **{name}:** {_shown(value)}" for name, value in _list_facts(packet)]
    for part in _list_parts(packet):
        lines += ["", f"### {_shown(part.heading)}", ""]
        lines += [f"- {_shown(line)}" for line in part.lines]
    return "\n".join([*lines, "", f"*{_shown(_signed(packet))}*"]) + "\n"
