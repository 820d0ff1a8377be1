"""Reading a playbook: TOML in; every error names its section, its field and what to do. Pure."""

import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib.resources import files
from itertools import islice
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from features.toml import DRAFT, parse_toml
from serving.handoff.playbook.errors import InvalidPlaybookError, PlaybookSyntaxError
from serving.handoff.playbook.playbook import Playbook, find_problems
from serving.handoff.playbook.problem import PlaybookProblem

Location = tuple[str | int, ...]
"""The way to a value, as pydantic tells it: names of fields, keys and positions."""

MOST_PROBLEMS = 100
"""Problems that are worded; who made more has something else wrong."""

MOST_CHARACTERS = 100
"""Characters of a value or key that are said again."""


def default_text() -> str:
    """Read the playbook that ships with Baton, with all its comments."""
    place = files("serving.handoff.playbook").joinpath("default.toml")
    return place.read_text(encoding="utf-8")


def read_playbook(text: str, file: str = "playbook.toml") -> Playbook:
    """Read a playbook; sections and fields that are left out are as they ship with Baton.

    Parameters
    ----------
    text
        TOML.
    file
        The name that errors give it.

    Raises
    ------
    PlaybookSyntaxError
        If it is no TOML.
    InvalidPlaybookError
        With every problem found, those across sections included as far as the sections can be read.
    """
    try:
        parsed = parse_toml(text, DRAFT)
    except tomllib.TOMLDecodeError as problem:
        message = str(problem)
        raise PlaybookSyntaxError(file, message[:1].lower() + message[1:]) from problem
    try:
        playbook = Playbook.model_validate(parsed)
    except ValidationError as problem:
        raise InvalidPlaybookError(file, _list_all_problems(parsed, problem)) from problem
    if across := tuple(islice(find_problems(playbook), MOST_PROBLEMS)):
        raise InvalidPlaybookError(file, across)
    return playbook


def _list_all_problems(
    parsed: Mapping[str, Any], problem: ValidationError
) -> list[PlaybookProblem]:
    """List what is wrong in sections, then across those that can be read."""
    found = _list_problems(problem)
    unread = {str(error["loc"][0]) for error in problem.errors(include_url=False) if error["loc"]}
    sound = {name: section for name, section in parsed.items() if name not in unread}
    across = find_problems(Playbook.model_validate(sound), unread)
    return [*found, *islice(across, max(MOST_PROBLEMS - len(found), 0))]


def _list_problems(problem: ValidationError) -> list[PlaybookProblem]:
    """Word every error once: a value that may be of several types has one for each of them."""
    errors = problem.errors(include_url=False)
    places = [_clean_place(error["loc"]) for error in errors]
    # A list whose entries are all refused is not empty, whatever pydantic says of it.
    above = {place[:length] for place in places for length in range(len(place))}
    found: dict[Location, PlaybookProblem] = {}
    for error, place in zip(errors, places, strict=True):
        if len(found) >= MOST_PROBLEMS:
            break
        if place not in found and (error["type"] != "too_short" or place not in above):
            found[place] = PlaybookProblem(*_split_place(place), *_word(error, place))
    return list(found.values())


def _clean_place(place: Location) -> Location:
    """Leave out the names of types, which pydantic puts where a value may have several."""
    kept: list[str | int] = []
    inside: Any = Playbook
    for part in place:
        is_table = _is_model(inside) or get_origin(inside) is dict
        if part == "[key]" or (isinstance(part, str) and not is_table):
            break
        kept.append(part)
        inside = _step_down(inside, part)
    return tuple(kept)


def _split_place(place: Location) -> tuple[str, str]:
    section = str(place[0]) if place else ""
    field = ""
    for part in place[1:]:
        step = f"[{part}]" if isinstance(part, int) else _shorten(part)
        field += f"{'.' if field and isinstance(part, str) else ''}{step}"
    return _shorten(section), field


def _shorten(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}..."


def _word(error: Mapping[str, Any], place: Location) -> tuple[str, str]:
    """Say the problem and the fix of one error of pydantic."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return "is not known here", _describe_near(str(place[-1]), _list_fields(place[:-1]))
    if kind == "missing":
        return "is missing", f"Add it: {_describe_meaning(place)}"
    if kind == "value_error":
        return _split_words(str(context["error"]))
    if kind in {"enum", "literal_error"}:
        problem = f"cannot be {_shorten(repr(error['input']))}"
        return problem, f"Use one of: {context['expected'].replace(' or ', ', ')}."
    if kind == "string_pattern_mismatch":
        return (
            f"{_shorten(repr(error['input']))} cannot be a name",
            "Use small letters, digits and underscores, beginning with a letter.",
        )
    return _word_shape(kind, error["msg"], place)


_SHAPES = {
    "model_type": (
        "must be a table",
        "Write it as [section] with lines of key = value, or {...}.",
    ),
    "model_attributes_type": (
        "must be a table",
        "Write it as [section] with lines of key = value, or {...}.",
    ),
    "dict_type": ("must be a table", "Write it as [section] with lines of key = value, or {...}."),
    "tuple_type": ("must be a list", "Write it in brackets: [...], or as [[section]] for tables."),
    "string_type": ("must be a text", 'Write it in quotes: "...".'),
    "bool_type": ("must be true or false", "Write true or false, without quotes."),
    "bool_parsing": ("must be true or false", "Write true or false, without quotes."),
    "int_type": ("must be a whole number", "Write it without quotes: 5."),
    "int_parsing": ("must be a whole number", "Write it without quotes: 5."),
    "int_from_float": ("must be a whole number", "Write it without a fraction: 5."),
    "float_type": ("must be a number", "Write it without quotes: 0.5."),
    "float_parsing": ("must be a number", "Write it without quotes: 0.5."),
    "date_type": ("must be a date", "Write it as 2026-12-24, without quotes."),
    "date_from_datetime_parsing": ("must be a date", "Write it as 2026-12-24, without quotes."),
    "date_parsing": ("must be a date", "Write it as 2026-12-24, without quotes."),
    "too_short": ("must not be empty", "Put at least one entry into it."),
    "string_too_short": ("must not be empty", "Write something between the quotes."),
    "finite_number": ("must be a finite number", "Write an ordinary number, such as 0.5."),
}


def _word_shape(kind: str, text: str, place: Location) -> tuple[str, str]:
    if kind in _SHAPES:
        return _SHAPES[kind]
    text = text.removeprefix("Input ").replace("should be", "must be").replace("should", "must")
    return text[:1].lower() + text[1:], f"It means: {_describe_meaning(place)}"


def _split_words(text: str) -> tuple[str, str]:
    """Split what a section's own check says into the problem and the fix."""
    problem, _, fix = text.partition("; ")
    fix = fix or "Correct it."
    return problem.rstrip("."), fix[:1].upper() + fix[1:]


def _describe_near(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name[:MOST_CHARACTERS], known, n=2, cutoff=0.6)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"Take it out, or use one of: {', '.join(known)}."


def _describe_meaning(place: Location) -> str:
    model = _find_model(place[:-1])
    for name, field in model.model_fields.items() if model else ():
        if place[-1] in {name, field.alias} and field.description:
            return field.description.split("\n")[0].rstrip(".") + "."
    return f"see {place[0]} in the playbook that `baton playbook init` writes."


def _list_fields(place: Location) -> list[str]:
    model = _find_model(place)
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _find_model(place: Location) -> type[BaseModel] | None:
    """Find the model of the table at a place, by walking down the sections' annotations."""
    inside: Any = Playbook
    for part in place:
        inside = _step_down(inside, part)
    return inside if _is_model(inside) else None


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _step_down(annotation: Any, part: str | int) -> Any:
    """Give the annotation of a field, of a list's elements, or of a table's entries."""
    if _is_model(annotation):
        for name, field in annotation.model_fields.items():
            if part == (field.alias or name):
                return field.annotation
        return None
    inner = get_args(annotation)
    return inner[0 if isinstance(part, int) else -1] if inner else None
