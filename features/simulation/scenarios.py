"""Named worlds: the ordinary one, and those built to mislead."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from features.simulation.errors import UnknownScenarioError
from features.simulation.world import HandoffRules, Recording, Sales, World


def _build_no_signal() -> World:
    # Whatever could tie an outcome to a trace is taken out: constant hazards on all days, no
    # queue, no intent, and minutes instead of days between stages, so that not even "is with
    # sales now" says anything.
    return World(
        name="no_signal",
        handoffs=HandoffRules(
            threshold_by_day=0.0,
            discretion_by_day=0.008,
            discretion_fit=0.0,
            discretion_heat=0.0,
            raiser_chance=0.0,
            rest_days=0.0,
            weekend_factor=1.0,
            self_conversion_by_day=0.0,
            quiet_by_day=0.0,
            closing_by_day=0.006,
        ),
        sales=Sales(
            headroom=1e9,
            answer_hours=0.01,
            accept_log_odds=1.0,
            accept_fit=0.0,
            accept_intent=0.0,
            accept_raiser=0.0,
            qualify_log_odds=-0.8,
            qualify_intent=0.0,
            qualify_fit=0.0,
            qualify_need=0.0,
            qualify_delay=0.0,
            qualify_return=0.0,
            qualify_looker=0.0,
            qualify_days=0.002,
            return_days=0.002,
            drop_share=0.0,
            around_the_clock=True,
        ),
    )


SCENARIOS: Mapping[str, World] = MappingProxyType(
    {
        "plain": World(),
        # Sellers pick by what they hear on the phone and the log never holds.
        "confounded": World(
            name="confounded", handoffs=HandoffRules(insight=1.0, discretion_by_day=0.001)
        ),
        # A small share is handed off by lot, and the lot is logged: what the rule hides can be seen.
        "explored": World(name="explored", handoffs=HandoffRules(exploration_by_day=0.004)),
        "leaky": World(name="leaky", recording=replace(Recording(), leak_share=0.9)),
        "no_signal": _build_no_signal(),
    }
)
"""The worlds by name. In ``no_signal`` lookers still never *win*; no SQL depends on anything."""


def get_scenario(name: str) -> World:
    """Look up a named world.

    Raises
    ------
    UnknownScenarioError
        Naming the worlds there are.
    """
    if name not in SCENARIOS:
        raise UnknownScenarioError(name, tuple(SCENARIOS))
    return SCENARIOS[name]
