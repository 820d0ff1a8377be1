"""One reading of raw names: the same for an import, a caller and a model read back."""

import json
from typing import Any

import pytest

from features.errors import TaxonomyError
from features.sources.read_mapping import read_mapping, shipped_mappings
from features.taxonomy import Taxonomy, default_taxonomy, read_taxonomy

SECTION: dict[str, Any] = {
    "channels": ["Web", "E-Mail"],
    "channel_names": {"Newsletter": "E-Mail"},
    "groups": {"engagement": {"one": "step", "many": "steps"}},
    "kinds": {
        "visit": {"one": "v", "many": "v", "groups": ["engagement"], "names": ["Page"]},
        "demo": {"one": "d", "many": "d", "groups": ["engagement"], "names": ["Book a demo"]},
    },
}


def _section(**kinds: list[str]) -> dict[str, Any]:
    return {
        "channels": ["web"],
        "kinds": {n: {"one": n, "many": n, "names": names} for n, names in kinds.items()},
    }


@pytest.mark.parametrize(
    ("kind", "name", "found"),
    [
        ("demo", "Page", "demo"),
        (" DEMO ", None, "demo"),
        ("book a demo", "Page", "demo"),
        ("nobody knows", "Page", "visit"),
        (None, " page ", "visit"),
        (None, "Visit", "visit"),
        ("other", "Page", "other"),
        ("", "", "other"),
        (None, None, "other"),
        ("nobody knows", "nor this", "other"),
    ],
)
def test_an_event_s_kind_wins_over_its_name(
    kind: str | None, name: str | None, found: str
) -> None:
    assert read_taxonomy(SECTION).kind_of_event(kind, name) == found


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("web", "Web"),
        (" WEB ", "Web"),
        ("newsletter", "E-Mail"),
        ("smoke", "other"),
        ("Other", "other"),
        ("", None),
        ("  ", None),
        (None, None),
    ],
)
def test_a_channel_is_read_as_the_taxonomy_writes_it(raw: str | None, found: str | None) -> None:
    assert read_taxonomy(SECTION).channel_of(raw) == found


@pytest.mark.parametrize(
    "section",
    [
        _section(visit=["open"], demo=["Open "]),
        _section(visit=["demo"], demo=[]),
        _section(visit=["a", "other"], demo=[]),
    ],
)
def test_a_raw_name_of_two_kinds_is_refused_with_both(section: dict[str, Any]) -> None:
    with pytest.raises(TaxonomyError, match=r"'visit' and '(demo|other)'"):
        read_taxonomy(section)


@pytest.mark.parametrize(
    ("channels", "names", "problem"),
    [
        (["web", "WEB"], {}, "two channels, 'web' and 'WEB'"),
        (["web", "ads"], {"Ads": "web"}, "two channels, 'ads' and 'web'"),
        (["web"], {"site": "webb"}, "'webb', which is no channel"),
    ],
)
def test_a_channel_that_cannot_be_reported_is_refused(
    channels: list[str], names: dict[str, str], problem: str
) -> None:
    with pytest.raises(TaxonomyError, match=problem):
        read_taxonomy(SECTION | {"channels": channels, "channel_names": names})


def test_an_added_name_moves_to_where_it_is_put() -> None:
    added = read_taxonomy(SECTION).with_names(
        [("PAGE", "demo"), ("Book a Demo", "demo"), ("knock", "visit"), ("Knock ", "visit")],
        [("Newsletter", "Web"), ("web", "Web"), ("Post", "E-Mail")],
    )
    assert [kind.names for kind in added.kinds] == [("Knock",), ("Book a demo", "PAGE"), ()]
    assert added.channel_names == {"Newsletter": "Web", "Post": "E-Mail"}


def test_a_name_added_to_two_kinds_is_refused() -> None:
    with pytest.raises(TaxonomyError, match="'open' belongs to two kinds, 'visit' and 'demo'"):
        read_taxonomy(SECTION).with_names([("Open", "visit"), ("open", "demo")], [])


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("no_budget", "no_budget"),
        (" No-Budget! ", "no_budget"),
        ("CAN'T REACH", "unreachable"),
        ("Kein Bedarf", "other"),
        ("", None),
        (" ", None),
        (None, None),
    ],
)
def test_a_reason_is_read_without_regard_to_case_blanks_and_punctuation(raw, found) -> None:
    assert read_taxonomy(SECTION).reason_of(raw) == found


def test_a_reason_moves_to_where_it_is_put_and_travels_with_the_taxonomy() -> None:
    result = read_taxonomy(SECTION).with_reasons(
        [("Kein Bedarf", "no_interest"), ("Price", "other")]
    )
    again = read_taxonomy(json.loads(json.dumps(result.to_json())))
    for taxonomy in (result, again):
        found = [taxonomy.reason_of(raw) for raw in ("kein bedarf", "PRICE", "too expensive")]
        assert found == ["no_interest", "other", "no_budget"]


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        ([("Kein Bedarf", "no_need")], "'no_need', which is no reason"),
        ([("Post", "no_budget"), ("post!", "other")], "'post!' is put in two places"),
    ],
)
def test_a_reason_that_cannot_be_reported_is_refused(pairs, problem) -> None:
    with pytest.raises(TaxonomyError, match=problem):
        read_taxonomy(SECTION).with_reasons(pairs)


TAXONOMIES = {
    "own": read_taxonomy(SECTION),
    "default": default_taxonomy(),
    **{name: read_mapping(name).taxonomy for name in shipped_mappings()},
}


@pytest.mark.parametrize("taxonomy", TAXONOMIES.values(), ids=TAXONOMIES)
def test_a_taxonomy_is_read_back_as_it_was(taxonomy: Taxonomy) -> None:
    written = taxonomy.to_json()
    # Whoever writes JSON may sort its keys; the codes of kinds must not follow.
    for text in (json.dumps(written), json.dumps(written, sort_keys=True)):
        again = read_taxonomy(json.loads(text))
        assert again == taxonomy
        assert again.kind_names == taxonomy.kind_names
        assert again.to_json() == written


def test_a_taxonomy_written_before_channels_had_names_is_read() -> None:
    written = default_taxonomy().to_json()
    assert "channel_names" not in written
    assert read_taxonomy(written).channel_names == {}
