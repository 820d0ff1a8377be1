"""The catalogue compiled into arrays: what the hot path reads instead of the catalogue."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.catalog.feature import LIFE, Feature, Op, window_days
from features.catalog.fit import is_contact
from features.catalog.manifest import Catalog
from features.clock import DAY_US
from features.kernel.encode import Encoder
from features.kernel.state import (
    WANTS_CALENDAR,
    WANTS_DECAY,
    WANTS_GAPS,
    WANTS_MIX,
    WANTS_SPREAD,
    WANTS_VALUES,
)

OPS = tuple(Op)
"""Order of the operations in ``Plan.op_start``; ``kernel.rows`` numbers them alike."""


_WANTED_BY = {
    Op.INTENSITY: WANTS_DECAY,
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


class Plan(NamedTuple):
    """The catalogue as the kernel sees it. All arrays are C-contiguous."""

    kind_start: NDArray[np.int64]  # (n_kinds + 1,): kind k belongs to groups kind_group[start:end]
    kind_group: NDArray[np.int64]
    rich_start: NDArray[np.int64]  # the same for the few groups that want more than a count
    rich_group: NDArray[np.int64]
    rich: NDArray[np.int64]  # those groups
    wants: NDArray[np.bool_]  # (n_groups, 6) statistics beside counts, see ``state``
    windows_us: NDArray[np.int64]  # (n_windows,) ascending and finite; the lifetime comes after
    window_days: NDArray[np.float64]  # (n_windows,)
    decay_rates: NDArray[np.float64]  # (n_half_lives,) ln 2 / half-life, per microsecond
    op_start: NDArray[np.int64]  # (n_ops + 1,): op o fills entries op_start[o]:op_start[o + 1]
    column: NDArray[np.int64]  # (n_entries,) column of the matrix
    group: NDArray[np.int64]
    window: NDArray[np.int64]  # index into windows_us; n_windows means lifetime
    other_group: NDArray[np.int64]
    other_window: NDArray[np.int64]
    argument: NDArray[np.int64]  # half-life index, calendar bin, attribute index, or code offset
    asked: NDArray[np.bool_]  # (2, n_attributes) attributes whose completeness is measured
    is_flag: NDArray[np.bool_]  # (n_attributes,) "no" is not contact information


def _groups_of(features: tuple[Feature, ...]) -> list[str]:
    named = [g for f in features for g in (f.group, f.other_group) if g]
    return list(dict.fromkeys(named))


def _argument(feature: Feature, encoder: Encoder, half_lives: list[float]) -> int:
    if feature.op is Op.INTENSITY:
        return half_lives.index(feature.half_life_days)
    if feature.op in {Op.CALENDAR_SHARE, Op.COMPLETENESS}:
        return feature.position
    if feature.op in {Op.ATTRIBUTE, Op.ATTRIBUTE_AGE}:
        return [a.name for a in encoder.catalog.attributes].index(feature.attribute)
    if feature.op in {Op.FIRST_KIND, Op.LAST_KIND}:
        # A group of stages names its categories from the first stage on, not from kind 0.
        members = encoder.group_members(feature.group)
        return encoder.first_stage_code if min(members) >= encoder.first_stage_code else 0
    return 0


def _memberships(
    groups: list[str], chosen: NDArray[np.int64], encoder: Encoder
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List, per kind, which of the chosen groups count it."""
    members = {g: encoder.group_members(groups[g]) for g in chosen.tolist()}
    start, flat = [0], []
    for kind in range(encoder.n_kinds):
        flat += [g for g, codes in members.items() if kind in codes]
        start.append(len(flat))
    return np.array(start, np.int64), np.array(flat, np.int64)


def build_plan(catalog: Catalog) -> Plan:
    """Compile a catalogue into the arrays the kernel reads."""
    encoder, features = Encoder(catalog), catalog.features
    groups = _groups_of(features)
    named = {w for f in features for w in (f.window, f.other_window)} - {"", LIFE}
    windows = sorted(named, key=window_days)
    half_lives = sorted({f.half_life_days for f in features} - {0.0})
    wants = np.zeros((len(groups), 6), np.bool_)
    for feature in features:
        if feature.op in _WANTED_BY:
            wants[groups.index(feature.group), _WANTED_BY[feature.op]] = True
    ordered = sorted(range(len(features)), key=lambda i: OPS.index(features[i].op))
    per_op = [sum(f.op is op for f in features) for op in OPS]
    window_of = {**{w: i for i, w in enumerate(windows)}, LIFE: len(windows), "": len(windows)}
    group_of = {**{g: i for i, g in enumerate(groups)}, "": 0}
    kind_start, kind_group = _memberships(groups, np.arange(len(groups)), encoder)
    rich = np.flatnonzero(wants.any(axis=1))
    rich_start, rich_group = _memberships(groups, rich, encoder)

    def entries(values: list[int]) -> NDArray[np.int64]:
        return np.array([values[i] for i in ordered], np.int64)

    return Plan(
        kind_start=kind_start,
        kind_group=kind_group,
        rich_start=rich_start,
        rich_group=rich_group,
        rich=rich,
        wants=wants,
        windows_us=np.array([round(window_days(w) * DAY_US) for w in windows], np.int64),
        window_days=np.array([window_days(w) for w in windows], np.float64),
        decay_rates=np.log(2.0) / (np.array(half_lives, np.float64) * DAY_US),
        op_start=np.concatenate([[0], np.cumsum(per_op)]).astype(np.int64),
        column=np.array(ordered, np.int64),
        group=entries([group_of[f.group] for f in features]),
        window=entries([window_of[f.window] for f in features]),
        other_group=entries([group_of[f.other_group] for f in features]),
        other_window=entries([window_of[f.other_window] for f in features]),
        argument=entries([_argument(f, encoder, half_lives) for f in features]),
        asked=np.array(
            [[True for _ in catalog.attributes], [is_contact(a.name) for a in catalog.attributes]],
            np.bool_,
        ),
        is_flag=np.array([a.type == "flag" for a in catalog.attributes], np.bool_),
    )
