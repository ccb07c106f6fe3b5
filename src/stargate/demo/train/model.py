"""A character model: the next character from the last eight, by an embedding and one hidden layer.

After Bengio et al., "A neural probabilistic language model", JMLR 3 (2003), without its direct connections. All
parameters lie in one flat vector, so that gradients can be summed and sent as one piece.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from stargate.demo.train.draw import uniform
from stargate.demo.train.text import Codes

CONTEXT = 8
WIDTH = 16
HIDDEN = 200

Vector = NDArray[np.float32]
"""Parameters, gradients, and everything of their shape."""


class Model:
    """The shape of the model for an alphabet; holds no parameters itself."""

    def __init__(self, alphabet: int) -> None:
        self.alphabet = alphabet
        self._shapes = (
            (alphabet, WIDTH),
            (CONTEXT * WIDTH, HIDDEN),
            (HIDDEN,),
            (HIDDEN, alphabet),
            (alphabet,),
        )
        self._ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes])
        self.size = int(self._ends[-1])
        self._one_hot = np.eye(alphabet, dtype=np.float32)

    def initial(self, seed: int) -> Vector:
        """First parameters: uniform, as wide as the square root of what flows in allows; biases 0."""
        flat = uniform(seed, self.size)
        embedding, hidden, hidden_bias, output, output_bias = self._parts(flat)
        embedding *= np.float32(0.1)
        hidden *= np.float32(1 / sqrt(CONTEXT * WIDTH))
        output *= np.float32(1 / sqrt(HIDDEN))
        hidden_bias[:] = 0
        output_bias[:] = 0
        return flat

    def examples(self, text: Codes, positions: NDArray[np.int64]) -> tuple[Codes, Codes]:
        """The contexts that begin at these positions, and the character that follows each."""
        return text[positions[:, None] + np.arange(CONTEXT)], text[positions + CONTEXT]

    def gradient(self, flat: Vector, contexts: Codes, targets: Codes) -> tuple[Vector, np.float32]:
        """The gradient of the mean loss of a batch, and that loss (nats per character)."""
        _, hidden, _, output, _ = self._parts(flat)
        inputs, active, loss, surprise = self._forward(flat, contexts, targets)
        count = np.float32(len(targets))
        surprise[np.arange(len(targets)), targets] -= 1
        surprise /= count
        result = np.empty(self.size, dtype=np.float32)
        d_embedding, d_hidden, d_hidden_bias, d_output, d_output_bias = self._parts(result)
        np.matmul(active.T, surprise, out=d_output)
        np.sum(surprise, axis=0, out=d_output_bias)
        below = (surprise @ output.T) * (1 - active * active)
        np.matmul(inputs.T, below, out=d_hidden)
        np.sum(below, axis=0, out=d_hidden_bias)
        d_inputs = (below @ hidden.T).reshape(-1, WIDTH)
        np.matmul(self._one_hot[contexts.reshape(-1)].T, d_inputs, out=d_embedding)
        return result, np.float32(loss.mean())

    def loss(self, flat: Vector, contexts: Codes, targets: Codes) -> Vector:
        """The loss of each example."""
        return self._forward(flat, contexts, targets)[2]

    def _forward(
        self, flat: Vector, contexts: Codes, targets: Codes
    ) -> tuple[Vector, Vector, Vector, Vector]:
        embedding, hidden, hidden_bias, output, output_bias = self._parts(flat)
        inputs = embedding[contexts].reshape(len(contexts), -1)
        active = np.tanh(inputs @ hidden + hidden_bias)
        scores = active @ output + output_bias
        scores -= scores.max(axis=1, keepdims=True)
        likely = np.exp(scores)
        total = likely.sum(axis=1, keepdims=True)
        loss = np.log(total[:, 0]) - scores[np.arange(len(targets)), targets]
        return inputs, active, loss, likely / total

    def _parts(self, flat: Vector) -> list[Vector]:
        """Views of the flat vector: embedding, hidden, its bias, output, its bias."""
        starts = [0, *self._ends[:-1]]
        return [
            flat[start:end].reshape(shape)
            for start, end, shape in zip(starts, self._ends, self._shapes, strict=True)
        ]
