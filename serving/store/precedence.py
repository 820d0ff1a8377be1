"""Which source's word counts, as the playbook in effect says."""

from functools import lru_cache

from features.contracts.provenance import DEFAULT_PRECEDENCE, Precedence
from features.toml import DRAFT, parse_toml
from serving.store.session import UnitOfWork

IN_EFFECT = "SELECT version, number FROM playbook_version WHERE state = 'in_effect'"
BODY = "SELECT body FROM playbook_version WHERE number = %(number)s"

SECTION, FIELD = "sources", "precedence"


def read_precedence(work: UnitOfWork) -> Precedence:
    """Read the precedence of sources; as it ships with Baton while the playbook says none."""
    row = work.execute(IN_EFFECT).first()
    if row is None:
        return DEFAULT_PRECEDENCE
    return _find(work.execute(BODY, {"number": row[1]}).scalar())


@lru_cache(maxsize=8)
def _find(body: str) -> Precedence:
    # The text was checked as a whole when it was proposed, and never changes.
    groups = parse_toml(body, DRAFT).get(SECTION, {}).get(FIELD)
    return DEFAULT_PRECEDENCE if groups is None else tuple(tuple(group) for group in groups)
