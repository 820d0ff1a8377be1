"""Compile the kernel once, so that neither a command nor the server pays for it at run time."""

from features.catalog.fit import OTHER_CATEGORY, LeadAttribute
from features.catalog.manifest import build_catalog
from features.clock import DAY_US
from features.compute.online import compute_rows
from features.contracts.records import EventRecord, LeadRecord, LeadVersion, StageRecord
from features.taxonomy import default_taxonomy


def warm() -> None:
    """Run every path of the kernel on one small lead."""
    attributes = (
        LeadAttribute("industry", "category", ("software", OTHER_CATEGORY)),
        LeadAttribute("employees", "number"),
    )
    catalog = build_catalog(default_taxonomy(), attributes, accounts=True)
    punctual = EventRecord(DAY_US, DAY_US, "page_view", "web", 1.0)
    late = EventRecord(2 * DAY_US, 4 * DAY_US, "email_open", "email")
    version = LeadVersion(DAY_US, {"industry": "software", "employees": 10.0}, "warm")
    stage = StageRecord(2 * DAY_US, 2 * DAY_US, "mql")
    for events in ((punctual,), (punctual, late)):
        colleague = LeadRecord("colleague", DAY_US, (version,), events, (stage,))
        lead = colleague._replace(lead_id="warm", colleagues=(colleague,))
        compute_rows(catalog, [lead], [3 * DAY_US])
