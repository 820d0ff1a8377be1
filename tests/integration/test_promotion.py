"""Promotion from end to end on a small market: two real bundles, a real registry, real links."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copyfile

import mlflow
import numpy as np
import pytest
from typer.testing import CliRunner

from baton.command_line import app
from features.clock import from_us, to_us
from features.compute.offline import compute_matrix
from features.sources.history.folder import read_history
from training.bundle import (
    Contract,
    Scale,
    install_champion,
    load_bundle,
    seal_bundle,
    write_bundle,
)
from training.commands.promote import CANNOT_TELL, DECLINED, KEPT, REFUSED
from training.dataset.moments import build_moments
from training.errors import BundleError
from training.estimators.candidates import CANDIDATES, LINEAR
from training.evaluation.calibration import fit_affine
from training.models.fit_data import FitData, margins
from training.promotion import aliases as champions
from training.promotion.review import find_age_days, seen_until
from training.reference_profile import ReferenceProfile, build_support
from training.registry.mlflow_store import (
    find_bundle,
    find_version,
    list_versions,
    log_run,
    move_alias,
)
from training.run.options import read_options
from training.settings import TrainingSettings

pytestmark = pytest.mark.slow

NAME = "baton-sql"


@pytest.fixture(scope="module")
def history(market_folder):
    return read_history(market_folder)


def fit_on_few_columns(
    history, trained: Path, to: Path, *, contract: Contract | None = None, **log_lines: str
) -> Path:
    """Fit the linear recipe on the lead's journey alone: an honest model that knows less."""
    whole = load_bundle(trained)
    options, _ = read_options(trained)
    few = tuple(
        f for f in whole.catalog.features if f.family == "journey" or f.name == "kinds_life"
    )
    catalog = replace(whole.catalog, features=few)
    moments = build_moments(history, options.outcome, options.grid, seed=options.seed)
    split = moments.split()
    rows = compute_matrix(catalog, history, moments.snapshots)
    own = split.fit
    train = FitData(
        catalog, rows[own], moments.converted[own], moments.created_at[own],
        moments.lead_of[own], 7,
    )  # fmt: skip
    model = CANDIDATES[LINEAR].fit(train).model
    every = margins(model, rows)
    fit = fit_affine(every[split.calibrate], moments.converted[split.calibrate])
    scale = Scale(fit.slope, fit.intercept, model.bias)
    scores = scale.scores(model.contributions(rows[split.calibrate][:50]))
    manifest = json.loads((trained / "manifest.json").read_text())
    provenance = {**manifest["provenance"], **log_lines}
    write_bundle(
        to,
        name=whole.name,
        contract=contract or whole.contract,
        catalog=catalog,
        model=model,
        model_kind=LINEAR,
        scale=scale,
        bands=whole.bands,
        support=build_support(catalog, rows[own]),
        profile=ReferenceProfile(rows[split.calibrate][:50], scores.probability, scores.points),
        provenance={k: v for k, v in provenance.items() if v},
    )
    for name in ("card.json", "card.md"):
        copyfile(trained / name, to / name)
    seal_bundle(to)
    return to.rename(to.with_name(f"{whole.name}-{load_bundle(to).version}"))


@dataclass
class Lab:
    """A folder in which both bundles are registered."""

    folder: Path
    market: Path
    settings: TrainingSettings
    good: Path
    weak: Path

    def stand(self, champion: Path, challenger: Path) -> None:
        """Put everything as it is before a promotion."""
        for alias, bundle in (("champion", champion), ("challenger", challenger)):
            found = find_version(self.settings, NAME, load_bundle(bundle).fingerprint)
            move_alias(self.settings, NAME, alias, found.version)
        move_alias(self.settings, NAME, "previous", None)
        install_champion(champion, self.settings.champion)
        install_champion(challenger, self.settings.challenger)

    def run(self, *words: str, answer: str = "") -> tuple[int, str]:
        done = CliRunner().invoke(app, [*words], input=answer)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return done.exit_code, " ".join(done.output.split())

    def promote(self, *words: str, answer: str = "") -> tuple[int, str]:
        return self.run("promote", str(self.market), *words, answer=answer)

    def aliases(self) -> dict[str, str]:
        """Tell which bundle carries which alias."""
        return {
            alias: one.bundle_version
            for one in list_versions(self.settings, NAME)
            for alias in one.aliases
        }

    @property
    def served(self) -> str:
        return load_bundle(self.settings.champion).version

    def log_lines(self) -> list[dict[str, str]]:
        lines = (self.settings.promotions / "log.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def lab(history, market_folder, trained_bundle, tmp_path_factory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("bundles", "champion", "challenger", "promotions", "mlruns"):
            patch.setenv(f"BATON_{name.upper()}", str(folder / name))
        patch.setenv("COLUMNS", "200")
        settings = TrainingSettings()
        settings.bundles.mkdir()
        good = settings.bundles / trained_bundle.name
        good.mkdir()
        for path in trained_bundle.iterdir():
            copyfile(path, good / path.name)
        weak = fit_on_few_columns(history, trained_bundle, settings.bundles / "weak")
        for bundle in (weak, good):
            log_run(
                load_bundle(bundle), settings=settings, parameters={}, metrics={}, pictures=[],
                alias="challenger",
            )  # fmt: skip
        yield Lab(folder, market_folder, settings, good, weak)


def version(bundle: Path) -> str:
    return load_bundle(bundle).version


def test_a_better_challenger_is_promoted_and_everything_is_recorded(lab: Lab) -> None:
    lab.stand(lab.weak, lab.good)

    code, output = lab.promote("--dry-run", "--by", "ann")

    assert code == 0
    assert "Verdict: promote The challenger predicts better than the champion" in output
    assert "Nothing was changed: --dry-run." in output
    assert lab.served == version(lab.weak)
    assert lab.aliases() == {"champion": version(lab.weak), "challenger": version(lab.good)}

    code, output = lab.promote("--by", "ann", answer="y\n")

    assert code == 0
    assert f"(bundle {version(lab.good)}) is champion now" in output
    assert lab.served == version(lab.good)
    assert lab.aliases() == {"champion": version(lab.good), "previous": version(lab.weak)}
    assert not lab.settings.challenger.is_symlink()
    last = lab.log_lines()[-1]
    assert (last["action"], last["by"], last["verdict"]) == ("promote", "ann", "promote")
    check_report(lab, moved=True)
    check_record(lab)


def check_report(lab: Lab, *, moved: bool) -> None:
    folder = lab.settings.promotions / f"{version(lab.weak)}-{version(lab.good)}"
    report = json.loads((folder / "report.json").read_text())
    assert report["action"]["moved"] is moved
    assert report["comparison"]["log_loss"]["interval"]["low"] > 0
    impact = report["impact"]
    assert sum(map(sum, impact["crossings"])) == impact["leads"] > 500
    crossed = impact["up"] + impact["down"]
    assert crossed == sum(row["up"] + row["down"] for row in impact["by_owner"]) > 0
    assert len(impact["top_changes"]) == 10
    for change in impact["top_changes"]:
        assert change["fields"]
        assert change["points_before"] != change["points_after"]
    page = (folder / "report.md").read_text()
    assert "**Verdict: promote.** The alias was moved by ann" in page
    assert (folder / "points.png").read_bytes().startswith(b"\x89PNG")


def check_record(lab: Lab) -> None:
    client = mlflow.MlflowClient(f"sqlite:///{lab.settings.mlruns / 'mlflow.db'}")
    champion = client.get_model_version_by_alias(NAME, "champion")
    assert champion.tags["promoted_by"] == "ann"
    experiment = client.get_experiment_by_name(NAME)
    (run,) = client.search_runs(
        [experiment.experiment_id], "tags.promotion_action = 'promote'", max_results=1
    )
    assert run.data.metrics["log_loss_gain_low"] > 0
    names = {one.path for one in client.list_artifacts(run.info.run_id)}
    assert names == {"report.json", "report.md", "points.png"}


def test_a_rollback_puts_the_previous_one_back_and_a_second_undoes_it(lab: Lab) -> None:
    lab.stand(lab.weak, lab.good)
    assert lab.promote("--yes")[0] == 0

    code, output = lab.run("rollback", "--by", "bob", "--reason", "too many calls")

    assert code == 0
    assert f"(bundle {version(lab.weak)}) is champion now" in output
    assert lab.served == version(lab.weak)
    assert lab.aliases() == {"champion": version(lab.weak), "previous": version(lab.good)}
    last = lab.log_lines()[-1]
    assert (last["action"], last["by"], last["reason"]) == ("rollback", "bob", "too many calls")
    assert last["to"] == version(lab.weak)

    assert lab.run("rollback")[0] == 0
    assert lab.served == version(lab.good)


def test_a_worse_challenger_is_kept_out_unless_somebody_takes_the_blame(lab: Lab) -> None:
    lab.stand(lab.good, lab.weak)

    code, output = lab.promote("--yes")

    assert code == KEPT
    assert "Verdict: keep The challenger predicts worse than the champion" in output
    assert lab.served == version(lab.good)
    assert lab.aliases() == {"champion": version(lab.good), "challenger": version(lab.weak)}
    assert lab.log_lines()[-1]["action"] == "keep"

    code, output = lab.promote("--force", "the fields will be gone in June", "--yes")

    assert code == 0
    assert lab.served == version(lab.weak)
    last = lab.log_lines()[-1]
    assert (last["action"], last["verdict"]) == ("promote", "keep")
    assert last["reason"] == "the fields will be gone in June"


def test_whoever_states_no_changes_nothing(lab: Lab) -> None:
    lab.stand(lab.weak, lab.good)

    code, output = lab.promote("--challenger", version(lab.good), answer="n\n")

    assert code == DECLINED
    assert output.endswith("Nothing was changed.")
    assert lab.served == version(lab.weak)
    assert lab.aliases()["champion"] == version(lab.weak)


def test_a_registry_that_refuses_leaves_the_server_as_it_was(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.stand(lab.weak, lab.good)

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("the registry is away")

    monkeypatch.setattr(champions, "move_champion", refuse)
    pair = champions.find_pair(lab.settings, "", "")
    action = champions.PromotionAction("ann", from_us(0), "", moved=False)
    with pytest.raises(ConnectionError):
        champions.replace_champion(lab.settings, pair, action, "promote")

    assert lab.served == version(lab.weak)
    assert lab.settings.challenger.is_symlink()


def test_no_lead_after_both_cannot_tell(lab: Lab, history, trained_bundle, tmp_path) -> None:
    lab.stand(lab.weak, lab.good)
    end = history.about.observed_until.isoformat()
    fresh = fit_on_few_columns(history, trained_bundle, tmp_path / "fresh", seen_until=end)

    code, output = lab.promote("--challenger", str(fresh), "--yes")

    assert code == CANNOT_TELL
    assert "there is nothing that both models can be judged on" in output
    assert lab.served == version(lab.weak)


def test_another_outcome_is_refused_in_words(lab: Lab, history, trained_bundle, tmp_path) -> None:
    lab.stand(lab.weak, lab.good)
    won = Contract("won", 90.0, "won within 90 days")
    other = fit_on_few_columns(history, trained_bundle, tmp_path / "other", contract=won)

    code, output = lab.promote("--challenger", str(other), "--yes")

    assert code == REFUSED
    assert "predicts SQL within 30 days, the challenger won within 90 days" in output
    code, output = lab.promote("--challenger", str(lab.weak))
    assert code == REFUSED
    assert "is already the champion" in output


def test_what_is_missing_is_named_with_what_to_do(lab: Lab) -> None:
    lab.stand(lab.weak, lab.good)
    move_alias(lab.settings, NAME, "challenger", None)

    code, output = lab.promote()
    assert code == REFUSED
    assert "has no challenger of 'baton-sql'. Train one with `baton train" in output
    code, output = lab.promote("--challenger", "99")
    assert code == REFUSED
    assert "has no version '99'" in output
    code, output = lab.run("rollback")
    assert code == REFUSED
    assert "has not replaced any" in output


def test_versions_are_found_by_alias_number_and_bundle(lab: Lab) -> None:
    lab.stand(lab.weak, lab.good)
    own = version(lab.good)
    found = find_version(lab.settings, NAME, "challenger")

    assert found.bundle_version == own
    assert find_version(lab.settings, NAME, found.version) == found
    assert find_version(lab.settings, NAME, own) == found
    assert find_version(lab.settings, NAME, "nobody") is None
    assert find_version(lab.settings, "no such model", "champion") is None
    assert find_bundle(lab.settings, found) == lab.good


def test_a_bundle_that_is_gone_comes_back_from_the_registry(lab: Lab, tmp_path) -> None:
    found = find_version(lab.settings, NAME, version(lab.good))
    elsewhere = lab.settings.model_copy(update={"bundles": tmp_path})

    assert load_bundle(find_bundle(elsewhere, found)).version == version(lab.good)
    assert (tmp_path / lab.good.name).is_dir()


def test_a_plain_training_run_can_be_rolled_back_too(lab: Lab) -> None:
    lab.stand(lab.weak, lab.good)

    log_run(
        load_bundle(lab.good), settings=lab.settings, parameters={}, metrics={}, pictures=[],
        alias="champion",
    )  # fmt: skip

    assert lab.aliases()["champion"] == version(lab.good)
    assert lab.aliases()["previous"] == version(lab.weak)


def test_a_model_of_another_name_keeps_its_place_on_the_server(lab: Lab, tmp_path) -> None:
    from tests.unit.serving.factories import write_small_bundle

    lab.stand(lab.weak, lab.good)
    small = write_small_bundle(tmp_path / "small")
    install_champion(small, lab.settings.champion)

    code, output = lab.promote("--name", NAME, "--yes")

    assert code == 0
    assert "The server's link was left alone" in output
    assert lab.served == version(small)
    assert lab.aliases()["champion"] == version(lab.good)


def test_what_a_bundle_has_seen_is_read_from_provenance_else_from_its_card(
    lab: Lab, history, trained_bundle, tmp_path
) -> None:
    good = load_bundle(lab.good)
    silent = load_bundle(
        fit_on_few_columns(history, trained_bundle, tmp_path / "silent", seen_until="")
    )
    options, _ = read_options(lab.good)
    moments = build_moments(history, options.outcome, options.grid, seed=options.seed)
    split = moments.split()

    assert seen_until(good) == split.newest_from
    by_card = seen_until(silent)
    learned = split.fit | split.calibrate
    # Later than needed rather than earlier: no lead that was learned from is ever compared on.
    assert by_card >= split.newest_from
    assert moments.created_at[learned].max() < to_us(by_card)
    assert moments.created_at.max() > to_us(by_card)
    newest = from_us(int(moments.snapshots.as_of.max()))
    assert find_age_days(good, newest) == 0.0
    (silent.folder / "card.json").write_text("{}")
    seal_bundle(silent.folder)
    mute = load_bundle(silent.folder)
    assert find_age_days(mute, newest) is None
    with pytest.raises(BundleError, match="does not say until when it learned"):
        seen_until(mute)


def test_every_lead_compared_on_is_unknown_to_both(lab: Lab, history) -> None:
    from training.promotion.review import review

    found = review(history, load_bundle(lab.weak), load_bundle(lab.good))
    options, _ = read_options(lab.good)
    moments = build_moments(history, options.outcome, options.grid, seed=options.seed)
    newest = moments.split().newest

    assert found.later_since == seen_until(load_bundle(lab.good))
    assert found.comparison.rows == newest.sum()
    assert found.comparison.leads == len(np.unique(moments.lead_of[newest]))
    assert found.comparison.challenger.log_loss == pytest.approx(
        load_bundle(lab.good).card["quality"]["losses"]["log_loss"], abs=1e-9
    )
