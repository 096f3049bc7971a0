"""Variables of the output: names, units and attributes of the input where it has the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from xocean_ml import metadata
from xocean_ml.assimilation.sources import OnGrid
from xocean_ml.generative.reading import CURRENTS
from xocean_ml.generative.sources import Observed

__all__ = ["Variable", "variables"]


@dataclass(frozen=True)
class Variable:
    """One variable.

    Parameters
    ----------
    name, dtype : str
    factor, offset : float
        From its units to the model's.
    attrs : dict
    """

    name: str
    dtype: str
    factor: float
    offset: float
    attrs: dict[str, Any]


def variables(config: Mapping[str, Any], found: Sequence[Observed]) -> tuple[Variable, ...]:
    """Of each field of the model, in its order; of several that observe it the first counts."""
    first: dict[int, Observed] = {}
    for each in found:
        first.setdefault(each.number, each)
    made: list[Variable] = []
    for number, told in enumerate(config["fields"]):
        one = _variable(told, first.get(number))
        # of several Datasets, fields may bear one name
        taken = {each.name for each in made}
        names = (one.name, str(told["name"]), str(told["key"]))
        made.append(replace(one, name=next(n for n in names if n not in taken)))
    return tuple(made)


def _variable(told: Mapping[str, Any], observed: Observed | None) -> Variable:
    attrs, name, own = dict(told["attrs"]), str(told["name"]), str(told["units"])
    dtype, factor, offset = str(told["dtype"]), 1.0, 0.0
    if observed is not None and (isinstance(observed.shift, float) or told["key"] in CURRENTS):
        seen = observed.seen
        own, name = seen.found.units or "1", seen.found.variable
        change = seen.found.conversion(told["units"])
        factor, offset = float(change.factor), float(change.offset)
        if isinstance(seen, OnGrid) and seen.how == "own":
            attrs = {k: v for k, v in seen.array.attrs.items() if k != "ancillary_variables"}
            if seen.array.dtype.kind == "f":
                dtype = seen.array.dtype.newbyteorder("=").str
    described = metadata.describe(attrs, role=told["role"], units=own)
    return Variable(name, dtype, factor, offset, described)
