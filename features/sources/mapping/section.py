"""One section of a mapping file while it is read: every refusal names its place and the fix."""

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from features.clock import to_us
from features.sources.errors import MappingError

OFFSET_UNITS = {
    "us": timedelta(microseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


class Section:
    """A TOML table with its place in the file."""

    def __init__(self, file: str, name: str, entries: object) -> None:
        self.file = file
        self.name = name
        if not isinstance(entries, dict):
            raise MappingError(file, name, "section", "must be a table of key = value lines.")
        self.entries: Mapping[str, Any] = entries

    def refusal(self, field: str, problem: str) -> MappingError:
        """Word what is wrong with one of this section's fields."""
        return MappingError(self.file, self.name, field, problem)

    def check_keys(self, allowed: Collection[str]) -> None:
        """Check that nothing is misspelt."""
        for key in self.entries:
            if key not in allowed:
                raise self.refusal(key, f"is not known here. Use one of: {', '.join(allowed)}.")

    def find_text(self, field: str) -> str | None:
        """Read a text, if it is there. Numbers and booleans are taken as they are written."""
        entry = self.entries.get(field)
        if entry is None or isinstance(entry, str):
            return entry
        if isinstance(entry, bool):
            return "true" if entry else "false"
        if isinstance(entry, (int, float)):
            return str(entry)
        raise self.refusal(field, f'must be a text in quotes, such as {field} = "...".')

    def get_text(self, field: str, fix: str) -> str:
        """Read a text that must be there."""
        text = self.find_text(field)
        if not text:
            raise self.refusal(field, f"is missing. {fix}")
        return text

    def get_choice(self, field: str, choices: Collection[str], default: str | None = None) -> str:
        """Read one of several words."""
        words = ", ".join(f'"{choice}"' for choice in choices)
        text = self.find_text(field) or default
        if text is None:
            raise self.refusal(field, f"is missing. Choose one of: {words}.")
        if text not in choices:
            raise self.refusal(field, f"cannot be {text!r}. Choose one of: {words}.")
        return text

    def get_switch(self, field: str) -> bool:
        """Read true or false; absent is false."""
        entry = self.entries.get(field, False)
        if not isinstance(entry, bool):
            raise self.refusal(field, "must be true or false, without quotes.")
        return entry

    def texts(self, field: str) -> tuple[str, ...]:
        """Read a list of texts; a single text is a list of one, absent is none."""
        entry = self.entries.get(field, [])
        entry = entry if isinstance(entry, list) else [entry]
        if not all(isinstance(text, (str, int, float)) for text in entry):
            raise self.refusal(
                field, f'must be a list of texts, such as {field} = ["...", "..."].'
            )
        return tuple(str(text) for text in entry)

    def find_words(self, field: str) -> dict[str, str] | None:
        """Read a table of text to text, if it is there."""
        entry = self.entries.get(field)
        if entry is None:
            return None
        if not isinstance(entry, dict) or not all(isinstance(v, str) for v in entry.values()):
            raise self.refusal(
                field, f'must be a table of texts: {field} = {{ "theirs" = "ours" }}.'
            )
        return {key.strip(): word for key, word in entry.items()}

    def find_zone(self, field: str) -> ZoneInfo | None:
        """Read a time zone, if it is there."""
        name = self.find_text(field)
        if name is None:
            return None
        try:
            return ZoneInfo(name)
        except (ValueError, OSError, LookupError):
            raise self.refusal(
                field,
                f"there is no time zone {name!r}. Use a name of the tz database, such as "
                '"Europe/Amsterdam" or "UTC".',
            ) from None

    def find_moment_us(self, field: str, zone: ZoneInfo) -> int | None:
        """Read a date or time, if it is there; one without offset is local to ``zone``."""
        entry = self.entries.get(field)
        return None if entry is None else self.moment_us(field, entry, zone)

    def moment_us(self, field: str, entry: object, zone: ZoneInfo) -> int:
        """Read a date or time as microseconds since the epoch."""
        if isinstance(entry, str):
            try:
                entry = datetime.fromisoformat(entry)
            except ValueError:
                raise self.refusal(
                    field, f'{entry!r} is no date or time. Write it as "2018-05-01".'
                ) from None
        if isinstance(entry, date) and not isinstance(entry, datetime):
            entry = datetime(entry.year, entry.month, entry.day, tzinfo=zone)
        if not isinstance(entry, datetime):
            raise self.refusal(field, 'must be a date or time, such as "2018-05-01".')
        return to_us(entry if entry.tzinfo else entry.replace(tzinfo=zone))

    def offset_us(self, field: str) -> int:
        """Read a span such as ``1d`` or ``-30m``; absent is none."""
        text = self.find_text(field)
        if text is None:
            return 0
        digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
        unit = OFFSET_UNITS.get(text[len(digits) :])
        try:
            count = int(digits)
        except ValueError:
            count = 0
        if unit is None or not count:
            raise self.refusal(
                field, f'{text!r} is no span. Write it as "1d", "12h", "-30m" or "10s".'
            )
        return count * (unit // timedelta(microseconds=1))
