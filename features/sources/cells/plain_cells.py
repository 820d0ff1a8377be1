"""Times and numbers in their usual writing, read by Arrow many at a time.

Arrow reads fewer writings than the row reader, and those alike. A text that it cannot read comes out
null and is left to the row reader: never guessed at.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

ON_CLOCK, INSTANT = pa.timestamp("us"), pa.timestamp("us", "UTC")

BLANKS = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
    "\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""What str.strip() strips."""

# Arrow refuses a whole column for one text that it cannot cast: these find those that it can.
_LEAP_YEAR = r"\d\d(?:0[48]|[2468][048]|[13579][26])"
_DAY = (
    r"(?:\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)"
    rf"|02-(?:0[1-9]|1\d|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_HOUR, _SIXTY = r"(?:[01]\d|2[0-3])", r"[0-5]\d"
_CLOCK = rf"[T ]{_HOUR}(?::{_SIXTY}(?::{_SIXTY}(?:\.\d{{1,6}})?)?)?"
_ZONE = rf"(?:Z|[+-]{_HOUR}:{_SIXTY})"

DIRECTIVES = {
    "Y": r"\d{4}",
    "m": r"(?:0[1-9]|1[0-2])",
    "d": r"(?:0[1-9]|[12]\d|3[01])",
    "H": _HOUR,
    "M": _SIXTY,
    "S": _SIXTY,
}


@dataclass(frozen=True)
class Pattern:
    """A strptime pattern whose times Arrow reads as strptime does."""

    format: str
    usual: str
    """What a text that is written by it looks like."""
    day_at: int
    """Where in such a text the day of the month stands."""


def parse_pattern(format_: str) -> Pattern | None:
    """Make a pattern of a strptime format; None if its times are left to the row reader.

    >>> parse_pattern("%d.%m.%Y").day_at, parse_pattern("%d %b %Y")
    (0, None)
    """
    pieces = re.findall(r"%(.)|([!-/:-@\[-`{-~ ])|.", format_, re.DOTALL)
    used = [directive for directive, _ in pieces if directive]
    # A pattern without a date, or with a part twice, means what strptime says it means.
    if len(set(used)) != len(used) or not {*"Ymd"} <= set(used) <= DIRECTIVES.keys():
        return None
    if any(a and b for (a, _), (b, _) in pairwise(pieces)) or format_ != format_.strip():
        return None
    if ("", "") in pieces:
        return None
    sizes = [4 if directive == "Y" else 2 if directive else 1 for directive, _ in pieces]
    usual = "".join(DIRECTIVES[d] if d else re.escape(letter) for d, letter in pieces)
    return Pattern(format_, f"^{usual}$", sum(sizes[: pieces.index(("d", ""))]))


def read_pattern(texts: pa.Array, pattern: Pattern) -> pa.Array:
    """Read times on a clock by a pattern."""
    usual = _choose(texts, pattern.usual)
    times = pc.strptime(usual, format=pattern.format, unit="us", error_is_null=True)
    # Arrow takes 30 February for 2 March.
    days = pc.utf8_slice_codeunits(usual, pattern.day_at, pattern.day_at + 2).cast(pa.int64())
    return pc.if_else(pc.equal(pc.day(times), days), times, None)


def read_iso(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Read ISO times: those on a clock somewhere, and those that say which instant they are."""
    local = _cast_whole(texts, ON_CLOCK)
    if local is not None:
        return local, pa.nulls(len(texts), INSTANT)
    instants = _cast_whole(texts, INSTANT)
    if instants is not None:
        return pa.nulls(len(texts), ON_CLOCK), instants
    local = _choose(texts, f"^{_DAY}(?:{_CLOCK})?$").cast(ON_CLOCK)
    return local, _choose(texts, f"^{_DAY}{_CLOCK}{_ZONE}$").cast(INSTANT)


def read_counts(texts: pa.Array) -> pa.Array:
    """Read whole numbers without a sign."""
    return _choose(texts, r"^\d{1,13}$").cast(pa.int64())


def read_numbers(texts: pa.Array) -> pa.Array:
    """Read numbers with a point for decimals; infinity and "nan" may be among them."""
    whole = _cast_whole(texts, pa.float64())
    if whole is not None:
        return whole
    return _choose(texts, r"^-?\d{1,30}(?:\.\d{1,30})?$").cast(pa.float64())


def _cast_whole(texts: pa.Array, type_: pa.DataType) -> pa.Array | None:
    """Cast texts; None if one of them is not written as the type."""
    try:
        # Arrow words a failure for each text: better that the first one alone fails.
        texts.drop_null()[:1].cast(type_)
        return texts.cast(type_)
    except pa.ArrowInvalid:
        return None


def _choose(texts: pa.Array, usual: str) -> pa.Array:
    return pc.if_else(pc.match_substring_regex(texts, usual), texts, None)
