"""Attributes as they are stored, read to what the kernel takes. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from features import clock
from features.catalog.fit import LeadAttribute

Cell = float | str | bool | None


def _as_time(value: Any) -> float | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.upper())
        return float(clock.to_us(moment))
    except (ValueError, OverflowError):
        return None


def read_cell(attribute: LeadAttribute, value: Any) -> Cell:
    """Read one value; None if it is not known, or of another type than the model learned.

    Not an error: what was stored before there was a model, or under another one, is kept as it came.
    """
    if attribute.type == "category":
        return (value.strip() or None) if isinstance(value, str) else None
    if attribute.type == "time":
        return _as_time(value)
    if attribute.type == "flag":
        return value if isinstance(value, bool) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def read_cells(
    attributes: tuple[LeadAttribute, ...], stored: Mapping[str, Any]
) -> dict[str, Cell]:
    """Read the attributes a catalogue knows."""
    return {a.name: read_cell(a, stored.get(a.name)) for a in attributes}
