"""The leak audit by itself, as a user runs it."""

import pytest

from benchmarks.laboratory.leaks import plant_leak
from features.simulation.generate import simulate_history
from features.simulation.scenarios import get_scenario
from features.sources.history.folder import write_history
from tests.command_line import baton


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    folder = tmp_path_factory.mktemp("company")
    clean = simulate_history(get_scenario("plain"), n_leads=2000, seed=5).history
    write_history(clean, folder / "clean")
    write_history(plant_leak(clean, "score of today"), folder / "leaky")
    return folder


def output(done) -> str:
    return " ".join((done.stdout + done.stderr).split())


def test_a_clean_history_passes_and_shows_when_each_field_was_known(company):
    done = baton(company, "audit", "clean", "--seen-at", "24h,14d")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "budget" in output(done)
    assert "at creation" in output(done)
    assert "0 leak" in output(done)


def test_a_leak_is_named_with_rule_figure_and_what_to_do_and_may_be_allowed(company):
    done = baton(company, "audit", "leaky", "--seen-at", "24h,14d")
    assert done.returncode == 1
    for word in ("crm_score", "AUC of the", "> 0.9 leak", "Drop the field"):
        assert word in output(done), word
    reason = 'crm_score="it is what we test"'
    done = baton(company, "audit", "leaky", "--seen-at", "24h,14d", "--allow-leak", reason)
    assert done.returncode == 0
    assert "allowed" in output(done)
    dropped = baton(company, "audit", "leaky", "--seen-at", "24h,14d", "--drop", "crm_score")
    assert dropped.returncode == 0


def test_too_little_history_is_refused(company):
    done = baton(company, "audit", "clean", "--outcome", "won", "--horizon", "900d")
    assert done.returncode == 1
    assert "matured" in output(done)
