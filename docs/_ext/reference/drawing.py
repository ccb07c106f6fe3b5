"""A state diagram as SVG: states in columns by their distance from the start, one arrow for each pair.

States with the same arrows in and out share a box; steps that stay where they are need no arrow. Arrows to the
next column run straight; those that skip a column pass above, those that lead back pass below. Colours are those
of the page, so that the drawing is readable in light and in dark.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

Step = tuple[str, str, str]
"""Before, after, label."""

CHAR = 6.4
"""Width of a character of a label, in pixels, on the safe side."""
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
    height: float

    @property
    def right(self) -> float:
        """The x of the right edge."""
        return self.x + self.width

    @property
    def middle(self) -> float:
        """The x of the middle."""
        return self.x + self.width / 2


def grouped(steps: list[Step]) -> list[Step]:
    """The same without steps that stay where they are; states with the same arrows in and out become one."""
    moves = [step for step in steps if step[0] != step[1]]
    names = list(dict.fromkeys(state for before, after, _ in moves for state in (before, after)))
    together: dict[object, list[str]] = {}
    for name in names:
        coming = frozenset((before, label) for before, after, label in moves if after == name)
        going = frozenset((after, label) for before, after, label in moves if before == name)
        together.setdefault((coming, going), []).append(name)
    joined = {name: "\n".join(group) for group in together.values() for name in group}
    return list(dict.fromkeys((joined[before], joined[after], label) for before, after, label in moves))


def ranks(steps: list[Step]) -> dict[str, int]:
    """The column of each state: the longest way to it from the start that never leads back."""
    following: dict[str, list[str]] = {}
    for before, after, _ in steps:
        following.setdefault(before, []).append(after)
    order: list[str] = []
    forward: dict[str, list[str]] = {}

    def visit(state: str, path: frozenset[str]) -> None:
        if state in forward:
            return
        forward[state] = [after for after in following.get(state, ()) if after not in path]
        for after in forward[state]:
            visit(after, path | {after})
        order.append(state)

    visit("", frozenset({""}))
    found = dict.fromkeys(reversed(order), 0)
    for state in found:
        for after in forward[state]:
            found[after] = max(found[after], found[state] + 1)
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
    lines = max(len(labels) for labels in joined.values())
    gap = max(ROW_GAP, lines * LINE)
    columns: list[list[str]] = [[] for _ in range(max(rank.values()) + 1)]
    for state, column in rank.items():
        columns[column].append(state)
    boxes: dict[str, Box] = {}
    x = float(MARGIN)
    for number, names in enumerate(columns):
        width = max(_box_width(state) for state in names)
        y = -(sum(_box_height(state) for state in names) + gap * (len(names) - 1)) / 2
        for state in names:
            boxes[state] = Box(state, x, y, width, _box_height(state))
            y += _box_height(state) + gap
        between = [
            label
            for (before, after), labels in joined.items()
            if rank[before] == number and rank[after] == number + 1
            for label in labels
        ]
        x += width + max((len(label) for label in between), default=0) * CHAR + 48
    return boxes


def _box_width(state: str) -> float:
    return max(len(name) for name in state.split("\n")) * 7.8 + 24 if state else 14


def _box_height(state: str) -> float:
    return 14 + 16 * len(state.split("\n"))


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
    y1, y2 = start.y + start.height / 2, end.y + end.height / 2
    bend = (end.x - start.right) / 3
    points = _curve((start.right, y1), (start.right + bend, y1), (end.x - bend, y2), (end.x - 2, y2))
    width = max(len(label) for label in labels) * CHAR
    x = end.x - 14 - width / 2 if abs(y2 - y1) > 1 else (start.right + end.x) / 2
    return _path(points, _text(x, y2 - 6 - (len(labels) - 1) * LINE, labels))


def _arc(start: Box, end: Box, labels: list[str], level: float, *, above: bool) -> str:
    """Around whatever is in between; `level` is the y of its furthest point."""
    y1, y2 = (start.y, end.y) if above else (start.y + start.height, end.y + end.height)
    shift = 10 if start.middle < end.middle else -10
    x1, x2 = start.middle + shift, end.middle - shift
    control = (level - (y1 + y2) / 8) / 0.75
    points = _curve((x1, y1), (x1, control), (x2, control), (x2, y2 - 2 if above else y2 + 2))
    y = level - 6 - (len(labels) - 1) * LINE if above else level + LINE
    return _path(points, _text((x1 + x2) / 2, y, labels))


def _drawn(steps: list[Step], boxes: dict[str, Box]) -> Iterator[tuple[str, float]]:
    """Each arrow, with the highest or lowest y that it or its label reaches."""
    rank = ranks(steps)
    top = min(box.y for box in boxes.values())
    bottom = max(box.y + box.height for box in boxes.values())
    joined = sorted(arrows(steps).items(), key=lambda item: abs(rank[item[0][0]] - rank[item[0][1]]))
    for (before, after), labels in joined:
        start, end = boxes[before], boxes[after]
        height = len(labels) * LINE
        if rank[after] == rank[before] + 1:
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
    moves = grouped(steps)
    boxes = layout(moves)
    drawn = list(_drawn(moves, boxes))
    reach = [y for _, y in drawn]
    top = min(*reach, *(box.y for box in boxes.values())) - MARGIN
    bottom = max(*reach, *(box.y + box.height for box in boxes.values())) + MARGIN
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
    if not box.name:
        return f'<circle class="sg-start" cx="{box.middle:.1f}" cy="{box.y + box.height / 2:.1f}" r="7"/>'
    names = "".join(
        f'<tspan x="{box.middle:.1f}" y="{box.y + 20 + 16 * number:.1f}">{escape(name)}</tspan>'
        for number, name in enumerate(box.name.split("\n"))
    )
    return (
        f'<rect class="sg-state" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="7"/><text class="sg-name" text-anchor="middle">{names}</text>'
    )
