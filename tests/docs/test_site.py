"""The pages that are made from the code name all there is, and the check of a built site finds each fault."""

import re
from pathlib import Path

import pytest

import baton
from docs.sphinx.architecture import Floor, Room
from docs.sphinx.check_site import find_faults
from docs.sphinx.decisions import DecisionFormError, read_decision
from docs.sphinx.http_api import describe_kind
from docs.sphinx.outside import turn_link
from docs.sphinx.pages import write_pages
from serving.app import build_app
from tests.docs.documents import PAGES, ROOT
from tests.unit.serving.factories import make_settings


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> Path:
    """A folder with all generated pages, and one of an earlier build."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "gone.md").write_text("of a page that is no more")
    write_pages(ROOT, folder)
    return folder


def read(generated: Path, name: str) -> str:
    return (generated / name).read_text(encoding="utf-8")


def test_the_architecture_page_shows_every_folder_of_every_floor(generated):
    page = read(generated, "architecture.md")
    for floor in ("features", "training", "serving"):
        chapter = page.split(f"## `{floor}/`")[1].split("\n## ")[0]
        rooms = {path.parent.name for path in (ROOT / floor).glob("*/__init__.py")}
        assert rooms
        assert {room for room in rooms if f"\n| `{room}` | " not in chapter} == set()
        assert all(f">{room}<" in read(generated, f"{floor}.svg") for room in rooms)


def test_the_rooms_of_the_handoff_have_a_plan_of_their_own(generated):
    chapter = read(generated, "architecture.md").split("### `serving/handoff/`")[1]

    assert "| `routing` | " in chapter
    assert (generated / "serving.handoff.svg").exists()


def test_the_http_page_has_every_address(generated, tmp_path):
    page = read(generated, "http.md")
    for path, methods in build_app(make_settings(tmp_path)).openapi()["paths"].items():
        for method in methods:
            assert f"### {method.upper()} `{path}`\n" in page


def test_the_command_page_has_the_help_of_a_command_in_a_group(generated):
    page = read(generated, "commands.md")

    chapter = page.split("### `baton store backup`\n")[1].split("\n###")[0]
    assert "Usage: baton store backup" in chapter


def test_the_index_has_every_decision(generated):
    page = read(generated, "decisions.md")
    records = [path.name for path in (ROOT / "docs/decisions").glob("[0-9]*.md")]

    assert records
    assert all(f"(../decisions/{name}) | " in page for name in records)


def test_pages_of_an_earlier_build_go(generated):
    assert not (generated / "gone.md").exists()


def test_what_did_not_change_is_not_written_again(generated):
    page = generated / "decisions.md"
    before = page.stat().st_mtime_ns

    write_pages(ROOT, generated)

    assert page.stat().st_mtime_ns == before


def test_every_page_has_a_place_in_the_site():
    placed = set()
    for index in (ROOT / "docs").rglob("index.md"):
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", index.read_text(), flags=re.DOTALL):
            for entry in tree.split():
                placed |= set(index.parent.glob(f"{entry}.md"))

    pages = {page for page in PAGES if (ROOT / "docs") in page.parents}
    assert pages - {page.resolve() for page in placed} == {ROOT / "docs" / "index.md"}


def test_the_python_page_describes_all_that_import_baton_offers():
    page = (ROOT / "docs/reference/python.md").read_text()

    assert set(re.findall(r"^\.\. auto(?:function|class):: (\w+)$", page, flags=re.MULTILINE)) == {
        *baton.__all__
    }


@pytest.mark.parametrize(
    ("target", "turned"),
    [
        ("CHANGELOG.md", "changelog.md"),
        ("docs/explanation/timing.md", "../explanation/timing.md"),
        ("docs/how-to", "../how-to/index.md"),
        ("notebooks", "notebooks.md"),
        ("compose.yaml", "../../compose.yaml"),
    ],
)
def test_links_of_pages_beside_docs_are_turned(target, turned):
    assert turn_link(ROOT, target) == turned


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("# 8. Accounts\n\nStatus: accepted  \nDate: 2026-11-22\n", "title"),
        ("# 7. Accounts\n\nDate: 2026-11-22\n", "status"),
        ("# 7. Accounts\n\nStatus: perhaps  \nDate: 2026-11-22\n", "status"),
        ("# 7. Accounts\n\nStatus: accepted  \nDate: last week\n", "date"),
    ],
)
def test_a_record_without_its_head_is_refused(text, missing, tmp_path):
    record = tmp_path / "0007-accounts.md"
    record.write_text(text)

    with pytest.raises(DecisionFormError, match=missing):
        read_decision(record)


def make_floor(**uses: str) -> Floor:
    """Make a floor of rooms and what each uses, by its letters."""
    return Floor(
        "floor",
        "A floor.",
        tuple(Room(name, "A room.", 1, 1, tuple(used), ()) for name, used in uses.items()),
    )


def test_a_room_lies_above_all_it_uses_and_arrows_that_follow_are_left_out():
    floor = make_floor(a="bc", b="c", c="", d="c")

    assert [[room.name for room in layer] for layer in floor.layers] == [["a"], ["b", "d"], ["c"]]
    assert floor.find_arrows() == [("a", "b"), ("b", "c"), ("d", "c")]


def test_a_schema_is_reported_with_its_limits():
    described = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 200}, {"type": "null"}]}

    assert describe_kind(described) == "integer, at least 1, at most 200 or null"
    assert describe_kind({"type": "array", "items": {"$ref": "#/components/schemas/Band"}}) == (
        "list of [Band](#shape-band)"
    )


SOUND = '<html><link href="theme.css"><a href="#here">x</a><p id="here"><a href="https://a.example">y</a>'


def find_faults_in(site: Path, body: str, style: str = "") -> list[str]:
    (site / "index.html").write_text(SOUND + body)
    (site / "theme.css").write_text(style)
    (site / "searchindex.js").write_text("")
    return list(find_faults(site))


def test_a_sound_site_has_no_faults(tmp_path):
    assert find_faults_in(tmp_path, "") == []


@pytest.mark.parametrize(
    ("body", "style"),
    [
        ('<script src="https://a.example/x.js"></script>', ""),
        ('<img src="//a.example/x.png">', ""),
        ('<a href="gone.html">x</a>', ""),
        ('<a href="#gone">x</a>', ""),
        ('<img src="gone.png">', ""),
        ("", "@import 'https://a.example/font.css'"),
        ("", "p { background: url(https://a.example/x.png) }"),
    ],
)
def test_each_fault_of_a_site_is_found(body, style, tmp_path):
    assert len(find_faults_in(tmp_path, body, style)) == 1


def test_a_site_without_search_or_pages_is_no_site(tmp_path):
    assert len(list(find_faults(tmp_path))) == 2
