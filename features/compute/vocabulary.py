"""Which values of an attribute get a code of their own, and whether leads have colleagues."""

from collections import Counter
from collections.abc import Collection, Iterable

import pyarrow as pa
import pyarrow.compute as pc

from features.catalog.families import find_families
from features.catalog.fit import OTHER_CATEGORY, LeadAttribute
from features.catalog.manifest import Catalog, build_catalog
from features.contracts.leads import AttributeType, attribute_types
from features.taxonomy import Taxonomy

FEWEST_PER_CATEGORY = 10
"""A value seen on fewer leads has no weight of its own."""

MOST_CATEGORIES = 100


class LeadSurvey:
    """What lead tables teach a catalogue. All versions of a lead, and its account, are in one."""

    def __init__(self, before_us: int) -> None:
        self._before_us = before_us
        self._counted: dict[str, Counter[str]] = {}
        self._types: dict[str, AttributeType] = {}
        self.knows_colleagues = False
        """Whether any account has two leads: without that the account family is empty."""

    def take(self, leads: pa.Table) -> None:
        """Count what was known before the moment in one table."""
        self._types = attribute_types(leads)
        known = leads.filter(pc.less(leads.column("known_at").cast(pa.int64()), self._before_us))
        for name, kind in self._types.items():
            if kind == "category":
                counted = self._counted.setdefault(name, Counter())
                counted.update(_count_leads(known, name))
        if not self.knows_colleagues:
            people = _count_leads(leads, "account_id")
            self.knows_colleagues = max(people.values(), default=0) > 1

    def attributes(self, without: frozenset[str] = frozenset()) -> tuple[LeadAttribute, ...]:
        """List the attributes; rare values, and any not counted, share ``(other)``."""
        return tuple(
            LeadAttribute(name, kind, self._categories(name) if kind == "category" else ())
            for name, kind in self._types.items()
            if name not in without
        )

    def _categories(self, name: str) -> tuple[str, ...]:
        ranked = sorted(self._counted[name].items(), key=lambda pair: (-pair[1], pair[0]))
        often = [v for v, n in ranked if n >= FEWEST_PER_CATEGORY][:MOST_CATEGORIES]
        return (*sorted(v for v in often if v != OTHER_CATEGORY), OTHER_CATEGORY)


def _count_leads(leads: pa.Table, name: str) -> dict[str, int]:
    """Count the leads that each value of a text column was seen on."""
    column = leads.column(name)
    pairs = pa.table({"lead": leads.column("lead_id").cast(pa.string()), "value": column})
    pairs = pairs.set_column(1, "value", column.cast(pa.string())).filter(pc.is_valid(column))
    counted = pairs.group_by("value").aggregate([("lead", "count_distinct")])
    values, counts = counted.column("value"), counted.column("lead_count_distinct")
    return dict(zip(values.to_pylist(), counts.to_pylist(), strict=True))


def learn_catalog(
    taxonomy: Taxonomy,
    leads: Iterable[pa.Table],
    before_us: int,
    *,
    without: frozenset[str] = frozenset(),
    families: Collection[str] | None = None,
) -> Catalog:
    """Build the catalogue of a history from its lead table.

    Parameters
    ----------
    taxonomy
        Of the history.
    leads
        The lead table, whole or in parts that share no lead and no account.
    before_us
        Values that became known at or after it share ``(other)``, microseconds.
    without
        Attributes to leave out.
    families
        Names of the families of other packages to be used; None: all that are installed.
    """
    survey = LeadSurvey(before_us)
    for table in leads:
        survey.take(table)
    return build_catalog(
        taxonomy,
        survey.attributes(without),
        accounts=survey.knows_colleagues,
        families=find_families(families),
    )
