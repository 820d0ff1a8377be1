"""A catalogue learned from a lead table, whole or in parts, is the same."""

import pyarrow as pa

from features.clock import DAY_US
from features.compute.vocabulary import FEWEST_PER_CATEGORY, MOST_CATEGORIES, learn_catalog
from features.contracts.leads import LEAD_SCHEMA
from features.taxonomy import default_taxonomy

SCHEMA = pa.schema(
    [*LEAD_SCHEMA, pa.field("industry", pa.string()), pa.field("size", pa.float64())]
)


def leads(rows) -> pa.Table:
    """Rows of (lead, day it became known, account, industry)."""
    records = [
        {"lead_id": lead, "known_at": day * DAY_US, "created_at": 0, "account_id": account,
         "industry": industry, "size": 1.0}
        for lead, day, account, industry in rows
    ]  # fmt: skip
    return pa.Table.from_pylist(records, SCHEMA)


def industries(catalog):
    return catalog.attributes[0].categories


def learn(*tables, before_day=100, **options):
    return learn_catalog(default_taxonomy(), tables, before_day * DAY_US, **options)


def test_rare_and_later_values_share_other():
    often = [(f"a{n}", 1, None, "bank") for n in range(FEWEST_PER_CATEGORY)]
    rare = [(f"b{n}", 1, None, "farm") for n in range(FEWEST_PER_CATEGORY - 1)]
    again = [("b0", 2, None, "farm")]  # the same lead twice is one lead
    later = [(f"c{n}", 100, None, "mine") for n in range(50)]
    assert industries(learn(leads(often + rare + again + later))) == ("bank", "(other)")


def test_no_more_than_the_most_frequent_have_a_code():
    rows = [
        (f"{value}-{n}", 1, None, f"v{value:03d}")
        for value in range(MOST_CATEGORIES + 5)
        for n in range(FEWEST_PER_CATEGORY + (value >= 5))
    ]
    assert industries(learn(leads(rows)))[0] == "v005"
    assert len(industries(learn(leads(rows)))) == MOST_CATEGORIES + 1


def test_parts_give_what_the_whole_gives_coded_or_not():
    rows = [
        (f"l{n}", n % 3, f"account {n // 2}", ["bank", "farm", None][n % 3]) for n in range(60)
    ]
    whole, first, second = leads(rows), leads(rows[:30]), leads(rows[30:])
    coded = second.set_column(4, "industry", second.column("industry").dictionary_encode())
    assert learn(first, coded) == learn(whole)
    assert industries(learn(whole)) == ("bank", "farm", "(other)")


def test_colleagues_add_the_account_family():
    alone = leads([("a", 1, "x", None), ("a", 2, "x", None), ("b", 1, None, None)])
    together = leads([("a", 1, "x", None), ("b", 1, "x", None)])
    assert "colleagues" not in learn(alone).names
    assert "colleagues" in learn(together).names
    assert "colleagues" in learn(together, alone).names


def test_an_attribute_may_be_left_out():
    catalog = learn(leads([("a", 1, None, "bank")]), without=frozenset({"industry"}))
    assert [a.name for a in catalog.attributes] == ["size"]
