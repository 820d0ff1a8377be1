"""What a run is asked to do is read from words, recorded, and read back."""

import json

import pytest
import typer

from features.clock import DAY_US
from features.lifecycle.targets import TARGETS
from training.commands.options import read_outcome
from training.commands.train import is_served
from training.errors import BundleError
from training.labels.conversion import Grid, Outcome
from training.run.options import RunOptions, read_options
from training.selection.tuning import Budget


def record(folder, options: RunOptions, **changed: str) -> None:
    result = options.record(3, 5)
    result["inputs"] = json.dumps(json.loads(result["inputs"]) | changed)
    provenance = {**result, "data_fingerprint": "f00d"}
    (folder / "manifest.json").write_text(json.dumps({"provenance": provenance}))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.text)
def test_every_outcome_is_read_named_and_recorded(target, tmp_path):
    outcome = read_outcome(f" {target.text.upper()}@6w ", "30d")
    assert outcome == Outcome.of(target, 42 * DAY_US)
    assert read_outcome(target.text, "30d").horizon_us == 30 * DAY_US
    assert ":" not in outcome.name
    asked = RunOptions(
        outcome, Grid.weekly(weeks=4), "ours", 11, frozenset({"age"}), {"a": "b"},
        segments=("region",),
    )  # fmt: skip
    record(tmp_path, asked)

    options, learned_from = read_options(tmp_path)

    assert learned_from == "f00d"
    assert options.outcome == asked.outcome
    assert options.grid == asked.grid
    assert (options.name, options.seed, options.drop) == ("ours", 11, {"age"})
    assert (options.allow_leaks, options.segments) == ({"a": "b"}, ("region",))
    assert (options.budget, options.vocabulary_us) == (Budget(trials=3), 5)


def test_what_cannot_be_predicted_is_refused_with_a_list():
    with pytest.raises(typer.BadParameter, match=r"'returned:lazy'.*returned:unreachable"):
        read_outcome("returned:lazy", "30d")
    with pytest.raises(typer.BadParameter, match="span"):
        read_outcome("sql@soon", "30d")


def test_a_bundle_made_for_an_outcome_unknown_here_cannot_be_repeated(tmp_path):
    record(tmp_path, RunOptions(read_outcome("sql", "30d"), Grid.at_ages((24,)), "x"), event="mqx")
    with pytest.raises(BundleError, match="'mqx'"):
        read_options(tmp_path)


def test_the_server_takes_up_what_is_hoped_for_fit_and_asked_for():
    hoped, feared = read_outcome("sql", "30d"), read_outcome("returned:rejected", "30d")
    assert is_served("champion", hoped, None)
    assert not is_served("champion", feared, None)
    assert not is_served("champion", hoped, "no signal")
    assert not is_served("challenger", hoped, None)
