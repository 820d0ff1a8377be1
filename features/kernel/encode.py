"""Names to codes: the one place where records become numbers, offline and online alike."""

import math
from collections.abc import Iterable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.catalog.feature import STAGES_GROUP
from features.catalog.fit import OTHER_CATEGORY, LeadAttribute
from features.catalog.journey import RETURNS_GROUP, finding_group, stage_group
from features.catalog.manifest import Catalog
from features.kernel.record import LARGEST
from features.lifecycle.reasons import DISTINGUISHED, FINDING_OF, Finding
from features.lifecycle.stages import Stage
from features.taxonomy import OTHER

UNKNOWN_CODE = -1
"""Code of a missing channel."""


def sound_numbers(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn infinite and absurdly large numbers to NaN."""
    return np.where(np.abs(values) <= LARGEST, values, np.nan)


class Encoder:
    """Codes of kinds, channels and categories for one catalogue.

    Kinds of the taxonomy come first, the stages after them, so that stage changes run through
    the same pass as events. The last stage is the return: a return for a reason that is told apart
    has a code of its own, after that of a return for no such reason.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        taxonomy = catalog.taxonomy
        self.kind_codes = {name: code for code, name in enumerate(taxonomy.kind_names)}
        self.first_stage_code = len(self.kind_codes)
        self.stage_codes = {
            str(stage): self.first_stage_code + position for position, stage in enumerate(Stage)
        }
        self.return_code = self.stage_codes[Stage.RETURNED]
        self.reason_codes: dict[str, int] = {
            reason: self.return_code + position for position, reason in enumerate(DISTINGUISHED, 1)
        }
        self.channel_codes = {name: code for code, name in enumerate(taxonomy.channels)}
        self.n_kinds = self.first_stage_code + len(self.stage_codes) + len(self.reason_codes)

    def kinds(self, names: Iterable[str]) -> list[int]:
        """Code kinds; unknown ones count as ``other``."""
        codes, other = self.kind_codes, self.kind_codes[OTHER]
        return [codes.get(name, other) for name in names]

    def channels(self, names: Iterable[str | None]) -> list[int]:
        """Code channels; a missing one is ``UNKNOWN_CODE``, a strange one ``other``."""
        codes, other = self.channel_codes, self.channel_codes[OTHER]
        return [UNKNOWN_CODE if name is None else codes.get(name, other) for name in names]

    def move(self, stage: str, reason: str | None) -> int:
        """Code a stage change; of a return, by its reason, and of no other."""
        code = self.stage_codes[stage]
        return code if code != self.return_code or reason is None else self.returns([reason])[0]

    def returns(self, reasons: Iterable[str]) -> list[int]:
        """Code returns by what was written as their reasons."""
        meant = map(self.catalog.taxonomy.find_reason, reasons)
        return [
            self.return_code if reason is None else self.reason_codes.get(reason, self.return_code)
            for reason in meant
        ]

    @cached_property
    def moves(self) -> dict[int, tuple[str, str | None]]:
        """Stage, and reason of a return, by the code of a stage change."""
        found: dict[int, tuple[str, str | None]] = {}
        for stage, code in self.stage_codes.items():
            found[code] = (stage, None)
        for reason, code in self.reason_codes.items():
            found[code] = (str(Stage.RETURNED), str(reason))
        return found

    @cached_property
    def _category_codes(self) -> dict[str, dict[str, int]]:
        return {
            a.name: {value: code for code, value in enumerate(a.categories)}
            for a in self.catalog.attributes
            if a.type == "category"
        }

    def attribute_cell(self, attribute: LeadAttribute, value: float | str | bool | None) -> float:
        """Turn an attribute's value into a cell: NaN if unknown, a code if a category.

        A value of the wrong type counts as unknown: the edge that took it in has said so.
        """
        if value is None:
            return math.nan
        if attribute.type == "category":
            codes = self._category_codes[attribute.name]
            return float(codes.get(str(value), codes.get(OTHER_CATEGORY, math.nan)))
        if isinstance(value, str) or not abs(value) <= LARGEST:
            return math.nan
        return float(value)

    def group_members(self, group: str) -> tuple[int, ...]:
        """List the kind codes a group counts.

        Raises
        ------
        UnknownKindError
            If the taxonomy has neither a group nor a kind of that name.
        """
        if group == STAGES_GROUP:
            return (*self.stage_codes.values(), *self.reason_codes.values())
        if group == RETURNS_GROUP:
            return (self.return_code, *self.reason_codes.values())
        for stage in Stage:
            if group == stage_group(stage):
                return (self.stage_codes[stage],)
        for finding in Finding:
            if group == finding_group(finding):
                found = (r for r in DISTINGUISHED if FINDING_OF.get(r) is finding)
                return tuple(self.reason_codes[reason] for reason in found)
        return tuple(self.kind_codes[name] for name in self.catalog.taxonomy.kinds_in(group))
