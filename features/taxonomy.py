"""Raw event names to the kinds the catalogue counts.

The taxonomy is data: a playbook or mapping section, never code. Adding a kind changes the
catalogue that is built from it and nothing else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.resources import files
from typing import Any

from features.errors import TaxonomyError, UnknownKindError
from features.lifecycle.reasons import REASON_NAMES, ReturnReason, fold_reason
from features.toml import FILE, parse_toml

OTHER = "other"
"""The kind and the channel of whatever the taxonomy does not name: counted, never dropped."""

MAX_KINDS = 48
MAX_CHANNELS = 16
"""Kinds (with the eight stages, and a return for each reason) and channels are bits of one 64-bit
word in the kernel."""


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
    channel_names: Mapping[str, str] = field(default_factory=dict)
    """Raw names of channels, and the channel each means."""
    reason_names: Mapping[str, str] = field(default_factory=lambda: dict(REASON_NAMES))
    """What sales writes when it gives a lead back, and the reason it means. They travel with a model,
    so that a later Baton that knows more words does not read them to an older model."""

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
        for raw, channel in self.channel_names.items():
            if channel not in self.channels:
                raise TaxonomyError(
                    f"Channel name {raw!r} means {channel!r}, which is no channel. "
                    f"Use one of: {', '.join(self.channels)}."
                )
        # Built here, so that a name with two meanings is refused when the taxonomy is made.
        _ = self._kind_of_name, self._channel_of_name, self._reason_of_name

    @cached_property
    def kind_names(self) -> tuple[str, ...]:
        """Names of the kinds, in code order."""
        return tuple(kind.name for kind in self.kinds)

    @cached_property
    def _kind_of_name(self) -> dict[str, str]:
        return _table(
            "kind",
            ((raw, kind.name) for kind in self.kinds for raw in (kind.name, *kind.names)),
        )

    @cached_property
    def _channel_of_name(self) -> dict[str, str]:
        own = ((channel, channel) for channel in self.channels)
        return _table("channel", (*own, *self.channel_names.items()))

    @cached_property
    def _reason_of_name(self) -> dict[str, ReturnReason]:
        table: dict[str, ReturnReason] = {}
        for raw, meant in self.reason_names.items():
            if meant not in set(ReturnReason):
                raise TaxonomyError(
                    f"Reason {raw!r} means {meant!r}, which is no reason. "
                    f"Use one of: {', '.join(ReturnReason)}."
                )
            if table.setdefault(fold_reason(raw), ReturnReason(meant)) != meant:
                raise TaxonomyError(
                    f"Reason {raw!r} means both {table[fold_reason(raw)]} and {meant}: take it from "
                    "one of them. Case and punctuation do not tell reasons apart."
                )
        return table

    def find_reason(self, raw: str | None) -> ReturnReason | None:
        """Tell which reason a text means, if the taxonomy knows it; None if it is empty or strange.

        Case, blanks and punctuation do not matter.
        """
        return None if raw is None else self._reason_of_name.get(fold_reason(raw))

    def reason_of(self, raw: str | None) -> ReturnReason | None:
        """Tell which reason a text means: ``other`` if nobody told, None if there is no text."""
        if raw is None or not raw.strip():
            return None
        return self.find_reason(raw) or ReturnReason.OTHER

    def with_reasons(self, pairs: Iterable[tuple[str, str]]) -> "Taxonomy":
        """Add pairs of a raw text and the reason it means; a text moves to where it is put.

        Raises
        ------
        TaxonomyError
            If a reason is none, or a text is given two.
        """
        pairs = tuple(pairs)
        folded = {fold_reason(raw) for raw, _ in pairs}
        kept = {raw: r for raw, r in self.reason_names.items() if fold_reason(raw) not in folded}
        added: dict[str, str] = {}
        for raw, meant in pairs:
            if added.setdefault(fold_reason(raw), meant) != meant:
                raise TaxonomyError(f"Reason {raw!r} is put in two places. Keep one of them.")
        return replace(self, reason_names=kept | added)

    def kind_of(self, raw_name: str | None) -> str:
        """Tell which kind a raw event name means; ``other`` if none."""
        return self.kind_of_event(None, raw_name)

    def kind_of_event(self, kind: str | None, name: str | None) -> str:
        """Tell the kind of an event: the one reading of it, for imports and for callers alike.

        What stands as its kind wins, be it a kind or a raw name of one; otherwise its name
        tells; ``other`` if neither is known. Case and outer blanks do not matter.
        """
        for raw in (kind, name):
            found = None if raw is None else self._kind_of_name.get(_folded(raw))
            if found is not None:
                return found
        return OTHER

    def channel_of(self, raw: str | None) -> str | None:
        """Tell the channel, as the taxonomy writes it; None if empty, ``other`` if unknown."""
        folded = "" if raw is None else _folded(raw)
        return self._channel_of_name.get(folded, OTHER) if folded else None

    def with_names(
        self, kinds: Iterable[tuple[str, str]], channels: Iterable[tuple[str, str]]
    ) -> "Taxonomy":
        """Add pairs of a raw name and its kind or channel; a name moves to where it is put.

        Raises
        ------
        TaxonomyError
            If a raw name is given two meanings, or is the own name of another kind.
        """
        kind_of, channel_of = _words_of("kind", kinds), _words_of("channel", channels)
        added = {
            raw: channel
            for raw, channel in channel_of.values()
            if self._channel_of_name.get(_folded(raw)) != channel
        }
        kept = {
            raw: channel
            for raw, channel in self.channel_names.items()
            if _folded(raw) not in channel_of or channel_of[_folded(raw)][1] == channel
        }
        return replace(
            self,
            kinds=tuple(_with_names(kind, kind_of) for kind in self.kinds),
            channel_names=kept | added,
        )

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
        named = {"channel_names": dict(self.channel_names)} if self.channel_names else {}
        return {
            "channels": list(self.channels),
            **named,
            "reason_names": {raw: str(meant) for raw, meant in self.reason_names.items()},
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
            # Codes follow this order, and whoever writes JSON may sort its keys.
            "order": list(self.kind_names),
        }


def _folded(raw: str) -> str:
    return raw.strip().casefold()


def _table(meaning: str, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Look-up by name without case and outer blanks; a name may have one meaning only."""
    table: dict[str, str] = {}
    for raw, meant in pairs:
        if table.setdefault(_folded(raw), meant) != meant:
            raise TaxonomyError(
                f"{raw!r} belongs to two {meaning}s, {table[_folded(raw)]!r} and {meant!r}: take "
                "it from one of them. Case and outer blanks do not tell names apart."
            )
    return table


def _words_of(meaning: str, pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Index pairs of a raw name and its meaning by name, keeping the name as it is written."""
    pairs = tuple(pairs)
    _table(meaning, pairs)
    return {_folded(raw): (raw.strip(), meant) for raw, meant in pairs}


def _with_names(kind: Kind, mapped: Mapping[str, tuple[str, str]]) -> Kind:
    kept = [raw for raw in kind.names if mapped.get(_folded(raw), ("", kind.name))[1] == kind.name]
    there = {_folded(raw) for raw in (kind.name, *kept)}
    added = [
        raw for key, (raw, meant) in mapped.items() if meant == kind.name and key not in there
    ]
    return replace(kind, names=(*kept, *added))


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
    place = {name: position for position, name in enumerate(section.get("order", ()))}
    kinds.sort(key=lambda kind: (kind.name == OTHER, place.get(kind.name, len(place))))
    if not kinds or kinds[-1].name != OTHER:
        kinds.append(Kind(OTHER, "other event", "other events", ("engagement",)))
    words = {
        name: (entry["one"], entry["many"]) for name, entry in section.get("groups", {}).items()
    }
    words.setdefault("engagement", ("activity", "activities"))
    channels = tuple(c for c in section.get("channels", ()) if _folded(c) != OTHER)
    channel_names = dict(section.get("channel_names", {}))
    reason_names = dict(section.get("reason_names", REASON_NAMES))
    return Taxonomy(tuple(kinds), (*channels, OTHER), words, channel_names, reason_names)


def default_taxonomy() -> Taxonomy:
    """Read the marketing taxonomy that ships with Baton."""
    text = files("features").joinpath("default_taxonomy.toml").read_text(encoding="utf-8")
    return read_taxonomy(parse_toml(text, FILE))
