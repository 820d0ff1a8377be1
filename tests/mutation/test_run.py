"""The run itself: what is changed is what the tests read, and nothing else is changed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutation import warm
from tests.mutation.copies import Copy
from tests.mutation.mutants import ROOT, Mutant, find_compiled, read_mutants

RATES = "serving/auth/rate_limiter.py"
BURST = "tests/unit/serving/auth/test_rates.py::test_a_burst_is_allowed_and_then_the_rate_holds"
KERNEL = "features/kernel/windows.py"
PASSED_OUT = "(seen[i] >> TIME_SHIFT) < start:"


def make_mutant(find: str, become: str, file: str = RATES, test: str = BURST) -> Mutant:
    return Mutant("test", file, find, become, "Something.", (test,))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    made = Copy(tmp_path_factory.mktemp("copy"), None, seconds=60.0)
    yield made
    made.close()


@pytest.mark.slow
def test_what_is_changed_in_the_copy_is_what_its_tests_read(copy: Copy) -> None:
    spends = "bucket.tokens -= taken"
    original = (ROOT / RATES).read_bytes()
    times = (copy.tree / RATES).stat()

    killed = copy.try_mutant(make_mutant(spends, "bucket.tokens -= 2 * taken"))
    same = copy.try_mutant(make_mutant(spends, "bucket.tokens -= taken * 1"))
    raising = copy.try_mutant(make_mutant(spends, "import nothing_of_this_name"))
    unread = copy.try_mutant(
        make_mutant("from threading import Lock", "from threading import Lok")
    )

    assert (killed.word, killed.by) == ("failed", BURST)
    assert same.word == "passed"
    assert raising.word == "failed"
    # A module that cannot be imported proves nothing of its guard.
    assert unread.word == "broken"
    assert (ROOT / RATES).read_bytes() == (copy.tree / RATES).read_bytes() == original
    assert (copy.tree / RATES).stat().st_mtime_ns == times.st_mtime_ns


@pytest.mark.slow
def test_a_change_that_never_ends_is_stopped(copy: Copy) -> None:
    copy.seconds = 8.0
    endless = make_mutant("bucket.tokens -= taken", "while True: pass")

    assert copy.try_mutant(endless).word == "timeout"

    copy.seconds = 60.0
    assert copy.run([BURST], interpreted=False, seconds=60.0).word == "passed"


@pytest.mark.slow
def test_machine_code_that_numba_kept_hides_no_change(copy: Copy) -> None:
    statement = "A window is closed at its start and open at the moment of looking"
    test = f"tests/spec/test_specs.py::test_what_the_manual_states_holds[compiled-The time rule: {statement}]"
    assert list((copy.tree / "features/kernel/__pycache__").glob("rows.fill_rows-*.nbc"))
    # The pass lies in another file than the window it calls into, and would be kept.
    mutant = make_mutant(PASSED_OUT, PASSED_OUT.replace("<", "<="), KERNEL, test)

    assert copy.is_compiled(mutant)
    assert copy.try_mutant(mutant).word == "failed"


def test_whatever_machine_code_is_made_of_is_known() -> None:
    compiled = find_compiled()

    assert {KERNEL, "features/kernel/rows.py", "features/kernel/record.py"} <= compiled
    assert not {RATES, "serving/app.py"} & compiled


def test_a_module_read_from_elsewhere_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "COPY", ROOT)
    assert warm.list_strays() == []

    monkeypatch.setattr(warm, "COPY", tmp_path)

    assert any(stray.startswith("tests.mutation.warm ") for stray in warm.list_strays())


def test_a_text_that_is_there_twice_or_not_at_all_is_refused() -> None:
    for find in ("self", "nowhere to be found"):
        with pytest.raises(ValueError, match="not once"):
            make_mutant(find, "x").change((ROOT / RATES).read_text())
    assert len(read_mutants()) == len({m.breaks for m in read_mutants()})
