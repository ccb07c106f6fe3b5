"""Models that people publish, by the names people call them.

The set that ships with the package is `data/models.yaml`. A tuned or quantised model has the dimensions of
its base: it is found by the base's name, whoever published it and whatever it ends in.
"""

from __future__ import annotations

import math
import re
from functools import cache
from importlib.resources import files

from stargate.base.document import parse, typed
from stargate.base.errors import NotFoundError
from stargate.base.faults import did_you_mean
from stargate.performance.models.architecture import Architecture
from stargate.performance.models.shape import shape_of

_ENDING = re.compile(
    r"[-_ .](?:instruct|chat|base|it|hf|thinking|static|per[-_ ]?tensor|dynamic|block|turbo|preview|"
    r"(?:nv|mx)?fp[48]|bf16|fp16|int[48]|w[48]a(?:8|16)|awq|gptq|gguf|[48][-_]?bits?|"
    r"lora|99(?:\.9)?|v\d(?:\.\d)?|\d{4})$",
    re.IGNORECASE,
)
"""What tuning, quantising and re-releasing append to a name: `-Instruct`, `-FP8`, `-NVFP4`, `-v0.1`, `-2507`."""

_LENGTH_MOST = 256
"""Characters of a name that are looked at."""
_SIZE = re.compile(
    r"(?<![\d.])(\d{1,4}(?:\.\d{1,3})?)([mbt])(?:-a(\d{1,4}(?:\.\d{1,3})?)b)?(?![a-z\d])", re.IGNORECASE
)
_UNIT = {"m": 1e6, "b": 1e9, "t": 1e12}
_VERSION = re.compile(r"^([a-z]+\d)\.(\d\.)")
"""A version before a size: `llama3.1.405b` goes by `llama31.405b` as well."""


@cache
def models() -> tuple[Architecture, ...]:
    """The set that ships with the package, in the order of its file."""
    text = files("stargate.performance").joinpath("data/models.yaml").read_text(encoding="utf-8")
    (document,) = parse(text, "stargate/performance/data/models.yaml")
    return typed(document, tuple[Architecture, ...], "models")


def simplified(name: str) -> str:
    """A name without organisation (`meta-llama/`), case, and what separates words; between digits one point is kept.

    `Llama-2-70B`, `llama2-70b` and `LLAMA 2 70B` are the same; `OPT-1.3B` and `OPT-13B` are not.
    """
    words = re.sub(r"(?<=\d)[-_. ]+(?=\d)", ".", name.rpartition("/")[2])
    return re.sub(r"[-_ ]|(?<!\d)\.|\.(?!\d)", "", words).lower()


@cache
def _by_name() -> dict[str, Architecture]:
    """Names first, aliases after, versions without their point last: of equals, the one listed first is meant."""
    found = {simplified(model.name): model for model in reversed(models())}
    for model in models():
        for alias in model.aliases:
            found.setdefault(simplified(alias), model)
    for name, model in list(found.items()):
        found.setdefault(_VERSION.sub(r"\1\2", name), model)
    return found


def model_named(name: str) -> Architecture:
    """A shipped model by any of its names.

    The rule, in this order: a name or alias, compared without organisation, case, dashes, underscores and
    spaces; the same after taking one ending after another off it (`-Instruct`, `-FP8`, `-NVFP4`, `-2507`).
    A version may lack its point (`llama31-405b`).
    Raises NotFoundError with a near name.
    """
    known = _by_name()
    rest = name[:_LENGTH_MOST]
    while rest:
        found = known.get(simplified(rest))
        if found is not None:
            return found
        shorter = _ENDING.sub("", rest)
        if shorter == rest:
            break
        rest = shorter
    bare = name.rpartition("/")[2]
    names = [one for model in models() for one in (model.name, *model.aliases)]
    raise NotFoundError(f"no model is called {name!r}", did_you_mean(bare, names))


def model_like(name: str, parameters: float = 0.0, active: float = 0.0) -> Architecture | None:
    """The shipped model that stands in for one that is not known: of the same kind, nearest in size.

    `parameters`, and those `active` for a token, are counts; 0: as the name says them (`Foo-32B-A3B`, `Bar-13B`).
    None where neither says a size.
    """
    said = _SIZE.search(name[:_LENGTH_MOST])
    if not parameters and said:
        parameters = float(said[1]) * _UNIT[said[2].lower()]
        active = float(said[3]) * 1e9 if said[3] else 0.0
    if not parameters > 0:
        return None
    active = active if 0 < active < parameters else parameters
    routed = active < 0.9 * parameters

    def apart(model: Architecture) -> tuple[bool, float]:
        shape = shape_of(model)
        sizes = ((shape.parameters, parameters), (shape.active_parameters, active))
        return (model.experts is not None) != routed, sum(abs(math.log(one / two)) for one, two in sizes)

    return min(models(), key=apart)
