"""One concept, one word: retired words are no identifiers, and no class name stands twice on a floor."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = ("features", "training", "serving", "baton")
WHERE = (*FLOORS, "benchmarks", "tests")
# What a step of the tables was called stays as it was.
HISTORY = ROOT / "serving/store/migrations/versions"

RETIRED = {
    "births": "row creation",
    "broom": "sweep context",
    "deed": "action",
    "deeds": "actions",
    "desk": "holder, reporter",
    "desks": "holders",
    "doorman": "authenticator",
    "flatter": "optimism of random splits",
    "flattery": "optimism of random splits",
    "foretell": "predict",
    "foretells": "predicts",
    "foretold": "predicted",
    "heard": "read, response",
    "heed": "model explanation",
    "hunt": "leak search",
    "hunted": "searched",
    "mother": "the transaction that inserted the row",
    "mover": "top change",
    "movers": "top changes",
    "occasion": "context, event",
    "occasions": "events",
    "relevel": "recalibrate",
    "releveled": "recalibrated",
    "remark": "warning",
    "remarks": "warnings",
    "said": "what it is: parsed message, sentence, output",
    "say": "format, describe",
    "says": "describes",
    "shade": "shadow-score",
    "shelf": "model cache",
    "spreader": "fan-out",
    "surprise": "hidden-confounding check",
    "surprises": "hidden-confounding checks",
    "swept": "sweep result",
    "tend": "process",
    "told": "what it is: dataset, payload, rows",
    "unborn": "not yet created",
    "ward": "shard",
}
"""Parts of names that are not used any more, and what is."""

WHOLE = {
    "allow_here": "require_unless_local",
    "answer_once": "run_idempotent",
    "DoorCollector": "AuthCollector",
    "Fitted": "FittedCandidate",
    "GivenScore": "StoredScore",
    "Hand": "Actor, OwnershipSpan",
    "House": "JobResources",
    "Leaving": "Delivery",
    "LocalDoor": "LocalCredentials",
    "Memory": "LookbackWindow",
    "Once": "IdempotentRequest",
    "Rates": "RateLimiter",
    "Wrong": "OwnershipAnomaly",
    "looked_at": "last_scored_as_of",
    "next_look": "rescore time",
    "stood_in_the_way": "is_conflict",
}
"""Names that are not used any more, and what is."""

FILES = {
    "house": "wiring",
    "http": "web_api",
    "calendar": "working_hours",
    "kept": "repository",
    "landing": "ingest",
    "looks": "snapshots",
    "names": "identity_keys",
    "places": "inventory",
    "queue": "scoring_queue",
    "rates": "rate_limiter",
    "reading": "parsing",
    "recipes": "candidates",
    "shapes": "serialize",
    "spans": "period",
    "story": "lead_timeline",
    "texts": "text_types",
    "traits": "attribute_mapping",
}
"""Names of modules of the product that are not used any more, and what is."""


def list_files(where: str) -> Iterator[Path]:
    for path in sorted((ROOT / where).rglob("*.py")):
        if HISTORY not in path.parents:
            yield path


def list_names(tree: ast.Module) -> Iterator[str]:
    """List what a module names: classes, functions, arguments, variables and attributes."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield node.name
            case ast.Name():
                yield node.id
            case ast.Attribute():
                yield node.attr
            case ast.arg():
                yield node.arg
            case ast.keyword(arg=str()):
                yield node.arg
            case ast.alias():
                yield node.asname or node.name.rpartition(".")[2]


def split(name: str) -> set[str]:
    """Split a name into its words.

    >>> sorted(split("_readTold_HTTPHeed2"))
    ['heed', 'http', 'read', 'told']
    """
    return {part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def find_retired(name: str) -> list[str]:
    """Find the words of a name that are retired, each with the word in use.

    >>> find_retired("told_rows"), find_retired("unfold"), find_retired("Rates"), find_retired("rates")
    (['told: use what it is: dataset, payload, rows'], [], ['Rates: use RateLimiter'], [])
    """
    found = [f"{word}: use {RETIRED[word]}" for word in sorted(split(name) & RETIRED.keys())]
    return found + ([f"{name}: use {WHOLE[name]}"] if name in WHOLE else [])


@pytest.mark.parametrize("where", WHERE)
def test_no_name_uses_a_retired_word(where: str) -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}: {words}"
        for path in list_files(where)
        for name in {*list_names(ast.parse(path.read_text(encoding="utf-8"))), path.stem}
        for words in find_retired(name)
    }
    assert not found, "\n".join(sorted(found))


@pytest.mark.parametrize("floor", FLOORS)
def test_no_module_has_a_retired_name(floor: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: use {FILES[name]}"
        for path in list_files(floor)
        for name in {path.stem, path.parent.name}
        if name in FILES
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("floor", FLOORS)
def test_no_class_name_stands_twice_on_a_floor(floor: str) -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path in list_files(floor):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(str(path.relative_to(ROOT)))
    twice = {name: paths for name, paths in homes.items() if len(paths) > 1}
    assert not twice, "\n".join(f"{name}: {', '.join(paths)}" for name, paths in twice.items())


def test_the_words_are_found_where_they_stand() -> None:
    tree = ast.parse(
        "class Swept: ...\n"
        "def ask(told, *, heed=1): return told.deeds\n"
        "import serving.auth.doorman\n"
        "for occasion in ask(remarks=2): pass\n"
    )
    words = {word for name in list_names(tree) for word in split(name) & RETIRED.keys()}
    assert words == {"swept", "told", "heed", "deeds", "doorman", "occasion", "remarks"}
