"""Why leads come back: the list, and what may be predicted of it."""

from collections import Counter

import pytest

from features.kernel.record import MOST_KINDS
from features.lifecycle import reasons
from features.lifecycle.reasons import (
    DISTINGUISHED,
    FINDING_OF,
    Finding,
    ReturnReason,
    fold_reason,
)
from features.lifecycle.stages import Stage
from features.lifecycle.targets import TARGETS, find_target
from features.simulation.vocabulary import REASONS
from features.taxonomy import MAX_KINDS, default_taxonomy


def test_every_usual_word_is_listed_once_and_as_it_is_looked_up():
    listed = [output.strip() for text in reasons._WORDINGS.values() for output in text.split(",")]
    own = [fold_reason(reason) for reason in ReturnReason]
    assert [output for output, times in Counter(listed + own).items() if times > 1] == []
    assert [output for output in listed if fold_reason(output) != output] == []


def test_a_taxonomy_of_the_most_kinds_leaves_room_for_every_stage_and_reason():
    assert MAX_KINDS + len(Stage) + len(DISTINGUISHED) <= MOST_KINDS


def test_returns_have_the_last_codes_of_the_stages_so_that_each_reason_is_one_of_them():
    assert tuple(Stage)[-1] is Stage.RETURNED


def test_each_finding_has_a_reason_and_what_states_nothing_of_the_lead_finds_nothing():
    assert set(FINDING_OF.values()) == set(Finding)
    assert set(ReturnReason) - FINDING_OF.keys() == {ReturnReason.DUPLICATE, ReturnReason.OTHER}


def test_the_made_up_market_writes_reasons_that_baton_knows():
    taxonomy = default_taxonomy()
    assert [raw for raw in REASONS if taxonomy.find_reason(raw) is None] == []


def test_every_target_is_read_as_it_is_written():
    assert [find_target(target.text.upper()) for target in TARGETS] == list(TARGETS)


@pytest.mark.parametrize("text", ["", "sold", "returned:", "returned:duplicate", "won:rejected"])
def test_what_is_no_target_is_not_read(text):
    assert find_target(text) is None
