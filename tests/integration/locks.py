"""Two units of work at once: wait until the second stands before a lock of the first."""

from serving.store.session import Store
from tests.unit.serving.factories import wait_until

WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
"""


def wait_until_somebody_waits(store: Store) -> None:
    """Wait until one connection to the test's database waits for a lock."""

    def is_so() -> bool:
        with store.work(read_only=True) as work:
            return bool(work.execute(WAITING).scalar())

    wait_until(is_so)
