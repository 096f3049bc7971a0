"""Arguments that several tasks take: what is given, checked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from numbers import Integral
from typing import Any

import xarray as xr

from xocean_ml.errors import FieldNotFound

__all__ = ["are_simulated", "datasets_of", "known_options", "updates", "variable_there", "whole"]


def whole(name: str, given: Any, least: int | None = None) -> None:
    """Refuse what is no whole number, or too small a one."""
    number = isinstance(given, Integral) and not isinstance(given, bool)
    if not number or (least is not None and given < least):
        more = "" if least is None else f" of at least {least}"
        raise ValueError(f"{name}={given!r}: a whole number{more} is needed")


def updates(steps: int | None, usual: int) -> int:
    """How many updates of the weights are asked for: the usual number by default."""
    steps = usual if steps is None else steps
    whole("steps", steps, least=1)
    return int(steps)


def datasets_of(task: str, ds: Any, also: Any) -> list[xr.Dataset]:
    """All Datasets of a call: its own, and one or several beside it."""
    several = [also] if isinstance(also, (xr.Dataset, xr.DataArray)) else list(also)
    for each in (ds, *several):
        if not isinstance(each, xr.Dataset):
            hint = "; use .to_dataset()" if isinstance(each, xr.DataArray) else ""
            raise TypeError(f"{task} takes Datasets, not {type(each).__name__}{hint}")
    return [ds, *several]


def variable_there(key: str, name: str, there: Collection[str]) -> None:
    """Refuse the name of a variable, given for a field, that is none of those there."""
    if name not in there:
        raise FieldNotFound(
            f"{key}: fields= names the variable {name!r}, which no Dataset has; there are "
            f"{sorted(there)}"
        )


def known_options(called: str, own: Sequence[str], options: Iterable[str]) -> None:
    """Refuse options that a model does not take."""
    unknown = sorted(set(options) - set(own))
    if unknown:
        raise TypeError(
            f"model {called} does not take {', '.join(unknown)}; of its own it takes "
            f"{', '.join(own) or 'nothing'}"
        )


def are_simulated(datasets: Sequence[xr.Dataset]) -> bool:
    """Whether any of the Datasets says that it is simulated."""
    return any("xocean_ml.simulate" in str(each.attrs.get("history", "")) for each in datasets)
