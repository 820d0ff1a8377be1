"""Checks that need more than one section: each names the section, the field and the fix. Pure."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from serving.handoff.playbook.sections.packet import PacketSection
from serving.handoff.playbook.sections.pursuit import Pursuit
from serving.handoff.playbook.sections.returns import Returns
from serving.handoff.playbook.sections.section import describe_known
from serving.handoff.playbook.sections.triggers import Triggers


@dataclass(frozen=True)
class CrossProblem:
    """Something that does not go together."""

    section: str
    field: str
    """Where in the section, such as ``plans[1].steps[3].template``."""
    problem: str
    fix: str


def find_unknown_templates(packet: PacketSection, pursuit: Pursuit) -> Iterator[CrossProblem]:
    """Find steps of pursuit plans whose template there is not, or that is for another channel."""
    for number, plan in enumerate(pursuit.plans):
        for place, step in enumerate(plan.steps):
            where = f"plans[{number}].steps[{place}].template"
            if step.template is None:
                continue
            template = packet.templates.get(step.template)
            if template is None:
                yield CrossProblem(
                    "pursuit",
                    where,
                    f"there is no template {step.template!r}",
                    f"Add [packet.templates.{step.template}], or use one of: "
                    f"{describe_known(packet.templates)}.",
                )
            elif template.channel is not step.channel:
                yield CrossProblem(
                    "pursuit",
                    where,
                    f"template {step.template!r} is for {template.channel.value}, the step is a "
                    f"{step.channel.value}",
                    "Give the step the template's channel, or another template.",
                )


def find_unknown_kinds(
    kinds: Collection[str], triggers: Triggers, packet: PacketSection, returns: Returns
) -> Iterator[CrossProblem]:
    """Find kinds of events that the taxonomy lacks: a rule that names one would never be met."""
    uses = [("triggers", "hand_raiser_kinds", kind) for kind in triggers.hand_raiser_kinds]
    for place, level in enumerate(packet.awareness):
        uses += [("packet", f"awareness[{place}].kinds", kind) for kind in level.kinds]
    for reason, rule in returns.reasons.items():
        uses += [("returns", f"reasons.{reason}.reopened_by", kind) for kind in rule.reopened_by]
    for section, field, kind in uses:
        if kind not in kinds:
            yield CrossProblem(
                section,
                field,
                f"{kind!r} is no kind of event of the taxonomy",
                f"Use one of: {describe_known(kinds)}.",
            )
