"""How one engine that serves a model is cut over chips: flat numbers, each of which may be a column."""

from __future__ import annotations

import msgspec

from stargate.base.errors import Problem
from stargate.performance.models.shape import Shape
from stargate.performance.number import Number


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """One engine. `chips` = tensor x attention_data x pipeline; experts lie across tensor x attention_data of them."""

    tensor: Number = 1
    """Chips among which one attention layer is cut."""
    attention_data: Number = 1
    """Copies of the attention layers, each with its share of the sequences; experts are not copied."""
    pipeline: Number = 1
    expert: Number = 1
    """Over how many chips the experts of a layer are spread."""
    expert_tensor: Number = 1
    """Over how many chips one expert's matrices are cut."""

    @property
    def stage_chips(self) -> Number:
        """Chips that work on one layer together."""
        return self.tensor * self.attention_data

    @property
    def chips(self) -> Number:
        """All chips of the engine."""
        return self.tensor * self.attention_data * self.pipeline


def layout(
    chips: int = 1, *, expert: int = 1, attention_data: int = 1, pipeline: int = 1, experts: bool = False
) -> Layout:
    """An engine on so many chips: `tensor` is what the others leave over.

    `experts`: the model has some; they are spread over `expert` chips, and each is cut over the rest.
    """
    stage = chips // pipeline
    spread = expert if experts else 1
    return Layout(
        tensor=stage // attention_data,
        attention_data=attention_data,
        pipeline=pipeline,
        expert=spread,
        expert_tensor=stage // spread if experts else 1,
    )


def problems(layout: Layout, shape: Shape) -> tuple[Problem, ...]:
    """Everything that cannot be about one layout of a model."""
    wrong: list[Problem] = []
    for field in ("tensor", "attention_data", "pipeline", "expert", "expert_tensor"):
        value = getattr(layout, field)
        if value < 1 or value != int(value):
            wrong.append(
                Problem(
                    message=f"{value:g} is no whole number above zero",
                    remedy="Choose degrees whose product is the number of chips.",
                    path=field,
                )
            )
    if wrong:
        return tuple(wrong)
    if shape.heads % layout.tensor:
        wrong.append(
            Problem(
                message=f"{layout.tensor:g} does not divide the {shape.heads:g} attention heads",
                remedy="Choose a divisor of the heads, or more attention_data.",
                path="tensor",
            )
        )
    if shape.experts and layout.expert * layout.expert_tensor != layout.stage_chips:
        wrong.append(
            Problem(
                message=f"experts lie on {layout.expert * layout.expert_tensor:g} chips of {layout.stage_chips:g}",
                remedy="Make expert x expert_tensor the same as tensor x attention_data.",
                path="expert",
            )
        )
    if shape.layers < layout.pipeline:
        wrong.append(
            Problem(
                message=f"{layout.pipeline:g} stages are more than the {shape.layers:g} layers",
                remedy="Lower pipeline.",
                path="pipeline",
            )
        )
    return tuple(wrong)
