"""The how-to's example export goes through the example mapping, as the how-to says."""

import re
from pathlib import Path

from features.sources.import_history import run_import
from features.sources.rejects import Reason, RejectKind

HOW_TO = Path(__file__).parents[3] / "docs" / "tutorials" / "bring-your-own-crm-export.md"
FILE = re.compile(r"`export/(\w+\.csv)`\n\n```csv\n(.*?)```", re.DOTALL)


def _import(tmp_path: Path):
    files = FILE.findall(HOW_TO.read_text(encoding="utf-8"))
    assert len(files) == 4
    (tmp_path / "export").mkdir()
    for name, text in files:
        (tmp_path / "export" / name).write_text(text, encoding="utf-8")
    return run_import("example_crm", tmp_path / "export", tmp_path / "history")


def test_the_example_export_is_imported_without_a_reject(tmp_path: Path) -> None:
    report = _import(tmp_path)
    assert report.exit_code == 0
    assert report.columns_unused == {}
    assert report.history.stages["stage"].to_pylist() == ["mql", "returned", "mql", "sql", "won"]
    assert report.history.stages["reason"].to_pylist() == [None, "Too early", None, None, None]
    assert report.strange_reasons == {}
    assert report.history.events["kind"].to_pylist() == [
        "pricing_view",
        "email_open",
        "demo_request",
    ]
    assert report.history.attempts.num_rows == 1
    assert set(report.mapping.withheld) == {"close_reason", "contract_value"}


def test_the_example_shows_what_is_known_when(tmp_path: Path) -> None:
    leads = _import(tmp_path).history.leads.to_pylist()
    assert [(lead["lead_id"], lead["industry"], lead["employees"]) for lead in leads] == [
        ("00017", None, None),
        ("00017", "Machinery", 1200.0),
        ("00018", None, None),
    ]
    assert [(lead["has_email"], lead["has_phone"]) for lead in leads[1:]] == [
        (True, False),
        (True, True),
    ]
    assert [lead["country"] for lead in leads] == ["Germany", "Germany", "France"]


def test_the_how_to_tells_what_to_do_about_each_reason() -> None:
    text = HOW_TO.read_text(encoding="utf-8")
    assert [word for word in (*Reason, *RejectKind) if word not in text] == []
