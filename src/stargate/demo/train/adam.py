"""The optimiser: Adam (Kingma and Ba, arXiv:1412.6980), in place on flat vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stargate.demo.train.model import Vector

RATE = 3e-3
DECAY_1, DECAY_2 = 0.9, 0.999
EPSILON = np.float32(1e-8)


@dataclass
class State:
    """All that a step changes; with seed and text, all that is needed to go on."""

    step: int
    """Steps done."""
    parameters: Vector
    mean: Vector
    """Running mean of the gradient."""
    square: Vector
    """Running mean of its square."""

    @classmethod
    def begin(cls, parameters: Vector) -> State:
        """Before the first step."""
        return cls(0, parameters, np.zeros_like(parameters), np.zeros_like(parameters))

    def apply(self, gradient: Vector) -> None:
        """One step."""
        self.step += 1
        self.mean += np.float32(1 - DECAY_1) * (gradient - self.mean)
        self.square += np.float32(1 - DECAY_2) * (gradient * gradient - self.square)
        rate = np.float32(RATE * (1 - DECAY_2**self.step) ** 0.5 / (1 - DECAY_1**self.step))
        self.parameters -= rate * self.mean / (np.sqrt(self.square) + EPSILON)
