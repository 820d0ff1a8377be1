"""Pages that people read, in Markdown, from templates: the model card, the report of a promotion."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

UNKNOWN = "-"

_TAG = re.compile(r"<(?=[A-Za-z/!?])")


def render_card(card: Mapping[str, Any]) -> str:
    """Render a card made by `build_card`, or of a bundle that was not learned."""
    kind = "card" if card.get("learned", True) else "cold_card"
    return render_page(f"card/templates/{kind}.md.j2", card=card)


def render_page(template: str, **facts: Any) -> str:
    """Render a template of a folder below ``training``; what is in the facts is no HTML."""
    page = _environment.get_template(template).render(facts)
    # Parts that are left out leave their empty lines.
    return re.sub(r"\n{3,}", "\n\n", page).strip() + "\n"


def row(*cells: Any) -> str:
    """Write a row of a table; bars and line breaks would end its cells."""
    shown = (str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(shown)} |"


def header(*names: str) -> str:
    """Write the head of a table."""
    return f"{row(*names)}\n{row(*['---'] * len(names))}"


def number(value: float | None, digits: int = 2) -> str:
    """Write a number with fixed digits; unknown is a dash."""
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def share(value: float | None, digits: int = 1) -> str:
    """Write a share in percent; unknown is a dash."""
    return UNKNOWN if value is None else f"{value * 100:.{digits}f} %"


def interval(ends: Mapping[str, Any] | None, digits: int = 2) -> str:
    """Write an interval in brackets after a value; nothing where it is unknown."""
    if ends is None or ends["low"] is None or ends["high"] is None:
        return ""
    return f" [{ends['low']:.{digits}f}, {ends['high']:.{digits}f}]"


def list_notes(findings: Sequence[Mapping[str, Any]]) -> list[tuple[tuple[str, str], list[str]]]:
    """List the features that each rule of the leak audit has noted something of."""
    by_rule: dict[tuple[str, str], list[str]] = {}
    for found in findings:
        if found["verdict"] == "note":
            by_rule.setdefault((found["rule"], found["threshold"]), []).append(found["feature"])
    return list(by_rule.items())


def _no_tag(value: Any) -> Any:
    return _TAG.sub(r"\\<", value) if isinstance(value, str) else value


_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1]),
    autoescape=False,  # noqa: S701 - Markdown: ``finalize`` lets nothing begin a tag
    finalize=_no_tag,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {"number": number, "share": share, "count": "{:,.0f}".format}
_environment.globals |= {
    one.__name__: one for one in (header, row, number, share, interval, list_notes)
}
