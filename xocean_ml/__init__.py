"""Ocean machine learning on labelled arrays.

Importing this package registers the accessors ``.ml_smooth``, ``.downscale``, ``.assimilate`` and
``.genda`` on `xarray.Dataset` and `DataArray`. Everything else is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from xocean_ml import accessors as accessors

if TYPE_CHECKING:
    from xocean_ml.assimilation import assimilate
    from xocean_ml.downscaling import downscale
    from xocean_ml.errors import (
        AmbiguousField,
        FieldNotFound,
        GridError,
        ModelFileError,
        UnitsError,
        ValuesError,
        XOceanError,
    )
    from xocean_ml.generative import genda
    from xocean_ml.persist import load
    from xocean_ml.smoothing import increments, smooth

    from . import currents, evaluate, fields, metrics, observations, plot, simulate, tutorial

__version__ = "0.1.0"

__all__ = [
    "AmbiguousField",
    "FieldNotFound",
    "GridError",
    "ModelFileError",
    "UnitsError",
    "ValuesError",
    "XOceanError",
    "assimilate",
    "currents",
    "downscale",
    "evaluate",
    "fields",
    "genda",
    "increments",
    "load",
    "metrics",
    "observations",
    "plot",
    "simulate",
    "smooth",
    "tutorial",
]

_MODULES = (
    "currents",
    "evaluate",
    "fields",
    "metrics",
    "observations",
    "plot",
    "simulate",
    "tutorial",
)
_NAMES = {
    "assimilate": "xocean_ml.assimilation",
    "downscale": "xocean_ml.downscaling",
    "genda": "xocean_ml.generative",
    "load": "xocean_ml.persist",
    "increments": "xocean_ml.smoothing",
    "smooth": "xocean_ml.smoothing",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"xocean_ml.{name}")
    if name in __all__:
        return getattr(import_module(_NAMES.get(name, "xocean_ml.errors")), name)
    raise AttributeError(f"module 'xocean_ml' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
