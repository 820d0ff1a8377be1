"""Compile what an import compiles, once, so that no import pays for it."""

from pathlib import Path
from tempfile import TemporaryDirectory

from features.sources.import_history import run_import
from features.sources.read_mapping import parse_mapping

MAPPING = """
name = "warm"
time_zone = "UTC"
[[source]]
record = "lead"
file = "leads.csv"
[source.fields]
lead_id = "lead"
created_at = "time"
account_id = "account"
[[source]]
record = "event"
file = "events.csv"
[source.fields]
event_id = "id"
lead_id = "lead"
occurred_at = "time"
name = "name"
value = "value"
"""


def warm_import() -> None:
    """Import two events."""
    with TemporaryDirectory() as folder:
        export = Path(folder)
        (export / "leads.csv").write_text("lead,time,account\na,2024-01-01,x\nb,2024-01-01,\n")
        rows = "".join(f"{n},a,2024-01-02,page_view,1.5\n" for n in range(2))
        (export / "events.csv").write_text(f"id,lead,time,name,value\n{rows}")
        run_import(parse_mapping(MAPPING.encode(), "warm.toml"), export, export / "history")
