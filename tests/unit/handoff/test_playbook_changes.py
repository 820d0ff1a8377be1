from serving.handoff.playbook.diff import list_changes
from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.read import read_playbook


def sentences(old: str, new: str) -> list[str]:
    return [change.sentence for change in list_changes(read_playbook(old), read_playbook(new))]


def test_a_number_goes_from_one_to_another_and_what_it_means_is_stated():
    assert sentences("", "[triggers]\nscore_from = 70") == [
        "[triggers] score_from goes from 65 to 70 (Points (0-100) from which on a lead is handed "
        "over; 50 is the typical lead, ten points double the odds)."
    ]


def test_a_list_gains_and_loses():
    [sentence] = sentences("", '[triggers]\nhand_raiser_kinds = ["demo_request", "form_submit"]')

    assert sentence.startswith(
        "[triggers] hand_raiser_kinds gains form_submit and loses contact_request ("
    )


SELLERS = '[[routing.sellers]]\nid = "{}"\nteam = "sales"\n'


def test_entries_are_recognised_by_their_names():
    two = SELLERS.format("ann") + SELLERS.format("ben")
    changed = SELLERS.format("ben") + "share = 2\n" + SELLERS.format("cat")

    assert sentences(two, changed) == [
        "[routing] sellers.ann is taken out.",
        "[routing] sellers.ben.share goes from 1 to 2 (Part of the team's leads, beside the "
        "others' shares).",
        "[routing] sellers.cat is new: id cat; team sales.",
    ]


def test_another_order_is_stated_where_the_first_that_fits_is_taken():
    segments = [
        '{ name = "a", all = [{ attribute = "employees", at_least = 9 }] }',
        '{ name = "b", all = [{ attribute = "employees", at_least = 5 }] }',
    ]
    old = f"[profile]\nsegments = [{segments[0]}, {segments[1]}]"
    new = f"[profile]\nsegments = [{segments[1]}, {segments[0]}]"

    [sentence] = sentences(old, new)

    assert sentence.startswith("[profile] segments are in another order: b and a")


def test_another_order_of_plain_values_is_stated_too():
    old = '[routing]\nteams = ["sales", "field"]'
    new = '[routing]\nteams = ["field", "sales"]'

    assert sentences(old, new) == [
        "[routing] teams is now in the order field, sales (Teams there are)."
    ]


def test_conditions_are_stated_as_people_would():
    changed = (
        '[stages.criteria.timeline]\nwords = "means to buy within half a year"\n'
        'all = [{ answer = "timeline_months", at_most = 12 }]'
    )

    [sentence] = sentences("", changed)

    assert sentence.startswith(
        "[stages] criteria.timeline.all gains timeline months is at most 12 "
        "and loses timeline months is at most 6"
    )


def test_nested_tables_and_nothing_become_something():
    sentence = sentences("", '[sla.calendars.office]\ncountry = "NL"')

    assert sentence == [
        "[sla] calendars.office.country goes from nothing to NL (Whose public holidays are free, "
        "as ISO 3166 writes it: NL, DE, US)."
    ]


def test_the_same_playbook_has_no_changes():
    assert list_changes(Playbook(), read_playbook("")) == []
