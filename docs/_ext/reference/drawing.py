"""A state diagram as SVG: states in columns by their distance from the start, one arrow for each pair.

Arrows to the next column run straight; those that skip a column pass above, those that lead back pass below.
Colours are those of the page, so that the drawing is readable in light and in dark.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

Step = tuple[str, str, str]
"""Before, after, label."""

CHAR = 6.4
"""Width of a character of a label, in pixels, on the safe side."""
BOX_HEIGHT = 30
LINE = 14
ROW_GAP = 34
MARGIN = 16


@dataclass(slots=True)
class Box:
    """A state in its place; the start is a dot."""

    name: str
    x: float
    y: float
    width: float

    @property
    def right(self) -> float:
        """The x of the right edge."""
        return self.x + self.width

    @property
    def middle(self) -> float:
        """The x of the middle."""
        return self.x + self.width / 2


def ranks(steps: list[Step]) -> dict[str, int]:
    """How many steps each state is from the start."""
    found = {"": 0}
    waiting = [""]
    while waiting:
        state = waiting.pop(0)
        for before, after, _ in steps:
            if before == state and after not in found:
                found[after] = found[state] + 1
                waiting.append(after)
    return found


def arrows(steps: list[Step]) -> dict[tuple[str, str], list[str]]:
    """Labels by pair of states."""
    joined: dict[tuple[str, str], list[str]] = {}
    for before, after, label in steps:
        joined.setdefault((before, after), []).append(label)
    return joined


def layout(steps: list[Step]) -> dict[str, Box]:
    """Columns wide enough for the labels between them, rows high enough for the labels on their arrows."""
    rank = ranks(steps)
    joined = arrows(steps)
    columns: list[list[str]] = [[] for _ in range(max(rank.values()) + 1)]
    for state, column in rank.items():
        columns[column].append(state)
    lines = max(len(labels) for labels in joined.values())
    row = BOX_HEIGHT + max(ROW_GAP, lines * LINE)
    tallest = max(len(column) for column in columns)
    boxes: dict[str, Box] = {}
    x = float(MARGIN)
    for number, names in enumerate(columns):
        width = max(_box_width(state) for state in names)
        top = (tallest - len(names)) * row / 2
        for place, state in enumerate(names):
            boxes[state] = Box(state, x, top + place * row, width if state else 14)
        between = [
            label
            for (before, after), labels in joined.items()
            if rank[before] == number and rank[after] == number + 1
            for label in labels
        ]
        x += width + max((len(label) for label in between), default=0) * CHAR + 48
    return boxes


def _box_width(state: str) -> float:
    return len(state) * 7.6 + 24 if state else 14


def _text(x: float, y: float, labels: list[str], anchor: str = "middle") -> str:
    spans = "".join(
        f'<tspan x="{x:.1f}" y="{y + number * LINE:.1f}">{escape(label)}</tspan>'
        for number, label in enumerate(labels)
    )
    return f'<text class="sg-label" text-anchor="{anchor}">{spans}</text>'


def _path(points: str, text: str) -> str:
    return f'<path class="sg-arrow" d="{points}" marker-end="url(#sg-head)"/>{text}'


def _curve(*points: tuple[float, float]) -> str:
    start, *rest = (f"{x:.1f},{y:.1f}" for x, y in points)
    return f"M{start} C{' '.join(rest)}"


def _straight(start: Box, end: Box, labels: list[str]) -> str:
    y1, y2 = start.y + BOX_HEIGHT / 2, end.y + BOX_HEIGHT / 2
    bend = (end.x - start.right) / 3
    points = _curve((start.right, y1), (start.right + bend, y1), (end.x - bend, y2), (end.x - 2, y2))
    width = max(len(label) for label in labels) * CHAR
    x = end.x - 14 - width / 2 if abs(y2 - y1) > 1 else (start.right + end.x) / 2
    return _path(points, _text(x, y2 - 6 - (len(labels) - 1) * LINE, labels))


def _arc(start: Box, end: Box, labels: list[str], level: float, *, above: bool) -> str:
    """Around whatever is in between; `level` is the y of its furthest point."""
    edge = 0 if above else BOX_HEIGHT
    y1, y2 = start.y + edge, end.y + edge
    shift = 10 if start.middle < end.middle else -10
    x1, x2 = start.middle + shift, end.middle - shift
    control = (level - (y1 + y2) / 8) / 0.75
    points = _curve((x1, y1), (x1, control), (x2, control), (x2, y2 - 2 if above else y2 + 2))
    y = level - 6 - (len(labels) - 1) * LINE if above else level + LINE
    return _path(points, _text((x1 + x2) / 2, y, labels))


def _loop(box: Box, labels: list[str]) -> str:
    x, y = box.middle, box.y
    points = (
        f"M{x - 14:.1f},{y:.1f} C{x - 26:.1f},{y - 34:.1f} {x + 26:.1f},{y - 34:.1f} {x + 14:.1f},{y - 2:.1f}"
    )
    return _path(points, _text(x, y - 30 - (len(labels) - 1) * LINE, labels))


def _drawn(steps: list[Step], boxes: dict[str, Box]) -> Iterator[tuple[str, float]]:
    """Each arrow, with the highest or lowest y that it or its label reaches."""
    rank = ranks(steps)
    top = min(box.y for box in boxes.values())
    bottom = max(box.y for box in boxes.values()) + BOX_HEIGHT
    joined = sorted(arrows(steps).items(), key=lambda item: abs(rank[item[0][0]] - rank[item[0][1]]))
    for (before, after), labels in joined:
        start, end = boxes[before], boxes[after]
        height = len(labels) * LINE
        if before == after:
            yield _loop(start, labels), start.y - 30 - height
            top = min(top, start.y - 30 - height)
        elif rank[after] == rank[before] + 1:
            yield _straight(start, end, labels), end.y - height
        elif rank[after] > rank[before]:
            top -= 18
            yield _arc(start, end, labels, top, above=True), top - height
            top -= height
        else:
            bottom += 22
            yield _arc(start, end, labels, bottom, above=False), bottom + height + 4
            bottom += height


def svg(steps: list[Step], title: str) -> str:
    """The whole drawing, as one element to stand inside a page."""
    boxes = layout(steps)
    drawn = list(_drawn(steps, boxes))
    reach = [y for _, y in drawn]
    top = min(*reach, *(box.y for box in boxes.values())) - MARGIN
    bottom = max(*reach, *(box.y + BOX_HEIGHT for box in boxes.values())) + MARGIN
    width = max(box.right for box in boxes.values()) + MARGIN
    states = "".join(_box(box) for box in boxes.values())
    return (
        f'<svg class="sg-states" role="img" aria-label="{escape(title)}" width="{width:.0f}" '
        f'viewBox="0 {top:.0f} {width:.0f} {bottom - top:.0f}" xmlns="http://www.w3.org/2000/svg">'
        '<defs><marker id="sg-head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path class="sg-head" d="M0,0 L8,4 L0,8 z"/></marker></defs>'
        f"{''.join(arrow for arrow, _ in drawn)}{states}</svg>"
    )


def _box(box: Box) -> str:
    middle = box.y + BOX_HEIGHT / 2
    if not box.name:
        return f'<circle class="sg-start" cx="{box.middle:.1f}" cy="{middle:.1f}" r="7"/>'
    return (
        f'<rect class="sg-state" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
        f'height="{BOX_HEIGHT}" rx="7"/><text class="sg-name" text-anchor="middle" '
        f'x="{box.middle:.1f}" y="{middle + 4.5:.1f}">{escape(box.name)}</text>'
    )
