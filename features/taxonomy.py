"""Raw event names to the kinds the catalogue counts.

The taxonomy is data: a playbook or mapping section, never code. Adding a kind changes the
catalogue that is built from it and nothing else.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any

from features.errors import TaxonomyError, UnknownKindError

OTHER = "other"
"""The kind and the channel of whatever the taxonomy does not name: counted, never dropped."""

MAX_KINDS = 48
MAX_CHANNELS = 16
"""Kinds (with the eight stages) and channels are bits of one 64-bit word in the kernel."""


@dataclass(frozen=True)
class Kind:
    """One kind of event."""

    name: str
    one: str
    """Words for one of them: ``pricing-page view``."""
    many: str
    """Words for several: ``pricing-page views``."""
    groups: tuple[str, ...] = ()
    """Groups counted together: ``engagement``, ``high_intent``, ``web``, ``email``, ..."""
    names: tuple[str, ...] = ()
    """Raw names that mean this kind, compared without case and outer blanks."""


@dataclass(frozen=True)
class Taxonomy:
    """The kinds, channels and groups of one company."""

    kinds: tuple[Kind, ...]
    channels: tuple[str, ...]
    group_words: Mapping[str, tuple[str, str]]
    """Words for one and for several events of each group."""

    def __post_init__(self) -> None:
        if not self.kinds or self.kinds[-1].name != OTHER:
            raise TaxonomyError("The taxonomy's last kind must be 'other'.")
        if len(self.kinds) > MAX_KINDS or len(self.channels) > MAX_CHANNELS:
            raise TaxonomyError(
                f"A taxonomy has at most {MAX_KINDS} kinds and {MAX_CHANNELS} channels; this one "
                f"has {len(self.kinds)} and {len(self.channels)}. Fold rare ones into 'other'."
            )
        for kind in self.kinds:
            for group in kind.groups:
                if group not in self.group_words:
                    raise TaxonomyError(
                        f"Kind {kind.name!r} is in group {group!r}, which has no words. "
                        f'Add [groups.{group}] with one = "..." and many = "...".'
                    )

    @cached_property
    def kind_names(self) -> tuple[str, ...]:
        """Names of the kinds, in code order."""
        return tuple(kind.name for kind in self.kinds)

    @cached_property
    def _kind_of_name(self) -> dict[str, str]:
        table: dict[str, str] = {}
        for kind in self.kinds:
            for raw in (kind.name, *kind.names):
                table.setdefault(raw.strip().casefold(), kind.name)
        return table

    def kind_of(self, raw_name: str | None) -> str:
        """Tell which kind a raw event name means; ``other`` if none."""
        if raw_name is None:
            return OTHER
        return self._kind_of_name.get(raw_name.strip().casefold(), OTHER)

    def kinds_in(self, group: str) -> tuple[str, ...]:
        """List the kinds a group, or a kind taken as its own group, counts.

        Raises
        ------
        UnknownKindError
            If there is neither a group nor a kind of that name.
        """
        if group in self.kind_names:
            return (group,)
        if group not in self.group_words:
            raise UnknownKindError(group, (*self.kind_names, *self.group_words))
        return tuple(kind.name for kind in self.kinds if group in kind.groups)

    def to_json(self) -> dict[str, Any]:
        """Shape the taxonomy for a manifest."""
        return {
            "channels": list(self.channels),
            "groups": {
                name: {"one": one, "many": many} for name, (one, many) in self.group_words.items()
            },
            "kinds": {
                kind.name: {
                    "one": kind.one,
                    "many": kind.many,
                    "groups": list(kind.groups),
                    "names": list(kind.names),
                }
                for kind in self.kinds
            },
        }


def read_taxonomy(section: Mapping[str, Any]) -> Taxonomy:
    """Build a taxonomy from its TOML or JSON section; ``other`` is added if it is not there.

    Raises
    ------
    TaxonomyError
        Naming the entry and what it lacks.
    """
    kinds = []
    for name, entry in section.get("kinds", {}).items():
        try:
            kinds.append(
                Kind(
                    name=name,
                    one=entry["one"],
                    many=entry["many"],
                    groups=tuple(entry.get("groups", ())),
                    names=tuple(entry.get("names", ())),
                )
            )
        except KeyError as missing:
            raise TaxonomyError(f"Kind {name!r} lacks {missing}.") from missing
    kinds = [kind for kind in kinds if kind.name != OTHER] + [
        kind for kind in kinds if kind.name == OTHER
    ]
    if not kinds or kinds[-1].name != OTHER:
        kinds.append(Kind(OTHER, "other event", "other events", ("engagement",)))
    words = {
        name: (entry["one"], entry["many"]) for name, entry in section.get("groups", {}).items()
    }
    words.setdefault("engagement", ("activity", "activities"))
    channels = tuple(c for c in section.get("channels", ()) if c != OTHER)
    return Taxonomy(tuple(kinds), (*channels, OTHER), words)


def default_taxonomy() -> Taxonomy:
    """Read the marketing taxonomy that ships with Baton."""
    text = files("features").joinpath("default_taxonomy.toml").read_text(encoding="utf-8")
    return read_taxonomy(tomllib.loads(text))
