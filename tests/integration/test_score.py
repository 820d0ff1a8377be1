"""``baton score``: everyone at one moment, the same scores wherever they are computed."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.clock import from_us, to_us
from features.compute.grids import AtMoment
from features.compute.offline import Snapshots, compute_matrix
from features.compute.part import Job
from features.kernel.layout import creation_times, lead_index
from features.sources.history.folder import open_history, read_history
from tests.command_line import baton
from training.bundle import load_bundle
from training.scoring import SCORE_SCHEMA, score_part, score_parts, write_scores


@pytest.fixture(scope="module")
def as_of(split_market) -> int:
    return to_us(open_history(split_market).about.observed_until - timedelta(days=40))


@pytest.fixture(scope="module")
def scored(split_market, trained_bundle, as_of, tmp_path_factory) -> pd.DataFrame:
    """What the command writes, as pandas reads it."""
    folder = tmp_path_factory.mktemp("scored")
    words = ("--bundle", str(trained_bundle), "--as-of", from_us(as_of).isoformat())
    done = baton(folder, "score", str(split_market), "--to", "scores.parquet", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    frame = pd.read_parquet(folder / "scores.parquet")
    for band in ("A", "B", "C", "D"):
        assert f"{(frame.band == band).sum():,}" in done.stdout
    assert [path.name for path in folder.iterdir()] == ["scores.parquet"]
    return frame


def test_the_scores_are_those_of_the_bundle_bit_for_bit(
    scored, split_market, trained_bundle, as_of
):
    history, bundle = read_history(split_market), load_bundle(trained_bundle)
    everyone = np.flatnonzero(creation_times(history.leads) < as_of)
    asked = Snapshots(everyone, np.full(len(everyone), as_of))
    rows = compute_matrix(bundle.catalog, history, asked)
    unknown = [why or "" for why in bundle.find_unknown(rows)]
    scores = bundle.score(rows)
    ids = np.array(list(lead_index(history.leads)))[everyone]
    assert scored.lead_id.tolist() == ids.tolist()
    assert scored.why.fillna("").tolist() == unknown
    known = scored.why.isna().to_numpy()
    assert known.any()
    assert np.array_equal(scored.probability[known], scores.probability[known])
    assert np.array_equal(scored.points[known], np.clip(scores.points[known], 0, 100))
    bands = [bundle.band_of(points).name for points in scored.points[known]]
    assert scored.band[known].tolist() == bands
    assert scored[~known][["probability", "points", "band"]].isna().all(axis=None)


def test_the_stage_is_where_the_lead_was(scored, split_market, as_of):
    stages = read_history(split_market).stages.to_pandas()
    known = stages[(stages.known_at < from_us(as_of)) & (stages["at"] < from_us(as_of))]
    moved = scored.lead_id.isin(known.lead_id)
    assert scored.stage[moved].notna().all()
    assert moved.any()
    assert (scored.as_of == from_us(as_of)).all()


def test_a_partition_without_leads_at_the_moment_gives_no_rows(split_market, trained_bundle):
    bundle = load_bundle(trained_bundle)
    job = Job(str(split_market), bundle.catalog, AtMoment(0))
    table = score_part(str(trained_bundle), job, 0)
    assert table.num_rows == 0
    assert table.schema == SCORE_SCHEMA


def test_the_file_states_which_model_and_appears_whole_or_not_at_all(
    split_market, trained_bundle, as_of, tmp_path
):
    bundle = load_bundle(trained_bundle)
    job = Job(str(split_market), bundle.catalog, AtMoment(as_of))
    to = tmp_path / "deep" / "scores.parquet"

    def failing():
        yield next(score_parts(job, str(trained_bundle)))
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="power"):
        write_scores(failing(), to, bundle)
    assert list(to.parent.iterdir()) == []
    counts = write_scores(score_parts(job, str(trained_bundle)), to, bundle)
    text = pq.read_schema(to).metadata
    assert text[b"baton.model"].decode() == f"{bundle.name} {bundle.version}"
    assert sum(counts.values()) == pq.read_metadata(to).num_rows


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (("--as-of", "2026-03-02"), "zone"),
        (("--as-of", "2199-01-01T00:00:00Z"), "history ends at"),
        (("--bundle", "nowhere"), "baton train"),
    ],
)
def test_refusals_state_what_to_do(split_market, trained_bundle, tmp_path, words, output):
    default = () if "--bundle" in words else ("--bundle", str(trained_bundle))
    done = baton(tmp_path, "score", str(split_market), "--to", "s.parquet", *default, *words)
    assert done.returncode in {1, 2}
    assert output in done.stdout + done.stderr
    assert not (tmp_path / "s.parquet").exists()
