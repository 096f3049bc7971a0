"""Arguments of `genda`: what is given, checked, in the form that the rest expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import fields as cf
from xocean_ml import persist
from xocean_ml.arguments import are_simulated, datasets_of, known_options, variable_there, whole
from xocean_ml.assimilation.sources import errors_by_key
from xocean_ml.errors import warn
from xocean_ml.fields.search import row_of
from xocean_ml.generative.diffusion import GUIDANCE, Diffusion
from xocean_ml.generative.generator import Generator
from xocean_ml.generative.reading import HEIGHTS

__all__ = [
    "begin",
    "check_options",
    "chosen_model",
    "errors_of",
    "footprints_of",
    "is_there",
    "named_by",
    "observations_of",
    "same_fields",
    "tell_packaged",
    "width_of",
]

CHOICES = {"guidance": GUIDANCE}
"""What options may be."""


def observations_of(ds: Any, also: Any) -> list[xr.Dataset]:
    """All observations: of the call, and beside it."""
    if isinstance(also, Mapping) and not isinstance(also, xr.Dataset):
        also = also.values()
    return datasets_of("genda", ds, () if also is None else also)


def chosen_model(model: Any) -> tuple[Generator, str | None]:
    """The model of a call, and where it was loaded from."""
    model, origin = persist.loaded("diffusion" if model is None else model)
    if not isinstance(model, Generator) or "cell" not in model.config:
        raise TypeError(f"model {model!r} makes no members: hires.genda.fit() makes one that does")
    return model, origin


def begin(start: Any) -> Diffusion:
    """The prior that training goes on from."""
    model, _ = persist.loaded(start)
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
    if not are_simulated(datasets):
        warn(
            "the packaged prior knows simulated turbulence: it is there to try things out, and "
            "makes no ocean product. Train one on fields of your own: hires.genda.fit()"
        )


def check_options(model: Generator, options: Mapping[str, Any]) -> None:
    """Refuse options that a model does not take."""
    known_options(repr(model), model.options, options)
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
        variable_there(key, name, there)
        made[key if key == "mean_dynamic_topography" else row_of(key).key] = str(name)
    return made


def errors_of(
    error: Any, keys: Sequence[str], plain: Sequence[xr.Dataset], named: Mapping[str, str]
) -> dict[str, Any]:
    """Standard errors by key."""
    return errors_by_key(error, keys, lambda key: any(is_there(ds, key, named) for ds in plain))


def is_there(ds: xr.Dataset, key: str, named: Mapping[str, str]) -> bool:
    """Whether a field is observed in a Dataset."""
    # heights are of either datum
    for either in HEIGHTS if key in HEIGHTS else (key,):
        own = {k: v for k, v in named.items() if v in ds.variables and k == either}
        if cf.look_for(ds, either, fields=own):
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
