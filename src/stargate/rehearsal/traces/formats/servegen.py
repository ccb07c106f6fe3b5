"""ServeGen (Xiang et al., NSDI'26): clients of Alibaba's model services, as rates and length distributions.

A folder or archive with `chunk-<client>-trace.csv` (window start, requests a second, coefficient of variation,
family of the gaps between requests, its two parameters; no header) and `chunk-<client>-dataset.json` (by window
start: for each field a probability for each length, written as a Python dict in a text). Read from the real
`m-small`; fields of reasoning and multimodal data from ServeGen's code.

No request is published, so requests are drawn, by a seed: each window has rate times length many, in expectation;
gaps come from the published family and are stretched to fill the window, as ServeGen does, for its scale
parameters do not match its rates. Input and output lengths are drawn independently: only their marginals are
known. Windows without lengths are counted as skipped, in requests. `m-small` alone is 1.4 thousand million
requests: ask for a share. The files and the requests of one window stay in memory.
"""

from __future__ import annotations

import json
import random
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import PurePath

from stargate.rehearsal.traces.cell import number
from stargate.rehearsal.traces.format import Format, Options
from stargate.rehearsal.traces.request import MOST_TOKENS, Request
from stargate.rehearsal.traces.row import cells
from stargate.rehearsal.traces.skipped import Skipped
from stargate.rehearsal.traces.source import Source

CHUNK = re.compile(r"chunk-(\d+)-(trace\.csv|dataset\.json)")
MOST_RATE = 10**6
DEFAULT_WINDOW_SECONDS = 600.0
"""The length of a client's only window, whose end nothing states."""

Window = tuple[float, float, str, float]
"""Start, requests a second, family of gaps, its shape."""


class Lengths:
    """One published distribution: draw gives a length."""

    def __init__(self, text: str) -> None:
        pairs = (pair.partition(":") for pair in text.strip().removeprefix("{").removesuffix("}").split(","))
        found = [(float(value), float(weight)) for value, _, weight in pairs if value.strip()]
        self.values = [value for value, weight in found if weight > 0 and 0 <= value <= MOST_TOKENS]
        self.sums = list(
            accumulate(weight for value, weight in found if weight > 0 and 0 <= value <= MOST_TOKENS)
        )

    def draw(self, chance: random.Random) -> int:
        """A length; 0 where nothing was published."""
        if not self.values:
            return 0
        place = bisect_right(self.sums, chance.random() * self.sums[-1])
        return int(self.values[min(place, len(self.values) - 1)])


class Client:
    """One client: its windows in order, and the lengths of its requests by time."""

    def __init__(self, name: str, model: str) -> None:
        self.name, self.model = name, model
        self.windows: list[Window] = []
        self.window_seconds = DEFAULT_WINDOW_SECONDS
        self._raw: dict[int, dict[str, str]] = {}
        self._starts: list[int] = []
        self._held: tuple[int, dict[str, Lengths]] = (-1, {})

    def add_lengths(self, data: bytes, skipped: Skipped) -> None:
        """Take in its dataset; distributions are looked at when they are needed."""
        try:
            found = json.loads(data)
            for start, fields in found.items():
                if any(str(text).strip() not in ("", "{}") for text in fields.values()):
                    self._raw[int(start)] = {name: str(text) for name, text in fields.items()}
        except (ValueError, AttributeError, RecursionError):
            skipped.count("a client's dataset is not what ServeGen publishes")
        self._starts = sorted(self._raw)

    def lengths(self, at: float) -> dict[str, Lengths]:
        """The distributions at a time; empty where none was published before."""
        place = bisect_right(self._starts, at) - 1
        if place < 0:
            return {}
        start = self._starts[place]
        if self._held[0] != start:
            try:
                self._held = (start, {name: Lengths(text) for name, text in self._raw[start].items()})
            except ValueError:
                self._held = (start, {})
        return self._held[1]

    def add_windows(self, text: str, skipped: Skipped) -> None:
        """Take in its trace. A window is as long as the closest two starts are apart, also of empty windows."""
        starts: list[float] = []
        for line, row in enumerate(text.splitlines(), start=1):
            found = cells(row)
            if len(found) < 5:
                skipped.count("a window has too few cells", line)
                continue
            try:
                start, rate = number(found[0], "a window's start"), number(found[1], "a rate", MOST_RATE)
                starts.append(start)
                if rate > 0 and found[3].strip():
                    self.windows.append((start, rate, found[3].strip(), number(found[4], "a shape")))
            except ValueError as error:
                skipped.count(str(error), line)
        self.windows.sort()
        apart = (after - before for before, after in pairwise(sorted(starts)))
        self.window_seconds = min((gap for gap in apart if gap > 0), default=DEFAULT_WINDOW_SECONDS)


def clients(source: Source, skipped: Skipped) -> list[Client]:
    """Every client of a folder or archive, by number."""
    found: dict[tuple[str, int], Client] = {}
    for path, data in source.members(lambda name: CHUNK.fullmatch(PurePath(name).name) is not None):
        parts = CHUNK.fullmatch(PurePath(path).name)
        assert parts is not None
        model = PurePath(path).parent.name
        client = found.setdefault((model, int(parts[1])), Client(parts[1], model))
        if parts[2] == "trace.csv":
            client.add_windows(data.decode("utf-8", errors="replace"), skipped)
        else:
            client.add_lengths(data, skipped)
    return [client for _, client in sorted(found.items())]


def read(source: Source, skipped: Skipped, options: Options) -> Iterator[Request]:
    """Requests in the order of time."""
    chance = random.Random(options.seed)  # noqa: S311 - reproducible, not secret
    everyone = clients(source, skipped)
    queue = sorted(
        (window[0], index, client.window_seconds, window)
        for index, client in enumerate(everyone)
        for window in client.windows
    )
    held: list[Request] = []
    reached = 0.0
    for start, index, length, window in queue:
        if start > reached:
            held.sort(key=lambda request: request.at_seconds)
            ready = bisect_left(held, start, key=lambda request: request.at_seconds)
            yield from held[:ready]
            held, reached = held[ready:], start
        held.extend(_drawn(everyone[index], window, length, options.share, chance, skipped))
    held.sort(key=lambda request: request.at_seconds)
    yield from held


def _drawn(
    client: Client, window: Window, length: float, share: float, chance: random.Random, skipped: Skipped
) -> Iterator[Request]:
    start, rate, family, shape = window
    wanted = rate * length * share
    count = int(wanted) + (chance.random() < wanted - int(wanted))
    fields = client.lengths(start)
    if count and not fields:
        skipped.count("no lengths are published for the client at that time", rows=count)
        return
    gaps = [_gap(family, shape, chance) for _ in range(count + 1)]
    stretch = length / (sum(gaps) or 1.0)
    at = 0.0
    for gap in gaps[:count]:
        at += gap * stretch
        yield Request(
            at_seconds=start + min(at, length),
            input_tokens=_input(fields, chance),
            output_tokens=fields["output_tokens"].draw(chance) if "output_tokens" in fields else 0,
            client=client.name,
            model=client.model,
        )


def _gap(family: str, shape: float, chance: random.Random) -> float:
    if family == "Gamma" and shape > 0:
        return chance.gammavariate(shape, 1.0)
    if family == "Weibull" and shape > 0:
        return chance.weibullvariate(1.0, shape)
    return chance.expovariate(1.0)


def _input(fields: dict[str, Lengths], chance: random.Random) -> int:
    if "input_tokens" in fields:
        return fields["input_tokens"].draw(chance)
    total = fields["text_tokens"].draw(chance) if "text_tokens" in fields else 0
    for medium in ("image", "audio", "video"):
        if f"{medium}_count" in fields and f"{medium}_tokens" in fields:
            for _ in range(min(fields[f"{medium}_count"].draw(chance), 1000)):
                total += fields[f"{medium}_tokens"].draw(chance)
    return min(total, MOST_TOKENS)


FORMAT = Format(
    name="servegen",
    about="ServeGen (alibaba/ServeGen: a folder or archive of chunk-*-trace.csv and chunk-*-dataset.json)",
    expects="files chunk-<client>-trace.csv and chunk-<client>-dataset.json",
    files=r"(?!)",
    fits=lambda _: False,
    read=read,
    gives="requests",
    inside=r"(^|/)chunk-\d+-trace\.csv$",
)
