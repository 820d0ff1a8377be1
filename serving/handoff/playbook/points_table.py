"""The playbook's points rules as the table that training reads. Pure."""

from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.sections.scale import PointsRule

_KEYS = ("at_least", "is", "unknown", "points", "each", "most")


def write_points_table(playbook: Playbook) -> str:
    """Write the rules as `baton cold-start --points` and `baton train --points` read them.

    Empty if the playbook has none: Baton's own table is used then.
    """
    return "\n".join(_write_rule(rule) for rule in playbook.points.rule)


def _write_rule(rule: PointsRule) -> str:
    fields = rule.model_dump(by_alias=True)
    lines = [f"{key} = {_write(fields[key])}" for key in _KEYS if fields[key] not in (None, False)]
    return "\n".join(["[[rule]]", f"feature = {_write(rule.feature)}", *lines, ""])


def _write(value: object) -> str:
    if isinstance(value, bool):
        return "true"
    if isinstance(value, tuple):
        return f"[{', '.join(_write(entry) for entry in value)}]"
    if isinstance(value, float):
        return f"{value:.15g}"
    # A basic string of TOML escapes like one of JSON.
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
