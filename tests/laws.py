"""What the law tests need to know of an accessor: how to call it and on what.

A new accessor joins by adding one `Case`; `tests/test_laws.py` then holds it to every law.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from samples import clean_increments

from xocean_ml.smoothing import Dong


@dataclass(frozen=True)
class Case:
    """One way of calling an accessor.

    Parameters
    ----------
    accessor : str
        Name on the Dataset.
    sample : callable
        Makes a small in-memory Dataset on (time, depth, lat, lon), periodic in longitude.
    variable : str
        Variable that changes; its units are K or a rate or difference of K.
    options : dict
        Arguments of the call.
    model : callable, optional
        Makes a model that can be saved, for the save/load law; it is called with where `options`
        name none.
    tolerance : float
        Relative: 1e-5 for networks, rounding for sums.
    refines : bool
        Whether the answer lies on another horizontal grid; then cells see their neighbours.
    joint : bool
        Whether all cells are seen together.
    allowed : tuple of str
        How CF findings begin that the answer has on purpose.
    """

    accessor: str
    sample: Callable[[], xr.Dataset]
    variable: str
    options: dict[str, Any] = field(default_factory=dict)
    model: Callable[[], Any] | None = None
    tolerance: float = 1e-12
    refines: bool = False
    joint: bool = False
    allowed: tuple[str, ...] = ()

    @property
    def chosen(self) -> Any:
        """The model that is called with."""
        named = self.options.get("model")
        return self.model() if named is None and self.model is not None else named

    def __call__(self, ds: xr.Dataset, model: Any = None, **more: Any) -> xr.Dataset:
        options = dict(self.options) | more
        options.pop("model", None)
        return getattr(ds, self.accessor)(self.chosen if model is None else model, **options)

    def save_and_load(self, folder: Path) -> tuple[Any, Any]:
        """A model and the same model read back."""
        from xocean_ml import load

        assert self.model is not None
        model = self.model()
        model.save(folder / "model.safetensors")
        return model, load(folder / "model.safetensors")


def _double() -> xr.Dataset:
    ds = clean_increments(steps=60)
    return ds.assign({n: ds[n].astype("f8") for n in ("increment", "spread")})


def _state() -> xr.Dataset:
    ds = _double()
    attrs = {"standard_name": "sea_water_potential_temperature", "units": "K"}
    attrs |= {"long_name": "analysis", "units_metadata": "temperature: on_scale"}
    return ds.assign(analysis=(ds.increment.cumsum("time") + 280).assign_attrs(attrs))


def _learned(name: str, sample: Any = _double, variable: str = "increment", **options: Any) -> Any:
    import pytest

    from xocean_ml import load

    # float32 inside: a tolerance, never bits; an ensemble of two is seen as one of that spread.
    options = {"model": "tcn", "conserve": "YS"} | options
    case = Case("ml_smooth", sample, variable, options, lambda: load("tcn"), tolerance=1e-5)
    return pytest.param(case, id=f"ml_smooth-tcn-{name}")


def _finer(name: str, **options: Any) -> Any:
    import pytest

    from xocean_ml.downscaling.bicubic import Bicubic

    options = {"model": "bicubic"} | options
    case = Case("downscale", _coarse, "increment", options, Bicubic, refines=True)
    return pytest.param(case, id=f"downscale-bicubic-{name}")


def _coarse() -> xr.Dataset:
    """On cells enough to have neighbours, with an island and variables of other kinds."""
    ds = clean_increments(steps=7, cells=(5, 8)).astype("f8", keep_attrs=True)
    ds = ds.assign(
        {n: ds[n].where((ds.lat != 0) | (ds.lon < 200)) for n in ("increment", "spread")}
    )
    index = ("time", np.arange(7.0), {"long_name": "index", "units": "1"})
    return ds.assign(index=index, version=((), 3, {"long_name": "version"}))


def _other_grid() -> xr.DataArray:
    """Finer in other ratios, the other way up, in other longitudes, under other names."""
    attrs = {"standard_name": "latitude", "units": "degrees_north"}
    lat = xr.Variable("latitude", np.linspace(20, -21, 17), attrs)
    attrs = {"standard_name": "longitude", "units": "degrees_east"}
    lon = xr.Variable("longitude", np.linspace(-170, 177, 33), attrs)
    return xr.DataArray(
        np.zeros((17, 33)), {"latitude": lat, "longitude": lon}, lat.dims + lon.dims
    )


def _surface() -> xr.Dataset:
    ds = _state()
    attrs = {**ds.analysis.attrs, "standard_name": "sea_surface_temperature"}
    sst = ds.analysis.assign_attrs(attrs)
    return ds.drop_vars(["increment", "spread", "analysis"]).assign(sst=sst)


LATENT = ("§2.4 Dimensions: latent's spatio-temporal dimensions",)
"""CF would have the latent's own dimension before time, where nobody looks for it."""


@functools.cache
def _eof() -> Any:
    from xocean_ml.assimilation.fit import fit

    return fit(_surface(), "eof", latent=4)


def _whole(name: str, **options: Any) -> Any:
    import pytest

    options = {"error": 0.5} | options
    case = Case("assimilate", _surface, "sst", options, _eof, 1e-9, joint=True, allowed=LATENT)
    return pytest.param(case, id=f"assimilate-{name}")


def _smooth(name: str, sample: Any = _double, variable: str = "increment", **options: Any) -> Any:
    import pytest

    options = {"model": "dong", "decay": "90D", "conserve": "YS"} | options
    case = Case("ml_smooth", sample, variable, options, lambda: Dong(90.0))
    return pytest.param(case, id=f"ml_smooth-{name}")


CASES = [
    _smooth("open", conserve=None),
    _smooth("cell"),
    _smooth("cell-spread", spread="spread"),
    _smooth("column", conserve_over="column"),
    _smooth("column-spread", conserve_over="column", spread="spread"),
    _smooth("global", conserve_over="global"),
    _smooth("global-spread", conserve_over="global", spread="spread"),
    _smooth("running", conserve="running:1Y"),
    _smooth("running-global", conserve="running:1Y", conserve_over="global"),
    _smooth("fit", decay="fit"),
    _learned("open", conserve=None),
    _learned("cell"),
    _learned("global", conserve_over="global"),
    _learned("state", _state, "analysis", mode="state"),
    _finer("factor", factor=3),
    _finer("factors", factor={"lat": 2.4, "lon": 4}),
    _finer("like", like=_other_grid()),
    _finer("conserve", factor=3, conserve=True),
    _whole("residual"),
    _whole("open", residual=False),
    _smooth("state-open", _state, "analysis", mode="state", conserve=None),
    _smooth("state-cell", _state, "analysis", mode="state"),
    _smooth("state-global", _state, "analysis", mode="state", conserve_over="global"),
]
