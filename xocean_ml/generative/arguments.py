"""Arguments of `genda`: what is given, checked, in the form that the rest expects."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import fields as cf
from xocean_ml import persist
from xocean_ml.assimilation.sources import errors_by_key
from xocean_ml.errors import FieldNotFound, warn
from xocean_ml.fields.search import row_of
from xocean_ml.generative.diffusion import Diffusion
from xocean_ml.generative.generator import Generator
from xocean_ml.generative.reading import HEIGHTS

__all__ = [
    "begin",
    "check_options",
    "chosen_model",
    "datasets_of",
    "errors_of",
    "footprints_of",
    "is_there",
    "named_by",
    "same_fields",
    "tell_packaged",
    "whole",
    "width_of",
]

CHOICES = {"guidance": ("gaussian", "sda")}
"""What options may be."""


def datasets_of(ds: Any, also: Any) -> list[xr.Dataset]:
    """All observations: of the call, and beside it."""
    if isinstance(also, xr.Dataset):
        also = [also]
    if isinstance(also, Mapping):
        also = [*also.values()]
    several = [] if also is None else [also] if isinstance(also, xr.DataArray) else list(also)
    for each in (ds, *several):
        if not isinstance(each, xr.Dataset):
            hint = "; use .to_dataset()" if isinstance(each, xr.DataArray) else ""
            raise TypeError(f"genda takes Datasets, not {type(each).__name__}{hint}")
    return [ds, *several]


def chosen_model(model: Any) -> tuple[Generator, str | None]:
    """The model of a call, and where it was loaded from."""
    origin = None
    if model is None:
        model = "diffusion"
    if isinstance(model, (str, os.PathLike)):
        origin = os.fspath(model)
        model = persist.load(model)
    if not isinstance(model, Generator) or "cell" not in model.config:
        raise TypeError(f"model {model!r} makes no members: hires.genda.fit() makes one that does")
    return model, origin


def begin(start: Any) -> Diffusion:
    """The prior that training goes on from."""
    model = persist.load(start) if isinstance(start, (str, os.PathLike)) else start
    if not isinstance(model, Diffusion):
        raise TypeError(f"start={start!r}: it is a diffusion prior, or a name or file of one")
    return model


def same_fields(start: Diffusion, fields: Sequence[Mapping[str, Any]]) -> None:
    """Refuse to go on from a prior of other fields."""
    has, asked = ([str(each["key"]) for each in some] for some in (start.config["fields"], fields))
    if has != asked:
        raise ValueError(f"start= is a prior of {', '.join(has)}; asked are {', '.join(asked)}")


def tell_packaged(datasets: Sequence[xr.Dataset]) -> None:
    """Warn of observations that are not simulated: the packaged prior knows no ocean."""
    if any("xocean_ml.simulate" in str(each.attrs.get("history", "")) for each in datasets):
        return
    warn(
        "the packaged prior knows simulated turbulence: it is there to try things out, and makes "
        "no ocean product. Train one on fields of your own: hires.genda.fit()"
    )


def whole(name: str, given: Any, least: int | None = None) -> None:
    """Refuse what is no whole number, or too small a one."""
    number = isinstance(given, (int, np.integer)) and not isinstance(given, bool)
    if not number or (least is not None and given < least):
        more = "" if least is None else f" of at least {least}"
        raise ValueError(f"{name}={given!r}: a whole number{more} is needed")


def check_options(model: Generator, options: Mapping[str, Any]) -> None:
    """Refuse options that a model does not take."""
    unknown = sorted(set(options) - set(model.options))
    if unknown:
        raise TypeError(
            f"model {model!r} does not take {', '.join(unknown)}; of its own it takes "
            f"{', '.join(model.options) or 'nothing'}"
        )
    for name, allowed in CHOICES.items():
        if name in options and options[name] not in allowed:
            raise ValueError(
                f"{name}={options[name]!r}: it is one of {', '.join(map(repr, allowed))}"
            )
    if "steps" in options:
        whole("steps", options["steps"], least=2)


def named_by(
    fields: Mapping[str, str] | None, model: Generator, plain: Sequence[xr.Dataset]
) -> dict[str, str]:
    """Variables by key, as the user says."""
    there = {str(name) for ds in plain for name in ds.variables}
    made = {}
    for key, name in (fields or {}).items():
        if name not in there:
            raise FieldNotFound(
                f"{key}: fields= names the variable {name!r}, which no Dataset has; there are "
                f"{sorted(there)}"
            )
        made[key if key == "mean_dynamic_topography" else row_of(key).key] = str(name)
    return made


def errors_of(
    error: Any, keys: Sequence[str], plain: Sequence[xr.Dataset], named: Mapping[str, str]
) -> dict[str, Any]:
    """Standard errors by key."""
    if error is None or isinstance(error, Mapping):
        return errors_by_key(error, keys, ())
    there = [key for key in keys if any(is_there(ds, key, named) for ds in plain)]
    return errors_by_key(error, keys, there)


def is_there(ds: xr.Dataset, key: str, named: Mapping[str, str]) -> bool:
    """Whether a field is observed in a Dataset."""
    # heights are of either datum
    for either in HEIGHTS if key in HEIGHTS else (key,):
        own = {k: v for k, v in named.items() if v in ds.variables and k == either}
        try:
            cf.find(ds, either, fields=own)
        except FieldNotFound:
            continue
        return True
    return False


def footprints_of(given: Any, keys: Sequence[str]) -> dict[str, float]:
    """Widths of footprints, km, by key."""
    if given is None:
        return {}
    told = given if isinstance(given, Mapping) else dict.fromkeys(keys, given)
    return {row_of(str(key)).key: width_of(each, str(key)) for key, each in told.items()}


def width_of(given: Any, what: str) -> float:
    """Width of a footprint, km."""
    number = np.nan
    if isinstance(given, (Real, np.number)) and not isinstance(given, (bool, np.bool_)):
        number = float(given)
    if not np.isfinite(number) or number <= 0:
        raise ValueError(f"footprint of {what}: {given!r}; a width in km, above 0, is needed")
    return number
