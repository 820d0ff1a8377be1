"""Templates of pages and drawings, filled."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

ENVIRONMENT = Environment(  # noqa: S701 - Markdown, from our own code
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def render(template: str, **facts: Any) -> str:
    """Fill a template; a name it does not know is an error."""
    return ENVIRONMENT.get_template(template).render(**facts)


def fit_cell(text: str) -> str:
    """Fit a text into one cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


ENVIRONMENT.filters["cell"] = fit_cell
