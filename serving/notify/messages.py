"""Messages for people: subject, plain text and HTML of the same words. Pure.

A message says what happened, why, and where to look; never a name, a phone number or a text somebody
wrote, since mail and chat keep what they get.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote

from serving.handoff.playbook.sections.notifications import NotificationEvent

SUBJECTS: dict[NotificationEvent, str] = {
    "handed_over": "A lead for you",
    "accepted": "Sales accepted a lead",
    "returned": "Sales gave a lead back",
    "reassigned": "A lead changed hands",
    "reminder": "A deadline is near",
    "breached": "A deadline was missed",
    "waiting": "Sales waits for marketing",
    "supplied": "Missing information was supplied",
    "packet_incomplete": "A packet is incomplete",
    "withdrawn": "Marketing took a lead back",
    "nobody_free": "No seller is free for a lead",
    "sql": "A lead is sales-qualified",
    "won": "A deal is won",
    "lost": "A deal is lost",
    "band_changed": "A lead changed band",
    "finding": "The overseer recorded a finding",
    "playbook_proposed": "A new playbook is proposed",
    "playbook_agreed": "A new playbook is in effect",
}
"""What each event is called, in a mail's subject and in a chat."""


@dataclass(frozen=True)
class Table:
    """Rows under a heading."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    nothing: str = "Nothing."
    """What is said where there are no rows."""


@dataclass(frozen=True)
class Message:
    """What one person reads."""

    subject: str
    lines: tuple[str, ...]
    tables: tuple[Table, ...] = ()
    link: str | None = None

    @property
    def text(self) -> str:
        """The message as plain text."""
        parts = ["\n".join(self.lines), *(_write_table(table) for table in self.tables)]
        if self.link:
            parts.append(self.link)
        return "\n\n".join(part for part in parts if part) + "\n"

    @property
    def html(self) -> str:
        """The same words as HTML; nothing is fetched from anywhere."""
        parts = [f"<p>{escape(line)}</p>" for line in self.lines]
        parts += [_draw_table(table) for table in self.tables]
        if self.link:
            shown = escape(self.link, quote=True)
            parts.append(f'<p><a href="{shown}">{shown}</a></p>')
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>'
            f"{escape(self.subject)}</title></head><body>{''.join(parts)}</body></html>"
        )


def _write_table(table: Table) -> str:
    title = f"{table.heading}\n{'-' * len(table.heading)}"
    if not table.rows:
        return f"{title}\n{table.nothing}"
    widths = [max(map(len, column)) for column in zip(table.columns, *table.rows, strict=True)]
    lines = (_pad(row, widths) for row in (table.columns, *table.rows))
    return "\n".join((title, *lines))


def _pad(cells: Iterable[str], widths: Iterable[int]) -> str:
    return "  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)).rstrip()


def _draw_table(table: Table) -> str:
    title = f"<h2>{escape(table.heading)}</h2>"
    if not table.rows:
        return f"{title}<p>{escape(table.nothing)}</p>"
    head = "".join(f'<th align="left">{escape(column)}</th>' for column in table.columns)
    rows = (f"<tr>{''.join(f'<td>{escape(c)}</td>' for c in row)}</tr>" for row in table.rows)
    return f'{title}<table cellpadding="4"><tr>{head}</tr>{"".join(rows)}</table>'


def build_message(payload: Mapping[str, Any], public_url: str) -> Message:
    """Build the message of a notice, as its effect holds it."""
    subject = SUBJECTS[payload["event"]]
    lead_id, handoff_id = payload["lead_id"], payload["handoff_id"]
    # The subject shows on locked phones: an id that is an address does not belong there.
    which = f" (handoff {handoff_id})" if handoff_id else ""
    lines = [f"{subject}{which}."]
    if payload["because"]:
        lines.append(str(payload["because"]))
    if payload["seller"]:
        lines.append(f"With: {payload['seller']}.")
    link = None
    if lead_id:
        link = f"{public_url.rstrip('/')}/v1/leads/{quote(lead_id, safe='')}"
    return Message(f"{subject}{which}", tuple(lines), link=link)
