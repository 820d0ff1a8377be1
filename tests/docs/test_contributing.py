"""What the guide for developers promises holds: targets, hooks, kinds of tests."""

import re

from pre_commit.clientlib import load_config

from tests.docs.documents import ROOT, find_arguments, find_make_targets

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def read_folders(variable: str) -> set[str]:
    """Read which folders of tests a variable of the Makefile names."""
    found = re.search(rf"^{variable} := (.+)$", MAKEFILE, flags=re.MULTILINE)
    assert found is not None
    return set(found[1].split())


def test_hooks_call_make_and_nothing_else():
    hooks = [
        hook
        for repository in load_config(ROOT / ".pre-commit-config.yaml")["repos"]
        for hook in repository["hooks"]
    ]

    assert {hook["entry"] for hook in hooks} == {"make check", "make test-fast"}
    assert all(hook["language"] in {"system", "unsupported"} for hook in hooks)


def test_every_folder_of_tests_belongs_to_exactly_one_kind():
    folders = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").iterdir()
        if any(path.rglob("test_*.py"))
    }
    unit, integration = read_folders("UNIT"), read_folders("INTEGRATION")

    assert not unit & integration
    assert unit | integration == folders


def test_the_guide_names_every_way_to_run_the_tests():
    named = {words[0] for words in find_arguments(GUIDE, "make") if words}
    ways = {name for name in find_make_targets() if name.startswith("test") or name == "coverage"}

    assert ways <= named


def test_ci_runs_what_the_guide_states():
    promised = re.search(r"CI is\s+`\.ci/run`: (.+?)\.\n", GUIDE, flags=re.DOTALL)
    assert promised is not None
    ran = re.findall(r"^make (\S+)$", (ROOT / ".ci/run").read_text(), flags=re.MULTILINE)

    assert re.findall(r"`make (\S+)`", promised[1]) == ran


def test_each_exclusion_from_coverage_has_its_reason_beside_it():
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    excluded = re.search(r"^exclude_also = \[\n(.*?)^\]", settings, flags=re.MULTILINE | re.DOTALL)

    assert excluded is not None
    assert all(re.search(r'",\s+# \w+', line) for line in excluded[1].splitlines())
    assert "pragma: no cover" not in "".join(
        path.read_text(encoding="utf-8")
        for floor in ("features", "training", "serving")
        for path in (ROOT / floor).rglob("*.py")
    )
