"""A gang's nodes, short: runs of neighbours as (first, how many), one after the other, in the order of ranks."""

from __future__ import annotations


def to_spans(nodes: tuple[int, ...]) -> tuple[int, ...]:
    """`(4, 5, 6, 9)` is `(4, 3, 9, 1)`: large gangs stand on few runs, and are remembered for ever."""
    if len(nodes) == 1:
        return (nodes[0], 1)
    found: list[int] = []
    after = -1
    for node in nodes:
        if node == after:
            found[-1] += 1
        else:
            found += (node, 1)
        after = node + 1
    return tuple(found)


def from_spans(spans: tuple[int, ...]) -> tuple[int, ...]:
    """The nodes again."""
    runs = zip(spans[::2], spans[1::2], strict=True)
    return tuple([node for first, count in runs for node in range(first, first + count)])
