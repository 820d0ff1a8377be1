"""TOML of strangers: what is too large, too deep or too long is refused before it costs anything."""

import sys
import tomllib
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from features.toml import DRAFT, FILE, Bounds, TomlBoundsError, parse_toml
from serving.handoff.playbook.diff import list_changes
from serving.handoff.playbook.errors import PlaybookError
from serving.handoff.playbook.read import default_text, read_playbook


def count_lines(work: Callable[[], object]) -> int:
    """Count the lines of Python that some work runs through."""
    lines = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return lines


TOO_FAR = {
    "a key has more than 8 parts": "a" + ".a" * 8 + " = 1",
    "brackets are nested deeper than 20": "x = " + "[" * 21 + "]" * 21,
    "a word has more than 256 characters": "x = " + "1" * 5_000,
    "a table has 1,001 entries": "".join(f"k{i} = 1\n" for i in range(1_001)),
    "a list has 1,001 entries": "x = [" + "1," * 1_001 + "]",
    "it has 65,537 bytes": "#" * 65_537,
    "a text has the character NUL": 'x = ["a\\u0000b"]',
}


@pytest.mark.parametrize("problem", TOO_FAR)
def test_what_goes_too_far_is_refused_by_what_goes_too_far(problem: str) -> None:
    with pytest.raises(TomlBoundsError, match=problem):
        parse_toml(TOO_FAR[problem], DRAFT)


@pytest.mark.parametrize("problem", TOO_FAR)
def test_nothing_but_the_count_of_entries_needs_the_text_to_be_parsed(
    problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_text: str) -> None:
        raise AssertionError("was parsed")

    monkeypatch.setattr("tomllib.loads", refuse)
    is_late = "entries" in problem or "NUL" in problem
    expected = AssertionError if is_late else TomlBoundsError

    with pytest.raises(expected):
        parse_toml(TOO_FAR[problem], DRAFT)


JUST_FINE = (
    "a.b.c.d.e.f.g.h = 1.5\nat = 1979-05-27T00:32:00.999999-07:00",
    "x = " + "[" * 20 + "]" * 20,
    'said = "a.b.c.d.e.f.g.h.i.j [[[[[[[[[[[[[[[[[[[[[[["  # x.x.x.x.x.x.x.x.x.x.x',
    "said = '''it's [ [ [ [ [ [ [ [ [ [ [ [ [ [ [ [ [ [ [ [ [ [ [ [ '''",
    'said = """one "" two \\""" three""""\nx = 1',
    'x = ["\\"", \'"\', "#"]  # "',
    "[[a.b]]\nc = {d = [1, 2], e.f = 3}",
)


@pytest.mark.parametrize("text", JUST_FINE)
def test_what_people_write_is_read_as_the_standard_library_reads_it(text: str) -> None:
    assert parse_toml(text, DRAFT) == tomllib.loads(text)


def test_the_playbook_that_ships_is_far_from_the_bounds() -> None:
    half = Bounds(n_bytes=DRAFT.n_bytes // 2, entries=DRAFT.entries // 2, key_parts=4, depth=10)

    assert parse_toml(default_text(), half)


def test_what_is_left_open_is_scanned_once() -> None:
    # A quote that never ends, full of what looks like the beginning of another.
    for opening in ('"""', '"""\\', "'''", '"'):
        small, large = (opening + '\\"""' * n + "\\" for n in (1_000, 4_000))

        with pytest.raises(tomllib.TOMLDecodeError):
            parse_toml(large, FILE)

        n_small = count_lines(lambda text=small: _refuse(text))
        n_large = count_lines(lambda text=large: _refuse(text))
        assert n_large <= 5 * n_small


def _refuse(text: str) -> None:
    with pytest.raises(tomllib.TOMLDecodeError):
        parse_toml(text, FILE)


def fill(head: str, entry: Callable[[int], str], tail: str, n_bytes: int) -> str:
    """Repeat an entry until a text has so many bytes."""
    entries, size, number = [], len(head) + len(tail), 0
    while size + len(entry(number)) <= n_bytes:
        entries.append(entry(number))
        size += len(entries[-1])
        number += 1
    return head + "".join(entries) + tail


HOSTILE: dict[str, Callable[[int], str]] = {
    "unknown fields": lambda n: fill("[goals]\n", lambda i: f"q{i} = 1\n", "", n),
    "long fields": lambda n: f'[goals]\n"{"ha" * (n // 2)}" = 1',
    "empty rules": lambda n: fill("", lambda _: "[[routing.rules]]\n", "", n),
    "sellers": lambda n: fill(
        "[routing]\nsellers = [", lambda i: f'{{id="{i}",team="sales"}},', "]", n
    ),
    "conditions": lambda n: fill(
        '[stages.criteria.x]\nwords = "x"\nany = [',
        lambda i: f'{{attribute="a{i}",known=true}},',
        "]",
        n,
    ),
    "digests": lambda n: fill(
        "[notifications]\ndigests = [",
        lambda i: f'{{name="a{i}",to="seller",holds=["queue"]}},',
        "]",
        n,
    ),
    "unknown kinds": lambda n: fill(
        "[triggers]\nhand_raiser_kinds = [", lambda i: f'"k{i}",', "]", n
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_work_on_a_draft_grows_with_its_length_and_no_faster(name: str) -> None:
    base = read_playbook(default_text())

    def work(n_bytes: int) -> None:
        try:
            draft = read_playbook(HOSTILE[name](n_bytes))
        except PlaybookError:
            return
        list_changes(base, draft)
        list_changes(draft, base)

    work(2_000)  # what is built once is built
    per_byte = [count_lines(lambda n=n: work(n)) / n for n in (2_000, 8_000)]

    assert per_byte[1] <= 1.5 * per_byte[0]


def test_problems_of_a_draft_are_worded_up_to_a_hundred() -> None:
    text = fill("[goals]\n", lambda i: f"q{i} = 1\n", "", 8_000)

    with pytest.raises(PlaybookError) as refused:
        read_playbook(text)

    assert len(refused.value.errors) == 100


def test_a_number_no_machine_holds_is_a_problem_of_its_field() -> None:
    for number in ("9" * 256, "1e999", "nan", "-inf"):
        with pytest.raises(PlaybookError, match="sellers"):
            read_playbook(
                f'[routing]\nsellers=[{{id="a",team="sales",capacity_per_day={number}}}]'
            )
