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
from training.dataset.moments import look
from training.errors import BundleError
from training.evaluation.calibration import fit_affine
from training.models.fit_data import FitData, margins
from training.models.recipes import LINEAR, RECIPES
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
    history, trained: Path, to: Path, *, contract: Contract | None = None, **told: str
) -> Path:
    """Fit the linear recipe on the lead's journey alone: an honest model that knows less."""
    whole = load_bundle(trained)
    options, _ = read_options(trained)
    few = tuple(
        f for f in whole.catalog.features if f.family == "journey" or f.name == "kinds_life"
    )
    catalog = replace(whole.catalog, features=few)
    moments = look(history, options.outcome, options.grid, seed=options.seed)
    split = moments.split()
    rows = compute_matrix(catalog, history, moments.snapshots)
    own = split.fit
    model, _ = RECIPES[LINEAR](
        FitData(
            catalog, rows[own], moments.converted[own], moments.created_at[own],
            moments.lead_of[own], 7,
        ),
        lambda _: None,
    )  # fmt: skip
    every = margins(model, rows)
    fit = fit_affine(every[split.calibrate], moments.converted[split.calibrate])
    scale = Scale(fit.slope, fit.intercept, model.bias)
    scores = scale.scores(model.contributions(rows[split.calibrate][:50]))
    manifest = json.loads((trained / "manifest.json").read_text())
    provenance = {**manifest["provenance"], **told}
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
class House:
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

    def told(self) -> list[dict[str, str]]:
        lines = (self.settings.promotions / "log.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def house(history, market_folder, trained_bundle, tmp_path_factory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
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
        yield House(folder, market_folder, settings, good, weak)


def version(bundle: Path) -> str:
    return load_bundle(bundle).version


def test_a_better_challenger_is_promoted_and_everything_is_recorded(house: House) -> None:
    house.stand(house.weak, house.good)

    code, said = house.promote("--dry-run", "--by", "ann")

    assert code == 0
    assert "Verdict: promote The challenger foretells better than the champion" in said
    assert "Nothing was changed: --dry-run." in said
    assert house.served == version(house.weak)
    assert house.aliases() == {"champion": version(house.weak), "challenger": version(house.good)}

    code, said = house.promote("--by", "ann", answer="y\n")

    assert code == 0
    assert f"(bundle {version(house.good)}) is champion now" in said
    assert house.served == version(house.good)
    assert house.aliases() == {"champion": version(house.good), "previous": version(house.weak)}
    assert not house.settings.challenger.is_symlink()
    last = house.told()[-1]
    assert (last["deed"], last["by"], last["verdict"]) == ("promote", "ann", "promote")
    check_report(house, moved=True)
    check_record(house)


def check_report(house: House, *, moved: bool) -> None:
    folder = house.settings.promotions / f"{version(house.weak)}-{version(house.good)}"
    report = json.loads((folder / "report.json").read_text())
    assert report["deed"]["moved"] is moved
    assert report["comparison"]["log_loss"]["interval"]["low"] > 0
    impact = report["impact"]
    assert sum(map(sum, impact["crossings"])) == impact["leads"] > 500
    crossed = impact["up"] + impact["down"]
    assert crossed == sum(row["up"] + row["down"] for row in impact["by_owner"]) > 0
    assert len(impact["movers"]) == 10
    for mover in impact["movers"]:
        assert mover["fields"]
        assert mover["points_before"] != mover["points_after"]
    page = (folder / "report.md").read_text()
    assert "**Verdict: promote.** The alias was moved by ann" in page
    assert (folder / "points.png").read_bytes().startswith(b"\x89PNG")


def check_record(house: House) -> None:
    client = mlflow.MlflowClient(f"sqlite:///{house.settings.mlruns / 'mlflow.db'}")
    champion = client.get_model_version_by_alias(NAME, "champion")
    assert champion.tags["promoted_by"] == "ann"
    experiment = client.get_experiment_by_name(NAME)
    (run,) = client.search_runs(
        [experiment.experiment_id], "tags.promotion_deed = 'promote'", max_results=1
    )
    assert run.data.metrics["log_loss_gain_low"] > 0
    names = {one.path for one in client.list_artifacts(run.info.run_id)}
    assert names == {"report.json", "report.md", "points.png"}


def test_a_rollback_puts_the_previous_one_back_and_a_second_undoes_it(house: House) -> None:
    house.stand(house.weak, house.good)
    assert house.promote("--yes")[0] == 0

    code, said = house.run("rollback", "--by", "bob", "--reason", "too many calls")

    assert code == 0
    assert f"(bundle {version(house.weak)}) is champion now" in said
    assert house.served == version(house.weak)
    assert house.aliases() == {"champion": version(house.weak), "previous": version(house.good)}
    last = house.told()[-1]
    assert (last["deed"], last["by"], last["reason"]) == ("rollback", "bob", "too many calls")
    assert last["to"] == version(house.weak)

    assert house.run("rollback")[0] == 0
    assert house.served == version(house.good)


def test_a_worse_challenger_is_kept_out_unless_somebody_takes_the_blame(house: House) -> None:
    house.stand(house.good, house.weak)

    code, said = house.promote("--yes")

    assert code == KEPT
    assert "Verdict: keep The challenger foretells worse than the champion" in said
    assert house.served == version(house.good)
    assert house.aliases() == {"champion": version(house.good), "challenger": version(house.weak)}
    assert house.told()[-1]["deed"] == "keep"

    code, said = house.promote("--force", "the fields will be gone in June", "--yes")

    assert code == 0
    assert house.served == version(house.weak)
    last = house.told()[-1]
    assert (last["deed"], last["verdict"]) == ("promote", "keep")
    assert last["reason"] == "the fields will be gone in June"


def test_whoever_says_no_changes_nothing(house: House) -> None:
    house.stand(house.weak, house.good)

    code, said = house.promote("--challenger", version(house.good), answer="n\n")

    assert code == DECLINED
    assert said.endswith("Nothing was changed.")
    assert house.served == version(house.weak)
    assert house.aliases()["champion"] == version(house.weak)


def test_a_registry_that_refuses_leaves_the_server_as_it_was(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.stand(house.weak, house.good)

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("the registry is away")

    monkeypatch.setattr(champions, "move_champion", refuse)
    pair = champions.find_pair(house.settings, "", "")
    deed = champions.Deed("ann", from_us(0), "", moved=False)
    with pytest.raises(ConnectionError):
        champions.replace_champion(house.settings, pair, deed, "promote")

    assert house.served == version(house.weak)
    assert house.settings.challenger.is_symlink()


def test_no_lead_after_both_cannot_tell(house: House, history, trained_bundle, tmp_path) -> None:
    house.stand(house.weak, house.good)
    end = history.about.observed_until.isoformat()
    fresh = fit_on_few_columns(history, trained_bundle, tmp_path / "fresh", seen_until=end)

    code, said = house.promote("--challenger", str(fresh), "--yes")

    assert code == CANNOT_TELL
    assert "there is nothing that both models can be judged on" in said
    assert house.served == version(house.weak)


def test_another_outcome_is_refused_in_words(
    house: House, history, trained_bundle, tmp_path
) -> None:
    house.stand(house.weak, house.good)
    won = Contract("won", 90.0, "won within 90 days")
    other = fit_on_few_columns(history, trained_bundle, tmp_path / "other", contract=won)

    code, said = house.promote("--challenger", str(other), "--yes")

    assert code == REFUSED
    assert "foretells SQL within 30 days, the challenger won within 90 days" in said
    code, said = house.promote("--challenger", str(house.weak))
    assert code == REFUSED
    assert "is the champion already" in said


def test_what_is_missing_is_named_with_what_to_do(house: House) -> None:
    house.stand(house.weak, house.good)
    move_alias(house.settings, NAME, "challenger", None)

    code, said = house.promote()
    assert code == REFUSED
    assert "has no challenger of 'baton-sql'. Train one with `baton train" in said
    code, said = house.promote("--challenger", "99")
    assert code == REFUSED
    assert "has no version '99'" in said
    code, said = house.run("rollback")
    assert code == REFUSED
    assert "has not replaced any" in said


def test_versions_are_found_by_alias_number_and_bundle(house: House) -> None:
    house.stand(house.weak, house.good)
    own = version(house.good)
    found = find_version(house.settings, NAME, "challenger")

    assert found.bundle_version == own
    assert find_version(house.settings, NAME, found.version) == found
    assert find_version(house.settings, NAME, own) == found
    assert find_version(house.settings, NAME, "nobody") is None
    assert find_version(house.settings, "no such model", "champion") is None
    assert find_bundle(house.settings, found) == house.good


def test_a_bundle_that_is_gone_comes_back_from_the_registry(house: House, tmp_path) -> None:
    found = find_version(house.settings, NAME, version(house.good))
    elsewhere = house.settings.model_copy(update={"bundles": tmp_path})

    assert load_bundle(find_bundle(elsewhere, found)).version == version(house.good)
    assert (tmp_path / house.good.name).is_dir()


def test_a_plain_training_run_can_be_rolled_back_too(house: House) -> None:
    house.stand(house.weak, house.good)

    log_run(
        load_bundle(house.good), settings=house.settings, parameters={}, metrics={}, pictures=[],
        alias="champion",
    )  # fmt: skip

    assert house.aliases()["champion"] == version(house.good)
    assert house.aliases()["previous"] == version(house.weak)


def test_a_model_of_another_name_keeps_its_place_on_the_server(house: House, tmp_path) -> None:
    from tests.unit.serving.factories import write_small_bundle

    house.stand(house.weak, house.good)
    small = write_small_bundle(tmp_path / "small")
    install_champion(small, house.settings.champion)

    code, said = house.promote("--name", NAME, "--yes")

    assert code == 0
    assert "The server's link was left alone" in said
    assert house.served == version(small)
    assert house.aliases()["champion"] == version(house.good)


def test_what_a_bundle_has_seen_is_read_from_provenance_else_from_its_card(
    house: House, history, trained_bundle, tmp_path
) -> None:
    good = load_bundle(house.good)
    silent = load_bundle(
        fit_on_few_columns(history, trained_bundle, tmp_path / "silent", seen_until="")
    )
    options, _ = read_options(house.good)
    moments = look(history, options.outcome, options.grid, seed=options.seed)
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


def test_every_lead_compared_on_is_unknown_to_both(house: House, history) -> None:
    from training.promotion.review import review

    found = review(history, load_bundle(house.weak), load_bundle(house.good))
    options, _ = read_options(house.good)
    moments = look(history, options.outcome, options.grid, seed=options.seed)
    newest = moments.split().newest

    assert found.later_since == seen_until(load_bundle(house.good))
    assert found.comparison.rows == newest.sum()
    assert found.comparison.leads == len(np.unique(moments.lead_of[newest]))
    assert found.comparison.challenger.log_loss == pytest.approx(
        load_bundle(house.good).card["quality"]["losses"]["log_loss"], abs=1e-9
    )
