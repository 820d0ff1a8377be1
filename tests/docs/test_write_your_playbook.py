"""The guide to the playbook says what is so: its examples are sound, its output is the real one."""

import re
from pathlib import Path

import pytest

from serving.handoff.playbook.errors import InvalidPlaybookError
from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.read import read_playbook

PAGE = (Path(__file__).parents[2] / "docs/how-to/write-your-playbook.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.+?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES, ids=["sellers", "definitions", "sources"])
def test_every_example_is_a_sound_playbook(text):
    assert read_playbook(text) != Playbook()


def test_the_mistakes_it_shows_are_worded_like_that():
    mistakes = """
        [triggers]
        score_form = 70
        [[routing.sellers]]
        id = "ann"
        [sla.calendars.office]
        hours = ["9 to 5"]
    """
    with pytest.raises(InvalidPlaybookError) as refused:
        read_playbook(mistakes)

    assert str(refused.value) in PAGE


def test_it_names_every_section_a_team_must_talk_about():
    named = set(re.findall(r"`\[([a-z]+)\]`", PAGE))

    assert set(Playbook.model_fields) - {"taxonomy"} <= named
