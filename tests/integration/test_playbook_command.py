from pathlib import Path

import pytest
from typer.testing import CliRunner

from baton.command_line import app
from training.estimators.points import read_points


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def call(*words: str):
        return CliRunner().invoke(app, ["playbook", *words])

    return call


def test_what_init_writes_is_sound_and_is_what_ships(run, tmp_path):
    assert run("init").exit_code == 0

    checked = run("check", "playbook.toml")

    assert checked.exit_code == 0
    assert "is sound" in checked.output
    assert "0 things differ" in checked.output
    assert "name your own in [routing]" in checked.output


def test_init_destroys_nothing(run, tmp_path):
    (tmp_path / "playbook.toml").write_text("mine")

    refused = run("init")

    assert refused.exit_code == 1
    assert "exists already" in refused.stderr
    assert (tmp_path / "playbook.toml").read_text() == "mine"


def test_check_lists_every_mistake_and_states_so_by_its_exit_code(run, tmp_path):
    (tmp_path / "p.toml").write_text("[bands]\nA = 'x'\n[trigers]")

    refused = run("check", "p.toml")

    assert refused.exit_code == 1
    assert "[bands] A: must be a number." in refused.stderr
    assert "[trigers]: is not known here. Did you mean triggers" in refused.stderr


@pytest.mark.parametrize(
    ("content", "output"),
    [(None, "No such file"), (b"\xff\xfe", "not UTF-8"), (b"a = = 1", "not valid TOML")],
    ids=["no file", "no text", "no toml"],
)
def test_a_file_that_cannot_be_read_is_refused_in_words(run, tmp_path, content, output):
    if content is not None:
        (tmp_path / "p.toml").write_bytes(content)

    refused = run("check", "p.toml")

    assert refused.exit_code == 1
    assert output in refused.stderr


def test_diff_states_what_changes_and_that_nothing_does(run, tmp_path):
    (tmp_path / "old.toml").write_text("")
    (tmp_path / "new.toml").write_text("[bands]\nA = 70")

    assert run("diff", "old.toml", "new.toml").output == "[bands] A goes from 65 to 70.\n"
    assert run("diff", "old.toml", "old.toml").output == "Both say the same.\n"


def test_show_states_one_section_or_all_and_knows_no_other(run, tmp_path):
    (tmp_path / "p.toml").write_text("[bands]\nA = 70")

    assert (
        run("show", "p.toml", "--section", "bands").output
        == "[bands]\n  A: 70\n  B: 55\n  C: 45\n"
    )
    assert "[oversight]" in run("show").output
    refused = run("show", "--section", "bandz")
    assert refused.exit_code == 1
    assert "Choose one of: goals" in refused.stderr


def test_points_prints_the_table_that_cold_start_reads(run, tmp_path):
    (tmp_path / "p.toml").write_text(
        "[[points.rule]]\nfeature = 'pricing_view_count_30d'\neach = 4\nmost = 16"
    )

    [rule] = read_points(run("points", "p.toml").output).rules

    assert (rule.feature, rule.each, rule.most) == ("pricing_view_count_30d", 4, 16)
    (tmp_path / "none.toml").write_text("")
    assert "Baton's own table" in run("points", "none.toml").stderr
