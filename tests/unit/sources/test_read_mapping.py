"""Every mistake in a mapping is told with file, section, field and fix."""

import pytest

from features.sources.errors import MappingError, MappingNotFoundError
from features.sources.read_mapping import read_mapping, shipped_mappings
from tests.unit.sources.factories import CALLS, EVENTS, LEADS, STAGES, TOP, mapping_of


@pytest.mark.parametrize("name", ["bank", "bpi2012", "example_crm", "olist"])
def test_each_shipped_mapping_is_sound(name: str) -> None:
    assert name in shipped_mappings()
    assert read_mapping(name).name == name


def test_an_unknown_name_lists_the_shipped_ones() -> None:
    with pytest.raises(MappingNotFoundError, match="bank, bpi2012, example_crm, olist"):
        read_mapping("salesfarce")


MISTAKES = {
    "no toml": ("name = ", "text", "is not TOML"),
    "a misspelt key": (TOP + 'timezone = "UTC"\n' + LEADS, "timezone", "is not known here"),
    "no time zone": ('name = "x"\n' + LEADS, "time_zone", "is missing"),
    "a wrong time zone": (
        'name = "x"\ntime_zone = "Mars/Base"\n' + LEADS,
        "time_zone",
        "no time zone",
    ),
    "no sources": (TOP, "source", "is missing"),
    "no leads": (TOP + STAGES, "source", 'record = "lead"'),
    "no name": ('time_zone = "UTC"\n' + LEADS, "name", "is missing"),
    "a wrong record": (TOP + LEADS.replace('"lead"', '"person"'), "record", "cannot be 'person'"),
    "no file": (TOP + LEADS.replace('file = "leads.csv*"', ""), "file", "is missing"),
    "no lead id": (TOP + LEADS.replace('lead_id = "id"', ""), "lead_id", "is missing"),
    "an event without a name": (
        TOP + LEADS + EVENTS.replace('name = "what"', ""),
        "name",
        "is missing",
    ),
    "a field of another record": (
        TOP + LEADS + EVENTS + 'stage = "x"\n',
        "stage",
        "is not known here",
    ),
    "a reason that is none": (
        TOP + LEADS + STAGES + '[reasons]\n"Kein Bedarf" = "no_need"\n',
        "map",
        "no_need', which is no reason",
    ),
    "a stage that is none": (
        TOP + LEADS + STAGES.replace('stage = "stage"', 'stage = { value = "sold" }'),
        "stage",
        "Use one of: lead, mql",
    ),
    "a kind that is none": (
        TOP + LEADS + EVENTS + 'kind = { column = "k", map = { a = "wink" } }\n',
        "kind",
        "no kind 'wink'",
    ),
    "a channel that is none": (
        TOP + LEADS + EVENTS + 'channel = { value = "smoke" }\n',
        "channel",
        "no channel 'smoke'",
    ),
    "a raw name of two kinds": (
        TOP
        + LEADS
        + EVENTS
        + 'kind = { column = "k", map = { a = "page_view" } }\n'
        + EVENTS
        + 'kind = { column = "k", map = { A = "blog_view" } }\n',
        "map",
        "'page_view' and 'blog_view'.*`where`",
    ),
    "a raw name that is another kind": (
        TOP + LEADS + EVENTS + 'kind = { column = "k", map = { blog_view = "page_view" } }\n',
        "map",
        "'page_view' and 'blog_view'",
    ),
    "a kind for all other names": (
        TOP
        + LEADS
        + EVENTS
        + 'kind = { column = "k", map = { a = "blog_view" }, otherwise = "page_view" }\n',
        "otherwise",
        "can only be 'other'",
    ),
    "two origins": (
        TOP + LEADS + CALLS.replace('"time"', '{ column = "a", rows_between = ["2020", "2021"] }'),
        "at",
        "exactly one of",
    ),
    "a moment that is none": (
        TOP + 'observed_until = "soon"\n' + LEADS,
        "observed_until",
        "no date or time",
    ),
    "a span that is none": (
        TOP + LEADS + CALLS.replace('"time"', '{ column = "a", offset = "one day" }'),
        "offset",
        "is no span",
    ),
    "a long delimiter": (
        TOP + LEADS.replace("[source.fields]", 'delimiter = "||"\n[source.fields]'),
        "delimiter",
        "one character",
    ),
    "an unknown encoding": (
        TOP + LEADS.replace("[source.fields]", 'encoding = "utf-9"\n[source.fields]'),
        "encoding",
        "no encoding",
    ),
    "an encoding without lines": (
        TOP + LEADS.replace("[source.fields]", 'encoding = "utf-16"\n[source.fields]'),
        "encoding",
        "Save the file as UTF-8",
    ),
    "an attribute that does not say since when": (
        TOP + LEADS + 'size = { column = "size", type = "number" }\n',
        "known",
        '"at creation".*"dated by <column>".*"after the outcome"',
    ),
    "an attribute known some day": (
        TOP + LEADS + 'size = { column = "size", type = "number", known = "later" }\n',
        "known",
        "cannot be 'later'",
    ),
    "an attribute without type": (
        TOP + LEADS + 'size = { column = "size", known = "at creation" }\n',
        "type",
        "is missing",
    ),
    "an attribute called like a field": (
        TOP + LEADS + 'known_at = { column = "x", type = "time", known = "at creation" }\n',
        "name",
        "cannot name an attribute",
    ),
    "a key of another type": (
        TOP
        + LEADS
        + 'size = { column = "x", type = "number", known = "at creation", true = "y" }\n',
        "true",
        "is not known here",
    ),
    "an attribute on an event": (
        TOP
        + LEADS
        + EVENTS
        + '[source.attributes]\nx = { column = "x", type = "flag", known = "at creation" }\n',
        "known",
        "Move the others to a lead source",
    ),
    "a taxonomy that is none": (TOP + 'taxonomy = "retail"\n' + LEADS, "taxonomy", "marketing"),
    "a column both used and refused": (
        TOP
        + LEADS
        + 'a = { column = "x", type = "flag", known = "at creation" }\n'
        + 'b = { column = "x", known = "after the outcome" }\n',
        "attribute a",
        "known only after the outcome",
    ),
    "an attribute called like the stage": (
        TOP + LEADS + 'stage = { column = "x", type = "category", known = "at creation" }\n',
        "name",
        "call it company_stage",
    ),
    "an attribute called like a kind of event": (
        TOP + LEADS + 'demo_request = { column = "x", type = "flag", known = "at creation" }\n',
        "name",
        "call it company_demo_request",
    ),
    "an attribute whose feature is taken": (
        TOP + LEADS + 'first_activity = { column = "x", type = "time", known = "at creation" }\n',
        "name",
        "call it company_first_activity",
    ),
    "an attribute called like its own measure": (
        TOP
        + LEADS
        + 'record_completeness = { column = "x", type = "number", known = "at creation" }\n',
        "name",
        "call it company_record_completeness",
    ),
    "an infinite number": (
        TOP + LEADS + STAGES + 'amount = { value = "1e39" }\n',
        "value",
        "is no number",
    ),
    "no number": (
        TOP + LEADS + STAGES + 'amount = { value = "much" }\n',
        "value",
        "is no number",
    ),
}


@pytest.mark.parametrize("case", sorted(MISTAKES))
def test_a_mistake_is_reported_with_its_place(case: str) -> None:
    text, field, problem = MISTAKES[case]
    with pytest.raises(MappingError, match=problem) as caught:
        mapping_of(text, file="shop.toml")
    assert caught.value.field == field
    assert caught.value.file == "shop.toml"
    assert "shop.toml" in str(caught.value)


def test_a_refused_attribute_is_withheld_with_its_column_and_reason() -> None:
    mapping = mapping_of(TOP, LEADS, 'gain = { column = "Gain", known = "after the outcome" }\n')
    assert mapping.attributes == {}
    assert list(mapping.withheld) == ["gain"]
    assert "'Gain' is known only after the outcome" in mapping.withheld["gain"]


def test_a_mapping_may_bring_its_own_kinds() -> None:
    mapping = mapping_of(
        TOP,
        LEADS,
        '[taxonomy]\nchannels=["door"]\n[taxonomy.kinds.knock]\none="knock"\nmany="knocks"\n',
    )
    assert mapping.taxonomy.kind_names == ("knock", "other")


@pytest.mark.parametrize(
    "name", ["value", "channels", "created", "rhythm", "trend", "hours", "variety", "web"]
)
def test_an_attribute_may_not_take_a_name_that_baton_uses(name: str) -> None:
    with pytest.raises(MappingError, match=f"'{name}' is taken .*: call it company_{name}"):
        mapping_of(
            TOP, LEADS, f'{name} = {{ column = "x", type = "flag", known = "at creation" }}'
        )


def test_a_refused_attribute_may_have_any_name() -> None:
    mapping = mapping_of(TOP, LEADS, 'value = { column = "Gain", known = "after the outcome" }\n')
    assert list(mapping.withheld) == ["value"]


def test_what_a_mapping_calls_events_is_understood_by_the_taxonomy_it_leaves() -> None:
    taxonomy = read_mapping("bpi2012").taxonomy
    assert taxonomy.kind_of("O_SENT") == "offer_sent"
    assert taxonomy.kind_of("A_FINALIZED") == "application_finalized"
    assert taxonomy.kind_of("W_Afhandelen leads") == "lead_handling"
    assert taxonomy.channel_of("SCHEDULE") == "scheduled"
    assert "O_SENT" in {name for kind in taxonomy.kinds for name in kind.names}


def test_a_map_of_names_is_understood_by_the_taxonomy_too() -> None:
    events = EVENTS.replace('"what"', '{ column = "what", map = { PP = "Pricing" } }')
    assert mapping_of(TOP, LEADS, events).taxonomy.kind_of("pp") == "pricing_view"


def test_a_map_moves_a_name_from_the_shipped_kind() -> None:
    kind = 'kind = { column = "what", map = { Webinar = "demo_request" } }\n'
    assert mapping_of(TOP, LEADS, EVENTS, kind).taxonomy.kind_of("webinar") == "demo_request"
