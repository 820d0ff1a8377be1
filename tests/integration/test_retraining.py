"""Several outcomes from one run, and a run repeated from what its bundle recorded."""

import json
from pathlib import Path

import pytest

from tests.command_line import baton

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("company")
    done = baton(folder, "simulate", "--to", "var/market", "--leads", "2000", "--seed", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    done = baton(
        folder, "train", "var/market", "--outcome", "sql", "--outcome", "opportunity@45d",
        "--no-timing", "--seen-at", "24h,14d", "--tune-for", "1s", "--segment", "region=europe",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def bundles(folder: Path, name: str) -> list[Path]:
    return sorted((folder / "var/bundles").glob(f"{name}-*"))


def test_each_outcome_has_its_model_and_the_server_uses_the_first(trained):
    (sql,), (deal,) = bundles(trained, "baton-sql"), bundles(trained, "baton-opportunity")
    cards = [json.loads((folder / "card.json").read_text()) for folder in (sql, deal)]
    assert [card["contract"]["text"] for card in cards] == [
        "P(SQL within 30 days)",
        "P(opportunity within 45 days)",
    ]
    assert (trained / "var/champion").resolve() == sql
    assert cards[0]["value"] is None
    assert cards[1]["value"]["leads_with_amount"] >= 40
    assert {entry["segment"].split(":")[0] for entry in cards[0]["segment_models"]} == {"region"}
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in (sql, deal)]
    assert manifests[0]["provenance"]["data_fingerprint"]
    assert json.loads(manifests[0]["provenance"]["inputs"])["trials"] >= 1


def test_a_run_repeated_from_its_bundle_makes_the_same_bundle(trained):
    (sql,) = bundles(trained, "baton-sql")
    seal = json.loads((sql / "fingerprint.json").read_text())["fingerprint"]
    before = (sql / "fingerprint.json").stat().st_mtime_ns
    done = baton(trained, "train", "var/market", "--repeat", str(sql), "--alias", "challenger")
    assert done.returncode == 0, done.stdout + done.stderr
    assert bundles(trained, "baton-sql") == [sql]
    again = sql / "fingerprint.json"
    assert again.stat().st_mtime_ns > before, "the bundle was not made again"
    assert json.loads(again.read_text())["fingerprint"] == seal


def test_another_history_is_not_taken_for_the_one_it_was_made_from(trained):
    (sql,) = bundles(trained, "baton-sql")
    baton(trained, "simulate", "--to", "var/other", "--leads", "300", "--seed", "6")
    done = baton(trained, "train", "var/other", "--repeat", str(sql))
    assert done.returncode == 1
    assert "the history is another, or has changed" in done.stderr


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (["--outcome", "sqll"], "is nothing that can be predicted"),
        (["--outcome", "won@soon"], "is not a span of time"),
        (["--tune-for", "long"], "is no time"),
        (["--outcome", "sql", "--outcome", "sql@60d"], "Two models would have one name"),
        (["--segment", "regoin"], "no field 'regoin'"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(trained, words, output):
    done = baton(trained, "train", "var/market", "--no-timing", "--seen-at", "24h", *words)
    assert done.returncode in {1, 2}
    assert output in " ".join((done.stdout + done.stderr).split())
