"""A trend as a small picture: points of an SVG, computed here, so that the page needs no script."""

from collections.abc import Sequence
from typing import Any

WIDTH, HEIGHT, EDGE = 320, 60, 6


def draw_trend(promise: str, goal: float, reached: Sequence[float | None]) -> dict[str, Any]:
    """Place a trend in a picture of 320 by 60; a gap is where nothing can be said.

    >>> draw_trend("answered_share", 0.5, [0.0, None, 1.0])["dots"]
    [(6.0, 54.0), (314.0, 6.0)]
    """
    top = max(1.0, goal, *(value for value in reached if value is not None))
    step = (WIDTH - 2 * EDGE) / max(len(reached) - 1, 1)

    def place(value: float) -> float:
        return round(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * value / top, 1)

    lines: list[list[str]] = [[]]
    dots: list[tuple[float, float]] = []
    for n, value in enumerate(reached):
        if value is None:
            lines.append([])
            continue
        x, y = round(EDGE + n * step, 1), place(value)
        dots.append((x, y))
        lines[-1].append(f"{x},{y}")
    values = ", ".join("-" if value is None else f"{value:.2f}" for value in reached)
    return {
        "promise": promise,
        "words": f"{promise.replace('_', ' ')}: {values}; agreed {goal:.2f}",
        "goal_y": place(goal),
        "lines": [" ".join(points) for points in lines if len(points) > 1],
        "dots": dots,
    }
