"""Memory of training: bytes on the chip that needs most, part by part, and whether they fit."""

from __future__ import annotations

import msgspec

from stargate.performance.device import Device
from stargate.performance.estimate import DoesNotFit
from stargate.performance.models.shape import Shape
from stargate.performance.number import SCALAR, Number, Space
from stargate.performance.training.activations import Kept, kept
from stargate.performance.training.layout import Layout
from stargate.performance.training.stage import Stage, either, stages
from stargate.performance.training.state import Parameters, Share, gathered_bytes, parameters, shares

RUNTIME_BYTES = 2e9
"""The runtime's context, kernels' workspaces and the buffers of the collectives."""

PARTS = ("weights", "gradients", "optimizer", "tables", "activations", "logits", "workspace")
"""The parts of `Memory`, by the words that a refusal uses."""


class Memory(msgspec.Struct, frozen=True):
    """Bytes per chip, of the chip that needs most. Each may be a column."""

    weights_bytes: Number
    """Of the layers."""
    gradients_bytes: Number
    """Of the layers."""
    optimizer_bytes: Number
    """Of the layers: the optimizer's copy and its moments."""
    tables_bytes: Number
    """Weights, gradients and optimizer state of the input and output tables."""
    activations_bytes: Number
    """Kept between the forward and the backward pass, of all micro-batches in flight."""
    logits_bytes: Number
    """Of one micro-batch, where the loss is computed."""
    workspace_bytes: Number
    """What lives for a while: gathered weights, a layer being recomputed, gradients on their way, buffers."""

    @property
    def state_bytes(self) -> Number:
        """What is kept from step to step."""
        return self.weights_bytes + self.gradients_bytes + self.optimizer_bytes + self.tables_bytes

    @property
    def total_bytes(self) -> Number:
        """All parts."""
        return self.state_bytes + self.activations_bytes + self.logits_bytes + self.workspace_bytes


class _Costs(msgspec.Struct, frozen=True):
    """What a layer, a table and a token cost on a chip, whichever its stage."""

    held: Parameters
    common: Share
    experts: Share
    token: Kept
    tokens: Number
    """Of one micro-batch, of the chip's part of the sequence."""
    staying: Number
    """The same, less the share of what they keep that lies in the host's memory."""
    workspace_bytes: Number


def memory(x: Space, shape: Shape, device: Device, layout: Layout) -> Memory:
    """What the chip that needs most needs: of the first, the second or the last stage of the pipeline.

    No other stage needs more: towards the end of a pipeline fewer micro-batches are in flight. A device
    stands for one precision, also where its other fields are columns.
    """
    costs = _costs(x, shape, device, layout)
    first, second, last = stages(x, shape, layout)
    of_first, of_second, of_last = _varying(costs, first), _varying(costs, second), _varying(costs, last)
    ahead = either(x, of_first >= of_second, first, second)
    worst = either(x, of_last > x.maximum(of_first, of_second), last, ahead)
    return _parts(costs, worst)


def needed_bytes(x: Space, shape: Shape, device: Device, layout: Layout) -> Number:
    """The total of `memory`, without its parts: what a search asks thousands of times."""
    costs = _costs(x, shape, device, layout)
    first, second, last = (_varying(costs, stage) for stage in stages(x, shape, layout))
    return x.maximum(x.maximum(first, second), last) + costs.workspace_bytes


def stage_memory(x: Space, shape: Shape, device: Device, layout: Layout) -> tuple[Memory, Memory, Memory]:
    """The same of the first, the second and the last stage each."""
    costs = _costs(x, shape, device, layout)
    first, second, last = stages(x, shape, layout)
    return _parts(costs, first), _parts(costs, second), _parts(costs, last)


def fits(shape: Shape, device: Device, layout: Layout) -> DoesNotFit | None:
    """None if the layout fits a chip's memory; else by how much it does not, and which part needs most."""
    return refusal(memory(SCALAR, shape, device, layout), device)


def refusal(needed: Memory, device: Device) -> DoesNotFit | None:
    """None if these bytes fit; else a refusal that names the largest part. Of one configuration."""
    total = needed.total_bytes
    if total <= device.memory_bytes:
        return None
    largest = max(PARTS, key=lambda part: getattr(needed, f"{part}_bytes"))
    return DoesNotFit(needed_bytes=total, available_bytes=device.memory_bytes, largest=largest)


def _costs(x: Space, shape: Shape, device: Device, layout: Layout) -> _Costs:
    held = parameters(shape, layout)
    common, experts = shares(x, device.precision, layout)
    token = kept(x, shape, device.precision, layout)
    tokens = layout.sequence * layout.micro_batch / layout.context
    anew = x.maximum(layout.full_recompute, layout.offload)
    brief = tokens * (anew * token.whole + token.widest) + gathered_bytes(x, shape, layout, held)
    return _Costs(
        held, common, experts, token, tokens, tokens * (1.0 - layout.offload), RUNTIME_BYTES + brief
    )


def _varying(costs: _Costs, stage: Stage) -> Number:
    """Bytes that differ between stages."""
    held, common, token = costs.held, costs.common, costs.token
    lasting = (stage.layers * held.layer + stage.dense * held.dense + stage.moe * held.moe) * common.all
    lasting = lasting + stage.moe * held.experts * costs.experts.all
    tables = (stage.tables * held.table + stage.positions * held.positions) * common.table
    kept_bytes = stage.layers * token.layer + stage.dense * token.dense + stage.moe * token.moe
    passing = costs.staying * stage.held * kept_bytes + costs.tokens * stage.output * token.output
    return lasting + tables + passing


def _parts(costs: _Costs, stage: Stage) -> Memory:
    held, common, experts, token = costs.held, costs.common, costs.experts, costs.token
    matrices = stage.layers * held.layer + stage.dense * held.dense + stage.moe * held.moe
    routed = stage.moe * held.experts
    per_token = stage.layers * token.layer + stage.dense * token.dense + stage.moe * token.moe
    return Memory(
        matrices * common.weight + routed * experts.weight,
        matrices * common.gradient + routed * experts.gradient,
        matrices * common.optimizer + routed * experts.optimizer,
        (stage.tables * held.table + stage.positions * held.positions) * common.table,
        costs.staying * stage.held * per_token,
        costs.tokens * stage.output * token.output,
        costs.workspace_bytes,
    )
