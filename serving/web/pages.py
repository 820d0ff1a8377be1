"""Small pages for people: no script, nothing from elsewhere, all text escaped."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from serving.auth.principals import Principal
from serving.web.trend import draw_trend

PAGE_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'"
)
"""Content-Security-Policy of our own pages."""

DEPTH = 4
"""Levels of a card shown as tables; deeper ones are left to its JSON."""

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def format_cell(value: Any) -> str:
    """Say one value of a card.

    >>> format_cell(0.123456), format_cell(12000), format_cell(None), format_cell(True)
    ('0.1235', '12,000', '-', 'yes')
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if math.isfinite(value) else "-"
    return str(value)


def format_heading(name: str) -> str:
    """Say the name of an entry as a heading.

    >>> format_heading("leak_audit")
    'Leak audit'
    """
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def is_rows(value: Any) -> bool:
    """Tell whether a value is a list of records, to be shown as a table."""
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(row, Mapping) for row in value)
    )


def is_mapping(value: Any) -> bool:
    """Tell whether a value has entries of its own."""
    return isinstance(value, Mapping)


def is_plain_list(value: Any) -> bool:
    """Tell whether a value is a list of plain values."""
    return isinstance(value, Sequence) and not isinstance(value, str) and not is_rows(value)


def describe_reach(value: float | None, is_number: bool) -> str:
    """Say a figure of the scoreboard: a share, or a number of leads.

    >>> describe_reach(0.873, False), describe_reach(36.8, True), describe_reach(None, True)
    ('87 %', '37', '-')
    """
    if value is None:
        return "-"
    return f"{value:.0f}" if is_number else f"{100 * value:.0f} %"


def describe_change(value: float | None, is_number: bool) -> str:
    """Say how a figure of the scoreboard changed.

    >>> describe_change(-0.05, False), describe_change(4.0, True)
    ('-5 points', '+4')
    """
    if value is None:
        return "-"
    return f"{value:+.0f}" if is_number else f"{100 * value:+.0f} points"


_environment.filters |= {
    "cell": format_cell,
    "heading": format_heading,
    "reach": describe_reach,
    "change": describe_change,
}
_environment.tests |= {"rows": is_rows, "entries": is_mapping, "plain_list": is_plain_list}


def build_landing_page(address: str, curl_lines: Sequence[str], caller: Principal | None) -> str:
    """Build the page at the root: what this is, who is signed in, and where to go."""
    page = _environment.get_template("landing.html")
    return page.render(address=address, curl_lines=curl_lines, caller=caller)


def build_docs_page() -> str:
    """Build the page of the described API."""
    return _environment.get_template("docs.html").render()


def build_sign_in_page(
    form_token: str, target: str, *, by_password: bool, by_key: bool, problem: str | None
) -> str:
    """Build the page to sign in on.

    Parameters
    ----------
    form_token
        What the form must bring back.
    target
        Where to go then.
    by_password, by_key
        What one may sign in with: address and password, or the key of this machine.
    problem
        Why the last try failed.
    """
    return _environment.get_template("sign_in.html").render(
        form_token=form_token,
        target=target,
        by_password=by_password,
        by_key=by_key,
        problem=problem,
    )


def build_model_page(model: Mapping[str, Any]) -> str:
    """Build the page of the model card."""
    return _environment.get_template("model.html").render(model=model, depth=DEPTH)


def build_drift_page(answer: Mapping[str, Any]) -> str:
    """Build the page that stands in for Evidently's while there is none."""
    return _environment.get_template("drift.html").render(answer=answer)


def build_scoreboard_page(found: Mapping[str, Any]) -> str:
    """Build the page of the scoreboard."""
    trends = [draw_trend(one["promise"], one["goal"], one["reached"]) for one in found["trend"]]
    return _environment.get_template("scoreboard.html").render(
        since=found["since"],
        until=found["until"],
        playbook_version=found["playbook_version"],
        rows=found["lines"],
        trends=trends,
        parts=found["parts"],
    )
