"""The text to learn: the reference manual that every Python carries with it (`pydoc_data.topics`)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pydoc_data import topics

import numpy as np
from numpy.typing import NDArray

HELD_OUT = 10
"""One part in this many, the last one, is never trained on."""

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Text:
    """The text as numbers, one per character, in two parts."""

    train: Codes
    held_out: Codes
    alphabet: int
    """How many different characters there are."""
    digest: str
    """SHA-256 of the text: the manual differs between versions of Python, and so do results."""


def load_text() -> Text:
    """The manual, topics in alphabetical order."""
    text = "\n".join(topics.topics[name] for name in sorted(topics.topics))
    letters = sorted(set(text))
    number = {letter: n for n, letter in enumerate(letters)}
    codes = np.array([number[letter] for letter in text], dtype=np.int64)
    cut = len(codes) - len(codes) // HELD_OUT
    return Text(codes[:cut], codes[cut:], len(letters), hashlib.sha256(text.encode()).hexdigest())
