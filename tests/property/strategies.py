"""Random leads for the property tests: ties, edges, late arrivals, strange names and all."""

from hypothesis import strategies as st

from features.catalog.fit import OTHER_CATEGORY, LeadAttribute
from features.catalog.manifest import build_catalog
from features.clock import DAY_US, HOUR_US
from features.contracts.records import EventRecord, LeadRecord, LeadVersion, StageRecord
from features.lifecycle.reasons import DISTINGUISHED
from features.lifecycle.stages import Stage
from features.taxonomy import default_taxonomy

CATALOG = build_catalog(
    default_taxonomy(),
    (
        LeadAttribute("industry", "category", ("bank", "software", OTHER_CATEGORY)),
        LeadAttribute("employees", "number"),
        LeadAttribute("phone_known", "flag"),
        LeadAttribute("contract_ends", "time"),
        LeadAttribute("seniority", "category", ("manager", "vp", OTHER_CATEGORY)),
    ),
    accounts=True,
)
FAR = 253_402_214_400_000_000
"""9999-12-31, which many systems write for "no end"."""

START = 20_000 * DAY_US
"""Creation of every lead; a Friday, 4 October 2024."""

moments = st.one_of(
    st.integers(START - 100 * DAY_US, START + 120 * DAY_US),
    # Whole days and hours make ties, and records exactly on the edge of a window.
    st.integers(-100, 120).map(lambda days: START + days * DAY_US),
    st.integers(0, 72).map(lambda hours: START + hours * HOUR_US),
)
delays = st.one_of(st.just(0), st.just(0), st.integers(0, 5 * DAY_US))
kinds = st.sampled_from([*CATALOG.taxonomy.kind_names, "a kind nobody named"])
channels = st.sampled_from([None, "web", "email", "carrier pigeon"])
# Dyadic values: their sums are exact in any order, so that only real differences show.
values = st.one_of(
    st.none(), st.integers(-64, 4096).map(lambda n: n / 16), st.sampled_from([1e31, 1e308])
)


@st.composite
def events(draw):
    at = draw(moments)
    return EventRecord(at, at + draw(delays), draw(kinds), draw(channels), draw(values))


reasons = st.sampled_from([None, "", *DISTINGUISHED, "NO-BUDGET", "other", "a reason nobody told"])


@st.composite
def stage_moves(draw):
    at = START + draw(st.integers(0, 120 * DAY_US))
    stage = str(draw(st.sampled_from([*Stage, Stage.RETURNED])))
    return StageRecord(at, at + draw(delays), stage, draw(reasons))


@st.composite
def versions(draw):
    attributes = {
        "industry": draw(st.sampled_from([None, "bank", "software", "farming"])),
        "employees": draw(st.sampled_from([None, 0.0, 12.0, 1e39])),
        "phone_known": draw(st.sampled_from([None, True, False])),
        "contract_ends": draw(st.sampled_from([None, START + 300 * DAY_US, FAR])),
        "seniority": draw(st.sampled_from([None, "manager", "vp", "intern"])),
    }
    account_id = draw(st.sampled_from([None, "acme", "acme", "globex"]))
    return LeadVersion(START + draw(st.integers(0, 90)) * DAY_US, attributes, account_id)


@st.composite
def leads(draw, max_events: int = 25, with_colleagues: bool = True):
    others = None
    if with_colleagues:
        alone = leads(max_events=6, with_colleagues=False)
        others = draw(st.none() | st.lists(alone, max_size=3).map(tuple))
    own = draw(st.lists(versions(), max_size=3, unique_by=lambda v: v.known_at))
    return LeadRecord(
        "lead",
        START,
        tuple(own),
        tuple(draw(st.lists(events(), max_size=max_events))),
        tuple(draw(st.lists(stage_moves(), max_size=4))),
        others,
    )


looking = st.one_of(
    st.integers(START + 1, START + 130 * DAY_US),
    st.integers(1, 130).map(lambda days: START + days * DAY_US),
)
