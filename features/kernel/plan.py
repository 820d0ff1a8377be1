"""The catalogue compiled into arrays: what the hot path reads instead of the catalogue."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.catalog.account import SENIORITY, is_senior
from features.catalog.feature import LIFE, Feature, Op, window_days
from features.catalog.fit import is_contact
from features.catalog.manifest import Catalog
from features.clock import DAY_US
from features.kernel.encode import Encoder
from features.kernel.state import (
    WANTS_CALENDAR,
    WANTS_GAPS,
    WANTS_MIX,
    WANTS_SPREAD,
    WANTS_VALUES,
)

OPS = tuple(Op)
"""Order of the operations in ``Plan.op_start``; ``kernel.rows`` numbers them alike."""

LANES = 8
"""Groups are padded to a multiple of this many, so that whole vector registers do the counting."""

_WANTED_BY = {
    Op.SINCE_FIRST: WANTS_GAPS,
    Op.GAP_MEAN: WANTS_GAPS,
    Op.GAP_STD: WANTS_GAPS,
    Op.SILENCE: WANTS_GAPS,
    Op.CALENDAR_SHARE: WANTS_CALENDAR,
    Op.ACTIVE_DAYS: WANTS_SPREAD,
    Op.SESSIONS: WANTS_SPREAD,
    Op.VALUE_SUM: WANTS_VALUES,
    Op.VALUE_MAX: WANTS_VALUES,
    Op.CHANNELS: WANTS_MIX,
    Op.KINDS: WANTS_MIX,
    Op.FIRST_CHANNEL: WANTS_MIX,
    Op.LAST_CHANNEL: WANTS_MIX,
    Op.FIRST_KIND: WANTS_MIX,
    Op.LAST_KIND: WANTS_MIX,
}
_IN_RUNS = (Op.COUNT, Op.RECENCY)

ACCOUNT_OPS = frozenset(
    {
        Op.COLLEAGUES,
        Op.COLLEAGUES_ACTIVE,
        Op.COLLEAGUE_COUNT,
        Op.COLLEAGUE_RECENCY,
        Op.COLLEAGUE_TREND,
        Op.COLLEAGUE_KINDS,
    }
)
"""What the pass over accounts computes; all else is the pass over leads."""


Places = NDArray[np.uint64]
"""Positions in other arrays. Unsigned, since numba guards every signed index against being negative,
which keeps loops over neighbouring columns from running in vector registers."""


class Plan(NamedTuple):
    """The catalogue as the kernel sees it. All arrays are C-contiguous.

    A *group* is a set of kinds that are counted together. The few groups of which more than
    counts, recency and intensity is asked are *slots*.
    """

    mask: NDArray[np.int32]  # (n_kinds, n_groups, padded): 1 where the group counts the kind
    group_start: Places  # (n_kinds + 1,): kind k is counted in kind_group[start:end]
    kind_group: Places
    decay_rates: NDArray[np.float64]  # (n_half_lives,) ln 2 / half-life, per microsecond
    decay_mask: NDArray[np.float64]  # (n_kinds, n_decaying groups): 1 where the group counts it
    slot_start: Places  # (n_kinds + 1,): kind k is counted in kind_slot[start:end]
    kind_slot: Places
    slot_group: Places  # (n_slots,)
    slot_kinds: NDArray[np.int64]  # (n_slots, n_kinds): 1 where the slot counts the kind
    wants: NDArray[np.bool_]  # (n_slots, 5) statistics that are kept, see ``state``
    n_channels: int
    n_features: int
    windows_us: NDArray[np.int64]  # (n_windows,) ascending and finite; the lifetime comes after
    window_days: NDArray[np.float64]  # (n_windows,)
    runs: Places  # (n_runs, 5): is it a count, first column, window, first group, length
    op_start: Places  # (n_ops + 1,): op o fills entries op_start[o]:op_start[o + 1]
    entries: Places  # (n_entries, 6), columns as in ``state``
    asked: NDArray[np.bool_]  # (2, n_attributes) attributes whose completeness is measured
    is_flag: NDArray[np.bool_]  # (n_attributes,) "no" is not contact information


class AccountPlan(NamedTuple):
    """The account family as its pass sees it; fields as in ``Plan``."""

    columns: NDArray[np.int64]  # (n_features of the family,) its columns of the matrix
    mask: NDArray[np.int32]
    group_kinds: NDArray[np.int64]  # (n_groups, n_kinds): 1 where the group counts the kind
    windows_us: NDArray[np.int64]
    window_days: NDArray[np.float64]
    op_start: Places
    entries: Places
    active_group: int  # whose records make a colleague active
    seniority: int  # index of the attribute that says how senior somebody is; -1 without one
    is_senior: NDArray[np.bool_]  # (n_categories,)


def _groups_of(features: list[Feature]) -> list[str]:
    named = [g for f in features for g in (f.group, f.other_group) if g]
    return list(dict.fromkeys(named))


def _argument(feature: Feature, encoder: Encoder, half_lives: list[float]) -> int:
    if feature.op is Op.INTENSITY:
        return half_lives.index(feature.half_life_days)
    if feature.op in {Op.CALENDAR_SHARE, Op.COMPLETENESS, Op.COLLEAGUES_ACTIVE}:
        return feature.position
    if feature.op in {Op.ATTRIBUTE, Op.ATTRIBUTE_AGE}:
        return [a.name for a in encoder.catalog.attributes].index(feature.attribute)
    if feature.op in {Op.FIRST_KIND, Op.LAST_KIND}:
        # Stages and returns name their categories from the first of them on, not from kind 0.
        first = min(encoder.group_members(feature.group))
        return first if first >= encoder.first_stage_code else 0
    return 0


def _offsets(lengths: list[int]) -> Places:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.uint64)


class _Compiler:
    """Numbers groups, windows, half-lives and slots, and turns features into entries."""

    def __init__(self, catalog: Catalog, *, accounts: bool) -> None:
        self.encoder, self.features = Encoder(catalog), catalog.features
        self.columns = [
            i
            for i, f in enumerate(catalog.features)
            if f.op is not Op.DERIVED and (f.op in ACCOUNT_OPS) is accounts
        ]
        own = [catalog.features[i] for i in self.columns]
        self.groups = _groups_of(own)
        self.members = [self.encoder.group_members(g) for g in self.groups]
        named = {w for f in own for w in (f.window, f.other_window)} - {"", LIFE}
        self.windows = sorted(named, key=window_days)
        self.half_lives = sorted({f.half_life_days for f in own} - {0.0})
        self.decaying = self._groups_asked_by({Op.INTENSITY})
        self.slots = self._groups_asked_by(set(_WANTED_BY))

    def _groups_asked_by(self, ops: set[Op]) -> list[str]:
        return list(dict.fromkeys(f.group for f in self.features if f.op in ops))

    def _window(self, window: str) -> int:
        return self.windows.index(window) if window in self.windows else len(self.windows)

    def _place(self, feature: Feature) -> int:
        """Give the group's number where the operation looks for it."""
        if feature.op is Op.INTENSITY:
            return self.decaying.index(feature.group)
        if feature.op in _WANTED_BY:
            return self.slots.index(feature.group)
        return self.groups.index(feature.group) if feature.group else 0

    def entry(self, column: int) -> list[int]:
        """Turn one feature into the numbers the kernel reads."""
        f = self.features[column]
        other = self.groups.index(f.other_group) if f.other_group else 0
        if f.op in {Op.FIRST_KIND, Op.LAST_KIND}:
            # The last stage, the return, has a kind for each reason: all are that stage.
            other = len(f.categories) - 1
        argument = _argument(f, self.encoder, self.half_lives)
        return [
            column,
            self._place(f),
            self._window(f.window),
            other,
            self._window(f.other_window),
            argument,
        ]

    def entries(self) -> tuple[Places, Places]:
        """List the entries of all but counts and recencies, by operation."""
        columns = [i for i in self.columns if self.features[i].op not in _IN_RUNS]
        ordered = sorted(columns, key=lambda i: OPS.index(self.features[i].op))
        per_op = [sum(self.features[i].op is op for i in columns) for op in OPS]
        found = [self.entry(i) for i in ordered]
        return _offsets(per_op), np.array(found, np.uint64).reshape(len(found), 6)

    def runs(self) -> Places:
        """Join counts, and recencies, of neighbouring groups in neighbouring columns."""
        found: list[list[int]] = []
        for i in self.columns:
            f = self.features[i]
            if f.op not in _IN_RUNS:
                continue
            column, group, window = self.entry(i)[:3]
            is_count = int(f.op is Op.COUNT)
            last = found[-1] if found else [0] * 5
            n = last[4]
            if n and last[:4] == [is_count, column - n, window, group - n]:
                last[4] += 1
            else:
                found.append([is_count, column, window, group, 1])
        return np.array(found, np.uint64).reshape(len(found), 5)

    def mask(self) -> NDArray[np.int32]:
        """Tell which groups count each kind, padded to whole vector registers."""
        padded = max(1, -(-len(self.groups) // LANES)) * LANES
        mask = np.zeros((self.encoder.n_kinds, padded), np.int32)
        for group, kinds in enumerate(self.members):
            mask[list(kinds), group] = 1
        return mask

    def decay_mask(self) -> NDArray[np.float64]:
        """Tell which decaying groups count each kind."""
        mask = np.zeros((self.encoder.n_kinds, len(self.decaying)), np.float64)
        for position, group in enumerate(self.decaying):
            mask[list(self.members[self.groups.index(group)]), position] = 1.0
        return mask

    def counting(self, groups: list[str]) -> tuple[Places, Places]:
        """List, kind by kind, the positions of the groups that count it."""
        per_kind: list[list[int]] = [[] for _ in range(self.encoder.n_kinds)]
        for position, group in enumerate(groups):
            for kind in self.members[self.groups.index(group)]:
                per_kind[kind].append(position)
        flat = [position for positions in per_kind for position in positions]
        return _offsets([len(found) for found in per_kind]), np.array(flat, np.uint64)

    def wants(self) -> NDArray[np.bool_]:
        """Tell which statistics each slot keeps."""
        wants = np.zeros((len(self.slots), 5), np.bool_)
        for feature in self.features:
            if feature.op in _WANTED_BY:
                wants[self.slots.index(feature.group), _WANTED_BY[feature.op]] = True
        return wants


def build_plan(catalog: Catalog) -> Plan:
    """Compile a catalogue into the arrays the kernel reads."""
    made = _Compiler(catalog, accounts=False)
    op_start, entries = made.entries()
    group_start, kind_group = made.counting(made.groups)
    slot_start, kind_slot = made.counting(made.slots)
    slot_group = np.array([made.groups.index(g) for g in made.slots], np.uint64)
    mask = made.mask()
    days = [window_days(w) for w in made.windows]
    attributes = catalog.attributes
    return Plan(
        mask=mask,
        group_start=group_start,
        kind_group=kind_group,
        decay_rates=np.log(2.0) / (np.array(made.half_lives, np.float64) * DAY_US),
        decay_mask=made.decay_mask(),
        slot_start=slot_start,
        kind_slot=kind_slot,
        slot_group=slot_group,
        slot_kinds=np.ascontiguousarray(mask[:, slot_group.astype(np.int64)].T, np.int64),
        wants=made.wants(),
        n_channels=len(catalog.taxonomy.channels),
        n_features=len(catalog.features),
        windows_us=np.array([round(d * DAY_US) for d in days], np.int64),
        window_days=np.array(days, np.float64),
        runs=made.runs(),
        op_start=op_start,
        entries=entries,
        asked=np.array(
            [[True for _ in attributes], [is_contact(a.name) for a in attributes]], np.bool_
        ).reshape(2, len(attributes)),
        is_flag=np.array([a.type == "flag" for a in attributes], np.bool_),
    )


def build_account_plan(catalog: Catalog) -> AccountPlan | None:
    """Compile the account family; None if the catalogue has none."""
    made = _Compiler(catalog, accounts=True)
    if not made.columns:
        return None
    op_start, entries = made.entries()
    mask = made.mask()
    days = [window_days(w) for w in made.windows]
    active = next(f.group for f in catalog.features if f.op is Op.COLLEAGUES_ACTIVE)
    names = [a.name for a in catalog.attributes]
    at = names.index(SENIORITY) if SENIORITY in names else -1
    values = catalog.attributes[at].categories if at >= 0 else ()
    return AccountPlan(
        columns=np.array(made.columns, np.int64),
        mask=mask,
        group_kinds=np.ascontiguousarray(mask.T, np.int64),
        windows_us=np.array([round(d * DAY_US) for d in days], np.int64),
        window_days=np.array(days, np.float64),
        op_start=op_start,
        entries=entries,
        active_group=made.groups.index(active),
        seniority=at,
        is_senior=np.array([is_senior(v) for v in values], np.bool_),
    )
