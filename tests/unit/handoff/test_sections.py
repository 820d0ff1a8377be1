"""The sections of the playbook: what ships with Baton, and what is refused."""

import tomllib

import pytest
from pydantic import ValidationError

from features.lifecycle.reasons import ReturnReason
from features.taxonomy import default_taxonomy
from serving.handoff.playbook.across import find_unknown_kinds, find_unknown_templates
from serving.handoff.playbook.read import default_text
from serving.handoff.playbook.sections.oversight import Oversight
from serving.handoff.playbook.sections.packet import PacketSection
from serving.handoff.playbook.sections.pursuit import Pursuit
from serving.handoff.playbook.sections.returns import MEANS, RECYCLE_RULES, Returns, SalesReason
from serving.handoff.playbook.sections.section import Section
from serving.handoff.playbook.sections.triggers import Triggers

SECTIONS: dict[str, type[Section]] = {
    "triggers": Triggers,
    "packet": PacketSection,
    "pursuit": Pursuit,
    "returns": Returns,
    "oversight": Oversight,
}


def shipped():
    text = default_text()
    return text, tomllib.loads(text)


@pytest.mark.parametrize("name", SECTIONS)
def test_the_shipped_section_is_what_holds_if_nobody_states_anything(name):
    _, shipped_values = shipped()

    assert SECTIONS[name].model_validate(shipped_values[name]) == SECTIONS[name]()


@pytest.mark.parametrize("name", SECTIONS)
def test_the_shipped_section_names_every_field_and_states_what_it_means(name):
    text, shipped_values = shipped()

    flat = " ".join(line.removeprefix("# ") for line in text.splitlines())
    for field, about in SECTIONS[name].model_fields.items():
        assert field in shipped_values[name]
        if about.description:
            assert " ".join(about.description.split()) in flat


def test_the_defaults_go_together():
    kinds = default_taxonomy().kind_names

    assert not list(find_unknown_templates(PacketSection(), Pursuit()))
    assert not list(find_unknown_kinds(kinds, Triggers(), PacketSection(), Returns()))


def test_every_reason_of_the_list_has_a_rule_and_means_something_to_labels():
    assert set(RECYCLE_RULES) == set(MEANS) == set(SalesReason)
    assert set(MEANS.values()) == set(ReturnReason)


def test_a_rule_that_is_reported_in_part_keeps_the_rest():
    returns = Returns.model_validate({"reasons": {"unreachable": {"cooling_days": 5}}})

    rule = returns.reasons[SalesReason.UNREACHABLE]
    assert (rule.cooling_days, rule.track, rule.needs_persistence) == (5.0, "win_attention", True)
    assert returns.reasons[SalesReason.BAD_FIT] == RECYCLE_RULES[SalesReason.BAD_FIT]


@pytest.mark.parametrize(
    ("section", "shipped_values", "words"),
    [
        (Triggers, {"hand_raisers_pass": ["do_not_contact"]}, "can never be passed over"),
        (Triggers, {"score": 60}, "Extra inputs are not permitted"),
        (PacketSection, {"openings": [{"template": "nope"}]}, "there is no template 'nope'"),
        (
            PacketSection,
            {"openings": [{"template": "email_first", "personas": ["cfo"]}]},
            "the last one must fit everyone",
        ),
        (
            PacketSection,
            {"templates": {"mine": {"channel": "call", "text": "Dear {first_name}"}}},
            "{first_name} is no fact of a lead",
        ),
        (
            Pursuit,
            {"plans": [{"name": "one", "steps": [{"day": 0, "channel": "call"}]}]},
            "persistence asks for 6 attempts, but the plan has 1 steps",
        ),
        (Returns, {"reasons": {"bored": {}}}, "reasons.bored"),
        (Returns, {"reasons": {"other": {"track": "No Where"}}}, "reasons.other.track"),
    ],
)
def test_what_could_not_work_is_refused_with_its_place_and_the_fix(section, shipped_values, words):
    with pytest.raises(ValidationError) as refused:
        section.model_validate(shipped_values)

    assert words in str(refused.value)


def test_a_step_with_words_for_another_channel_is_found():
    pursuit = Pursuit.model_validate(
        {
            "plans": [
                {
                    "name": "mine",
                    "steps": [
                        {"day": 0, "channel": "email", "template": "call_first"},
                        {"day": 0, "channel": "call", "template": "nope"},
                    ],
                    "persistence": {"attempts": 2, "over_days": 0},
                }
            ]
        }
    )

    wrong_channel, missing = find_unknown_templates(PacketSection(), pursuit)

    assert wrong_channel.field == "plans[0].steps[0].template"
    assert "is for call" in wrong_channel.problem
    assert "there is no template 'nope'" in missing.problem
