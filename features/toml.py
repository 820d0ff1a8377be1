"""TOML that others wrote: its size is checked before it is parsed. Pure.

The parser of the standard library takes time with the square of the parts of a dotted key, and memory
with it; it recurses as deep as brackets are nested, and reads numbers of any length. What is
checked here makes its work grow with the length of the text, no faster.
"""

import math
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


class TomlBoundsError(tomllib.TOMLDecodeError):
    """A text that is larger, deeper or longer in some part than any that people write."""


@dataclass(frozen=True)
class Bounds:
    """How large a text may be, and each of its parts."""

    n_bytes: int
    entries: int
    """Most entries of one list, and of one table."""
    key_parts: int = 8
    """Most parts of a dotted key: ``a.b.c`` has three."""
    depth: int = 20
    """Most brackets within each other."""
    word: int = 256
    """Most characters of a number or a key without quotes."""
    refuses_nan: bool = True
    """Whether ``nan`` and ``inf`` are refused here; else whoever reads the fields does, by name."""


DRAFT = Bounds(n_bytes=64 * 1024, entries=1_000, refuses_nan=False)
"""Of texts that come over the network."""

FILE = Bounds(n_bytes=4 * 1024 * 1024, entries=100_000)
"""Of files that whoever starts a command has written."""

# Possessive: nothing that matched once is ever tried again, so a piece costs its length.
_PIECE = re.compile(
    r'''
    (?P<string> """(?:[^"\\]|\\(?:.|\Z)|"(?!""))*+(?:"{3,5}|\Z) | "(?:[^"\\\n]|\\.)*+"?
              | \'\'\'(?:[^']|'(?!''))*+(?:'{3,5}|\Z) | '[^'\n]*+'? )
    | (?P<comment> \#[^\n]*+ )
    | (?P<word> [A-Za-z0-9_+:-]++ )
    | (?P<mark> [\[\]{}.=,\n] )
    | [^"'\#A-Za-z0-9_+:\[\]{}.=,\n-]++
    ''',
    re.VERBOSE | re.DOTALL,
)


def parse_toml(text: str, bounds: Bounds) -> dict[str, Any]:
    """Parse a text that is no larger than it may be.

    Parameters
    ----------
    text
        TOML.
    bounds
        How large it may be: `DRAFT` or `FILE`.

    Raises
    ------
    tomllib.TOMLDecodeError
        If it is no TOML; `TomlBoundsError` if it is too large, or a part of it is.
    """
    n_bytes = len(text.encode("utf-8", "surrogatepass"))
    if n_bytes > bounds.n_bytes:
        raise TomlBoundsError(f"it has {n_bytes:,} bytes, and may have {bounds.n_bytes:,}")
    for _ in _scan(text, bounds):
        pass
    read = tomllib.loads(text)
    _check_values(read, bounds)
    return read


def _scan(text: str, bounds: Bounds) -> Iterator[str]:
    """Step through the pieces of a text, and stop at one that goes too far.

    Yields
    ------
    str
        Each piece: the work is in proportion to their number.
    """
    depth, parts, line = 0, 1, 1
    for found in _PIECE.finditer(text):
        piece = found[0]
        yield piece
        if found["word"] and len(piece) > bounds.word:
            raise TomlBoundsError(f"a word has more than {bounds.word} characters (line {line})")
        if found["mark"]:
            depth += (piece in "[{") - (piece in "]}")
            parts = parts + 1 if piece == "." else 1
            if depth > bounds.depth:
                raise TomlBoundsError(
                    f"brackets are nested deeper than {bounds.depth} (line {line})"
                )
            if parts > bounds.key_parts:
                raise TomlBoundsError(
                    f"a key has more than {bounds.key_parts} parts (line {line})"
                )
        line += piece.count("\n")


def _check_values(read: dict[str, Any], bounds: Bounds) -> None:
    waiting: list[Any] = [read]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, str) and "\x00" in inner:
            raise TomlBoundsError("a text has the character NUL")
        if bounds.refuses_nan and isinstance(inner, float) and not math.isfinite(inner):
            raise TomlBoundsError(f"{inner} is no number that can be reckoned with")
        if not isinstance(inner, dict | list):
            continue
        if len(inner) > (most := bounds.entries):
            what = "table" if isinstance(inner, dict) else "list"
            raise TomlBoundsError(f"a {what} has {len(inner):,} entries, and may have {most:,}")
        waiting += [*inner, *inner.values()] if isinstance(inner, dict) else inner
