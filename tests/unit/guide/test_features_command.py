"""``baton features``, as people and machines use it."""

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from baton.command_line import app
from features.catalog.manifest import build_catalog
from features.guide.choose import list_families
from features.sources.history.folder import write_history
from features.taxonomy import default_taxonomy
from tests.spec.engines import write_down
from tests.spec.spec import CATALOG as WITH_ATTRIBUTES
from tests.spec.spec import Spec

CATALOG = build_catalog(default_taxonomy(), (), accounts=True)
LEADS = Spec("", "days | 0\nann | x\nlook | .^", "| ann").timeline.leads
COLLEAGUES = Spec("", "days | 0\nann, account | A\nlook | .^", "| ann").timeline.leads


def features(*words: str, width: int = 120) -> Result:
    terminal = {"COLUMNS": str(width), "TTY_COMPATIBLE": "1", "TERM": "dumb"}
    return CliRunner(env=terminal).invoke(app, ["features", *words])


@pytest.fixture
def history(tmp_path: Path) -> Path:
    write_history(write_down(WITH_ATTRIBUTES, LEADS), tmp_path / "history")
    return tmp_path / "history"


def test_alone_it_lists_the_families_and_how_many_features_each_has():
    output = features().stdout

    assert all(family in output for family in list_families(CATALOG))
    assert f"{len(CATALOG.features)} features in {len(list_families(CATALOG))} families" in output
    assert "--history" in output


def test_there_are_at_least_120_features_without_any_attribute():
    assert len(CATALOG.features) >= 120


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_names_every_feature_in_full_at_any_usual_width(width):
    output = features("list", width=width).stdout

    assert {name for name in CATALOG.names if name not in output} == set()
    rows = [line for line in output.splitlines() if line.startswith(CATALOG.names)]
    assert max(map(len, rows)) <= width


def test_the_beginning_of_a_family_is_enough():
    output = features("list", "gaps").stdout

    assert "gap_std" in output
    assert "pricing_view_count_7d" not in output


def test_machines_read_json_and_csv():
    entries = json.loads(features("list", "--json").stdout)
    rows = list(csv.DictReader(io.StringIO(features("list", "--csv").stdout)))

    assert {e["name"] for e in entries} == {r["name"] for r in rows} == set(CATALOG.names)
    pricing = next(e for e in entries if e["name"] == "pricing_view_count_7d")
    assert pricing["says"] == "3 pricing-page views in the last 7 days"
    assert (pricing["unit"], pricing["window"], pricing["direction"]) == ("count", "7d", 1)


def test_one_feature_is_reported_with_its_meaning_and_its_sentences():
    output = features("show", "high_intent_recency").stdout

    assert "Days since the latest happening." in output
    assert "last high-intent action 5 days ago" in output
    assert "no high-intent action so far" in output
    assert "pricing_view, demo_request, contact_request" in output
    assert json.loads(features("show", "silence", "--json").stdout)["empty_means"]


@pytest.mark.parametrize("name", CATALOG.names)
def test_every_feature_can_be_shown(name):
    assert features("show", name).exit_code == 0


def test_a_wrong_name_is_answered_with_the_nearest():
    found = features("show", "pricing_views_count_7d")

    assert found.exit_code == 1
    assert "pricing_view_count_7d" in found.stderr
    assert "gaps and rhythm" in features("list", "rhythms").stderr


def test_a_history_brings_its_attributes(history):
    output = features("list", "fit", "--history", str(history)).stdout

    assert "trial_ends_days" in output
    assert "no feature" not in output
    assert features("show", "industry", "--history", str(history)).exit_code == 0


@pytest.mark.parametrize(("leads", "has_accounts"), [(LEADS, False), (COLLEAGUES, True)])
def test_a_history_has_the_account_family_if_it_knows_accounts(leads, has_accounts, tmp_path):
    write_history(write_down(WITH_ATTRIBUTES, leads), tmp_path / "history")

    found = features("list", "account", "--history", str(tmp_path / "history"))

    assert (found.exit_code == 0) == has_accounts


def test_a_bundle_brings_the_catalogue_it_was_trained_with(tmp_path):
    manifest = {"catalog": WITH_ATTRIBUTES.to_json()}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))

    output = features("show", "industry", "--bundle", str(tmp_path)).stdout

    assert "0 bank, 1 software, 2 (other)" in output


@pytest.mark.parametrize("option", ["--history", "--bundle"])
def test_an_empty_folder_is_refused_with_what_to_do(option, tmp_path):
    found = features("list", option, str(tmp_path))

    assert found.exit_code == 1
    assert "`baton " in found.stderr
