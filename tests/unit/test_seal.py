"""A bundle is read only as it was sealed: nothing changed, nothing gone, nothing put beside it."""

import json
from pathlib import Path
from shutil import copytree

import pytest

from tests.unit.serving.factories import write_small_bundle
from training.bundle import AMOUNT, LINEAR, MANIFEST, SEAL, SEGMENTS, TREES, load_bundle
from training.errors import BundleError


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_bundle(tmp_path_factory.mktemp("bundle") / "small")


@pytest.fixture
def bundle(sealed: Path, tmp_path: Path) -> Path:
    return copytree(sealed, tmp_path / "bundle")


def test_every_file_is_held_against_the_seal(sealed: Path, tmp_path: Path) -> None:
    names = sorted(path.name for path in sealed.iterdir() if path.name != SEAL)
    assert {MANIFEST, LINEAR, "card.json", "reference_rows.npy"} <= set(names)
    for name in names:
        for number, damage in enumerate((lambda held: held[:-1], lambda held: held + b" ", None)):
            copy = copytree(sealed, tmp_path / f"{name}-{number}")
            if damage is None:
                (copy / name).unlink()
            else:
                (copy / name).write_bytes(damage((copy / name).read_bytes()))
            with pytest.raises(BundleError, match=name):
                load_bundle(copy)


def test_a_changed_weight_is_not_served(bundle: Path) -> None:
    model = json.loads((bundle / LINEAR).read_text())
    model["bias"] += 1.0
    (bundle / LINEAR).write_text(json.dumps(model))

    with pytest.raises(BundleError, match=f"{LINEAR} is missing or changed"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", [AMOUNT, SEGMENTS, TREES, "timing-curve.json"])
def test_a_file_that_would_decide_and_was_never_sealed_is_refused(bundle: Path, name: str) -> None:
    (bundle / name).write_text("[]")

    with pytest.raises(BundleError, match="never sealed"):
        load_bundle(bundle)


def test_a_seal_that_names_another_fingerprint_is_refused(bundle: Path) -> None:
    seal = json.loads((bundle / SEAL).read_text())
    seal["fingerprint"] = "0" * 64
    (bundle / SEAL).write_text(json.dumps(seal))

    with pytest.raises(BundleError, match="fingerprint"):
        load_bundle(bundle)


def test_notes_beside_a_bundle_harm_nobody_and_an_unfinished_one_is_not_read(bundle: Path) -> None:
    (bundle / "notes.txt").write_text("Trained for the spring campaign.")
    assert load_bundle(bundle).name == "small"

    (bundle / SEAL).unlink()
    with pytest.raises(BundleError, match="never finished"):
        load_bundle(bundle)


def test_a_seal_that_points_outside_the_bundle_is_refused(bundle: Path) -> None:
    seal = json.loads((bundle / SEAL).read_text())
    (bundle.parent / "outside").write_text("x")
    seal["files"]["../outside"] = seal["files"][MANIFEST]
    (bundle / SEAL).write_text(json.dumps(seal))

    with pytest.raises(BundleError, match="outside"):
        load_bundle(bundle)


def test_a_band_begins_at_its_lower_edge(bundle: Path) -> None:
    sealed = load_bundle(bundle)

    found = [sealed.band_of(points).name for points in (120.0, 65.0, 64.99, 55.0, 45.0, -80.0)]

    assert found == ["A", "A", "B", "B", "C", "D"]
