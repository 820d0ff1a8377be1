"""The page on Python, followed to the letter, and what its words promise."""

import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import baton
from tests.command_line import baton as run_baton
from training.bundle import install_champion
from training.errors import FrameColumnsError, FrameTypeError

PAGE = Path(__file__).parents[2] / "docs/how-to/work-in-python.md"
SHELL, PYTHON = (
    re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    for kind in ("sh", "python")
)


@pytest.fixture(scope="module")
def company(trained_run, market_folder, tmp_path_factory) -> Path:
    """A folder with a history, a champion, and the features that the page computes."""
    folder = tmp_path_factory.mktemp("company")
    install_champion(trained_run.bundle.folder, folder / "var/champion")
    (folder / "var/simulated").symlink_to(market_folder, target_is_directory=True)
    program, *words = SHELL[0].split()
    assert program == "baton"
    done = run_baton(folder, *words, "--for", "8")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def followed(company) -> dict:
    """What the page's names stand for once its blocks up to the frame have run."""
    names: dict = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(company)
        for block in PYTHON[:2]:
            exec(block, names)  # noqa: S102 our own page
    return names


def test_every_lead_is_scored_from_its_records_as_the_command_scores_it(followed, company):
    done = run_baton(company, "score", "var/simulated", "--to", "scores.parquet")
    assert done.returncode == 0, done.stderr
    written = pd.read_parquet(company / "scores.parquet")
    scores = followed["scores"].to_pandas()
    assert len(scores) == len(written) > 1_000
    pd.testing.assert_frame_equal(
        scores.sort_values("lead_id"),
        written.sort_values("lead_id"),
        check_like=True,
        check_index_type=False,
    )


def test_a_moment_must_have_its_zone_and_be_observed(followed):
    history, bundle = followed["history"], followed["bundle"]
    earlier = bundle.score_history(history, history.about.observed_until - pd.Timedelta("90D"))
    assert 0 < len(earlier) < len(followed["scores"])
    for moment in (datetime(2025, 1, 1), history.about.observed_until + pd.Timedelta("1D")):  # noqa: DTZ001
        with pytest.raises(ValueError, match="no time zone, or lies after"):
            bundle.score_history(history, moment)


def test_a_frame_of_features_gets_the_numbers_of_the_bundle(followed, trained_run):
    frame, answer = followed["frame"], followed["answer"]
    bundle = trained_run.bundle
    columns = [
        frame[f.name].cat.codes.where(frame[f.name].notna(), np.nan)
        if f.categories
        else frame[f.name]
        for f in bundle.catalog.features
    ]
    rows = np.stack([column.to_numpy(np.float32) for column in columns], axis=1)
    known = np.array([why is None for why in bundle.find_unknown(rows)])
    meant = np.where(known, bundle.score(rows).probability, np.nan)
    np.testing.assert_allclose(answer["probability"], meant, rtol=0, atol=1e-12)
    assert answer.index.equals(frame.index)
    assert list(answer.columns) == ["probability", "points", "band", "not_enough_known"]


class OtherFrame:
    """A frame of a library that offers its columns as Arrow, as Polars does."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.columns = table.column_names

    def __getitem__(self, names: list[str]) -> "OtherFrame":
        return OtherFrame(self.table.select(names))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


def test_arrow_and_other_frames_get_the_same_numbers_in_arrow(followed):
    frame, answer, bundle = followed["frame"][:500], followed["answer"][:500], followed["bundle"]
    table = pa.Table.from_pandas(frame)
    for given in (table, table.combine_chunks().to_batches()[0], OtherFrame(table)):
        scored = bundle.score(given)
        assert isinstance(scored, pa.Table)
        np.testing.assert_array_equal(scored["probability"].to_numpy(), answer["probability"])
        assert scored["band"].to_pylist() == list(answer["band"])
        assert scored["not_enough_known"].to_pylist() == list(answer["not_enough_known"])


def test_the_order_of_columns_and_further_ones_do_not_matter(followed):
    frame, answer, bundle = followed["frame"][:500], followed["answer"][:500], followed["bundle"]
    other = frame.iloc[::-1, ::-1].assign(mixed=[object()] * 500)
    again = bundle.score(other)
    assert again.index.equals(other.index)
    pd.testing.assert_frame_equal(again.iloc[::-1], answer)


def test_what_does_not_fit_is_refused_by_name(followed):
    frame, bundle = followed["frame"][:5], followed["bundle"]
    with pytest.raises(FrameColumnsError, match="no column employees, industry"):
        bundle.score(frame.drop(columns=["industry", "employees"]))
    with pytest.raises(FrameTypeError, match=r"employees holds .*(string|str)"):
        bundle.score(frame.assign(employees="many"))
    with pytest.raises(FrameTypeError, match="industry holds double"):
        bundle.score(frame.assign(industry=3.0))


@pytest.mark.slow
def test_training_leaves_a_bundle_that_scores(followed, company, capsys, monkeypatch):
    monkeypatch.chdir(company)
    names = dict(followed)
    exec(PYTHON[2], names)  # noqa: S102 our own page
    assert "P(SQL within 30 days)" in capsys.readouterr().out
    trained = names["trained"]
    assert trained.folder.parent == company / "var/mine"
    assert not (company / "mlruns").exists()
    again = baton.load_bundle(trained.folder)
    assert (again.version, again.features) == (trained.version, trained.features)
    assert len(trained.score_history(names["history"])) == len(names["scores"])


@pytest.mark.parametrize(
    "words", [{"outcome": "sqll"}, {"horizon": "soon"}, {"seen_at": "monthly"}], ids=str
)
def test_words_that_cannot_be_read_are_wrong_values(followed, words):
    with pytest.raises(ValueError, match=next(iter(words.values()))):
        baton.train(followed["history"], **words)


def test_nothing_else_is_offered():
    assert set(baton.__all__) <= set(dir(baton))
    with pytest.raises(AttributeError, match="nonsense"):
        baton.nonsense  # noqa: B018
