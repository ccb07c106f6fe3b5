"""The demo on a screen: what happened so far, where the job stands, and at the end why everything went as it did."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from stargate.demo.meter import METERS
from stargate.demo.scene import Beat, Scene
from stargate.demo.serving import Served

STYLES = {
    "submit": "cyan",
    "offer": "yellow",
    "market": "green",
    "place": "green",
    "run": "bold green",
    "serve": "green",
    "ask": "yellow",
    "kill": "bold red",
    "recover": "bold green",
    "done": "bold",
    "check": "bold cyan",
}
BAR = 40


class View:
    """Live on a terminal; line by line where the output is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = (
            Live(console=console, refresh_per_second=10, transient=True) if console.is_terminal else None
        )
        self._printed = 0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, scene: Scene) -> None:
        """The scene as it is now."""
        for beat in scene.beats[self._printed :]:
            self._console.print(line(beat), soft_wrap=True)
        self._printed = len(scene.beats)
        if self._live is not None:
            self._live.update(standing(scene))

    def explain(self, scene: Scene) -> None:
        """The closing page: decisions with their grounds, attempts with their cost, and the verdict."""
        self._console.print()
        for text in decisions(scene):
            self._console.print(text, soft_wrap=True)
        self._console.print()
        self._console.print(attempts(scene))
        self._console.print(verdict(scene), soft_wrap=True)


def line(beat: Beat) -> Text:
    """One thing that happened, as a line."""
    return Text.assemble((f"{beat.at_s:6.1f} s  ", "dim"), (f"{beat.what:<8}", STYLES[beat.what]), beat.says)


def standing(scene: Scene) -> RenderableType:
    """Where the job stands."""
    if not scene.total_steps:
        return Text("waiting for a place to train …", style="dim")
    loss = "" if scene.loss is None else f"   loss {scene.loss:.4f}"
    head = Text(
        f"step {scene.step}/{scene.total_steps}{loss}   on {scene.running_on or 'nobody, for the moment'}"
    )
    bar = ProgressBar(total=scene.total_steps, completed=scene.step, width=BAR)
    return Panel(Group(head, bar), title="lm", width=BAR + 30)


def decisions(scene: Scene) -> Iterator[Text]:
    """Why: what was decided, and on what grounds, a line each."""
    yield Text("Why it went as it did", style="bold")
    for decision in scene.result.decisions:
        what = decision["fact"].replace("_", " ")
        yield Text.assemble((f"{decision['seq']:>5}  ", "dim"), (what, "bold"), f"  {decision['about']}")
        for ground in decision["grounds"]:
            clause = ground.get("clause", "")
            yield Text.assemble("         ", ground["says"], (f"  [{clause}]" if clause else "", "yellow"))


def attempts(scene: Scene) -> Table:
    """What ran where, and what it cost."""
    table = Table(title="What ran where, and what it cost", title_justify="left")
    for name in ("attempt", "provider", "steps", "outcome", "USD a chip-hour", "cost USD"):
        table.add_column(name)
    for attempt in scene.result.attempts:
        steps = f"{attempt.first_step or '?'} to {attempt.last_step or '?'}"
        price, cost = (f"{Decimal(text):.2f}" for text in (attempt.price_usd_per_chip_hour, attempt.cost_usd))
        table.add_row(attempt.id, attempt.provider, steps, attempt.outcome, price, cost)
    return table


def verdict(scene: Scene) -> Text:
    """Whether it kept its promise."""
    result = scene.result
    if result.kept_its_promise:
        says = f"The job lost its provider and ended as if it had not: loss {result.final_loss}."
        return Text(f"{says} {result.seconds:.0f} s.", style="bold green")
    return Text(
        f"Something is wrong: final loss {result.final_loss}, undisturbed {result.undisturbed_final_loss},"
        f" journal verified: {result.journal_verified}.",
        style="bold red",
    )


def counts(served: Served) -> Table:
    """What the ledger has, by provider and key, and below it what the provider's own meter says."""
    table = Table(title="Both sides of the count, in tokens", title_justify="left")
    for name in (
        "provider",
        "counted by",
        "requests",
        *(metric.removesuffix("_tokens") for metric in METERS),
    ):
        table.add_column(name, justify="left" if len(table.columns) < 2 else "right", no_wrap=True)
    for provider, count in sorted(served.meters.items()):
        for row in served.ledger:
            if row.provider == provider:
                figures = (f"{getattr(row, name):,}" for name in METERS)
                table.add_row(provider, f"the ledger, {row.key}", f"{row.requests:,}", *figures)
        lost = provider == served.lost
        meter = "its meter, until the kill" if lost else "its own meter"
        table.add_row(provider, meter, "", *(f"{count[name]:,}" for name in METERS), style="cyan")
        if lost and served.cut is not None:
            cut = (f"{figure:,}" for figure in served.cut.uncached)
            table.add_row(provider, "the cut answer, estimated", "", *cut, style="cyan")
        table.add_section()
    return table


def served_verdict(served: Served) -> Text:
    """Whether it kept its promise."""
    if served.kept_its_promise:
        says = (
            f"{served.lost} was lost while it answered; nobody else noticed, and both sides count the same."
        )
        return Text(f"{says} {served.seconds:.0f} s.", style="bold green")
    return Text(f"Something is wrong: {served}", style="bold red")
