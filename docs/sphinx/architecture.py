"""The floor plan, drawn from the tree: what each folder is for, and which uses which."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

from docs.sphinx.render import render

FLOORS = ("serving", "training", "features")
"""From the top down: a floor uses those below it, never one above."""
MANY_ROOMS = 5
"""A folder with at least so many folders in it gets a drawing of its own."""


@dataclass(frozen=True)
class Room:
    """A folder, or a module that lies beside the folders."""

    name: str
    purpose: str
    """First paragraph of the docstring."""
    modules: int
    lines: int
    uses: tuple[str, ...]
    """Rooms of the same floor that it imports, by name."""
    used_by: tuple[str, ...]


@dataclass(frozen=True)
class Floor:
    """A package and the rooms in it."""

    name: str
    """Dotted, as it is imported."""
    purpose: str
    rooms: tuple[Room, ...]

    @property
    def folder(self) -> str:
        """Say where it lies."""
        return self.name.replace(".", "/") + "/"

    @cached_property
    def layers(self) -> list[list[Room]]:
        """Sort the rooms into layers: each uses only rooms of the layers below its own."""
        by_name = {room.name: room for room in self.rooms}
        depth: dict[str, int] = {}
        for name in TopologicalSorter({r.name: r.uses for r in self.rooms}).static_order():
            depth[name] = max((depth[used] + 1 for used in by_name[name].uses), default=0)
        layers = [
            sorted((r for r in self.rooms if depth[r.name] == level), key=lambda room: room.name)
            for level in range(max(depth.values()) + 1)
        ]
        return layers[::-1]

    def find_arrows(self) -> list[tuple[str, str]]:
        """Find which room uses which, less what follows: a → c where a → b and b → c."""
        uses = {room.name: set(room.uses) for room in self.rooms}
        return [
            (name, used)
            for name in sorted(uses)
            for used in sorted(uses[name])
            if not any(used in _reach(uses, other) for other in uses[name] - {used})
        ]


def _reach(uses: Mapping[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        new = uses[waiting.pop()] - reached
        reached |= new
        waiting += new
    return reached


def read_floors(root: Path) -> list[Floor]:
    """Read the floors from the top down, each followed by its large folders as plans of their own.

    Raises
    ------
    graphlib.CycleError
        When layers are asked for, and rooms use each other in a circle.
    """
    graph = grimp.build_graph(*FLOORS, cache_dir=None)
    floors: list[Floor] = []
    for name in FLOORS:
        large = [
            child for child in sorted(graph.find_children(name)) if _has_many_rooms(graph, child)
        ]
        floors += [read_floor(graph, root, each) for each in (name, *large)]
    return floors


def _has_many_rooms(graph: grimp.ImportGraph, package: str) -> bool:
    folders = [child for child in graph.find_children(package) if graph.find_children(child)]
    return len(folders) >= MANY_ROOMS


def read_floor(graph: grimp.ImportGraph, root: Path, name: str) -> Floor:
    """Read one package and the rooms in it."""
    children = sorted(graph.find_children(name))
    uses = {
        child: tuple(
            other.rsplit(".", 1)[1]
            for other in children
            if other != child
            and graph.direct_import_exists(importer=child, imported=other, as_packages=True)
        )
        for child in children
    }
    rooms = []
    for child in children:
        short = child.rsplit(".", 1)[1]
        files = _find_files(root, child)
        rooms.append(
            Room(
                name=short,
                purpose=_read_purpose(files[0]),
                modules=len(files),
                lines=sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files),
                uses=uses[child],
                used_by=tuple(
                    other.rsplit(".", 1)[1] for other in children if short in uses[other]
                ),
            )
        )
    return Floor(name, _read_purpose(_find_files(root, name)[0]), tuple(rooms))


def _find_files(root: Path, module: str) -> list[Path]:
    """Find the files of a package, its own docstring first, or of a module."""
    place = root.joinpath(*module.split("."))
    if not place.is_dir():
        return [place.with_suffix(".py")]
    first = place / "__init__.py"
    return [first, *sorted(file for file in place.rglob("*.py") if file != first)]


def _read_purpose(file: Path) -> str:
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    if not docstring:
        raise ValueError(f"{file} has no docstring that says what it is for.")
    return " ".join(docstring.split("\n\n")[0].split()).replace("``", "`")


BOX_HEIGHT, GAP, LAYER_HEIGHT, LETTER, MARGIN = 34, 14, 78, 7.2, 20


def draw_floor(floor: Floor) -> str:
    """Draw a floor as SVG: a layer a line, arrows from a room to those it uses."""
    widths = {room.name: round(len(room.name) * LETTER) + 20 for room in floor.rooms}
    rows = [sum(widths[r.name] + GAP for r in layer) - GAP for layer in floor.layers]
    width = max(rows) + 2 * MARGIN
    boxes: dict[str, tuple[float, float, float]] = {}
    for line, (layer, row) in enumerate(zip(floor.layers, rows, strict=True)):
        x = (width - row) / 2
        for room in layer:
            boxes[room.name] = (x, MARGIN + line * LAYER_HEIGHT, widths[room.name])
            x += widths[room.name] + GAP
    arrows = [
        (
            boxes[upper][0] + boxes[upper][2] / 2,
            boxes[upper][1] + BOX_HEIGHT,
            boxes[lower][0] + boxes[lower][2] / 2,
            boxes[lower][1],
        )
        for upper, lower in floor.find_arrows()
    ]
    return render(
        "floor.svg.j2",
        floor=floor,
        width=width,
        height=2 * MARGIN + (len(floor.layers) - 1) * LAYER_HEIGHT + BOX_HEIGHT,
        box_height=BOX_HEIGHT,
        boxes=boxes,
        arrows=arrows,
    )
