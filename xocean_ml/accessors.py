"""The accessors: they hold the object, delegate to one public function, and do nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import xarray as xr

if TYPE_CHECKING:
    from xocean_ml.persist import Model
    from xocean_ml.plan import Plan

__all__ = [
    "Assimilator",
    "DataArrayAssimilator",
    "DataArrayDownscaler",
    "DataArrayGenerator",
    "DataArraySmoother",
    "Downscaler",
    "Generator",
    "Smoother",
]


class _Accessor:
    """An accessor that is called: ``ds.NAME(model, **options)``."""

    def __init__(self, obj: xr.Dataset) -> None:
        self._ds = obj


@xr.register_dataset_accessor("ml_smooth")
class Smoother(_Accessor):
    """``ds.ml_smooth(...)``: smooth data-assimilation increments; see `xocean_ml.smooth`."""

    def __call__(self, model: Any = None, **arguments: Any) -> xr.Dataset:
        """Smooth increments: `xocean_ml.smooth` on this Dataset, same arguments."""
        from xocean_ml.smoothing import smooth

        return smooth(self._ds, model, **arguments)

    def plan(self, model: Any = None, **arguments: Any) -> Plan:
        """What the call with the same arguments would do: `xocean_ml.smoothing.plan`."""
        from xocean_ml.smoothing import plan

        return plan(self._ds, model, **arguments)

    def fit(self, kind: str = "tcn", **arguments: Any) -> Model:
        """Fit a smoother to this Dataset: `xocean_ml.smoothing.fit`."""
        from xocean_ml.smoothing.fit import fit

        return fit(self._ds, kind, **arguments)


@xr.register_dataset_accessor("downscale")
class Downscaler(_Accessor):
    """``ds.downscale(...)``: bring fields to a finer grid; see `xocean_ml.downscale`."""

    def __call__(self, model: Any = None, **arguments: Any) -> xr.Dataset:
        """Downscale: `xocean_ml.downscale` on this Dataset, same arguments."""
        from xocean_ml.downscaling import downscale

        return downscale(self._ds, model, **arguments)

    def plan(self, model: Any = None, **arguments: Any) -> Plan:
        """What the call with the same arguments would do: `xocean_ml.downscaling.plan`."""
        from xocean_ml.downscaling import plan

        return plan(self._ds, model, **arguments)

    def fit(self, kind: str = "liif", **arguments: Any) -> Model:
        """Train a network on these fine fields: `xocean_ml.downscaling.fit.fit`."""
        from xocean_ml.downscaling.fit import fit

        return fit(self._ds, kind, **arguments)


@xr.register_dataset_accessor("assimilate")
class Assimilator(_Accessor):
    """``ds.assimilate(...)``: the full state from any subset of it; see `xocean_ml.assimilate`."""

    def __call__(self, model: Any = None, **arguments: Any) -> xr.Dataset:
        """Assimilate: `xocean_ml.assimilate` on this Dataset, same arguments."""
        from xocean_ml.assimilation import assimilate

        return assimilate(self._ds, model, **arguments)

    def plan(self, model: Any = None, **arguments: Any) -> Plan:
        """What the call with the same arguments would do: `xocean_ml.assimilation.plan`."""
        from xocean_ml.assimilation import plan

        return plan(self._ds, model, **arguments)

    def fit(self, kind: str = "eof", **arguments: Any) -> Model:
        """Fit a model to these fields: `xocean_ml.assimilation.fit.fit`."""
        from xocean_ml.assimilation.fit import fit

        return fit(self._ds, kind, **arguments)

    def encode(self, model: Any = None, **arguments: Any) -> xr.Dataset:
        """The latent of these fields: `xocean_ml.assimilation.codes.encode`."""
        from xocean_ml.assimilation.codes import encode

        return encode(self._ds, model, **arguments)

    def decode(self, model: Any = None, **arguments: Any) -> xr.Dataset:
        """Fields of these latents: `xocean_ml.assimilation.codes.decode`."""
        from xocean_ml.assimilation.codes import decode

        return decode(self._ds, model, **arguments)

    def perturb(self, model: Any = None, change: Any = None, **arguments: Any) -> xr.Dataset:
        """What a change of some fields does to all: `xocean_ml.assimilation.perturb.perturb`."""
        from xocean_ml.assimilation.perturb import perturb

        return perturb(self._ds, model, change, **arguments)

    def fit_impact(self, series: xr.DataArray, model: Any = None, **arguments: Any) -> Model:
        """What a series does: `xocean_ml.assimilation.fit_impact.fit_impact`."""
        from xocean_ml.assimilation.fit_impact import fit_impact

        return fit_impact(self._ds, series, model, **arguments)

    def impact(self, model: Any, latents: Any = None, **arguments: Any) -> xr.Dataset:
        """Predict a series: `xocean_ml.assimilation.impact.impact`."""
        from xocean_ml.assimilation.impact import impact

        return impact(self._ds, model, latents, **arguments)


@xr.register_dataset_accessor("genda")
class Generator(_Accessor):
    """``ds.genda(...)``: ensembles of the surface ocean; see `xocean_ml.genda`."""

    def __call__(self, model: Any = None, **arguments: Any) -> xr.Dataset:
        """Draw members: `xocean_ml.genda` on this Dataset, same arguments."""
        from xocean_ml.generative import genda

        return genda(self._ds, model, **arguments)

    def plan(self, model: Any = None, **arguments: Any) -> Plan:
        """What the call with the same arguments would do: `xocean_ml.generative.plan`."""
        from xocean_ml.generative import plan

        return plan(self._ds, model, **arguments)

    def fit(self, kind: str = "diffusion", **arguments: Any) -> Model:
        """Train a prior on these complete fields: `xocean_ml.generative.fit.fit`."""
        from xocean_ml.generative.fit import fit

        return fit(self._ds, kind, **arguments)


class _ArrayAccessor:
    """The same for one DataArray: it is put into a Dataset, and taken out again."""

    _unnamed: ClassVar[str]
    _task: ClassVar[type[Smoother] | type[Downscaler] | type[Assimilator] | type[Generator]]

    def __init__(self, obj: xr.DataArray) -> None:
        self._name = obj.name if obj.name is not None else self._unnamed
        self._given = obj.name
        self._of = self._task(obj.to_dataset(name=self._name))

    def __call__(self, model: Any = None, **arguments: Any) -> xr.DataArray:
        """Do to this DataArray what the Dataset's accessor does, same arguments."""
        return self._of(model, **arguments)[self._name].rename(self._given)

    def plan(self, model: Any = None, **arguments: Any) -> Plan:
        """What the call with the same arguments would do."""
        return self._of.plan(model, **arguments)


@xr.register_dataarray_accessor("ml_smooth")
class DataArraySmoother(_ArrayAccessor):
    """``da.ml_smooth(...)``: the same for one increment, as a DataArray."""

    _unnamed, _task = "increment", Smoother

    def fit(self, kind: str = "tcn", **arguments: Any) -> Model:
        """Fit a smoother to this increment."""
        return self._of.fit(kind, **arguments)


@xr.register_dataarray_accessor("downscale")
class DataArrayDownscaler(_ArrayAccessor):
    """``da.downscale(...)``: the same for one field, as a DataArray, without its spread."""

    _unnamed, _task = "field", Downscaler

    def fit(self, kind: str = "liif", **arguments: Any) -> Model:
        """Train a network on this fine field."""
        return self._of.fit(kind, **arguments)


@xr.register_dataarray_accessor("assimilate")
class DataArrayAssimilator(_ArrayAccessor):
    """``da.assimilate(...)``: the same for one observed field: that field, complete."""

    _unnamed, _task = "field", Assimilator

    def fit(self, kind: str = "eof", **arguments: Any) -> Model:
        """Fit a model to this field."""
        return self._of.fit(kind, **arguments)


@xr.register_dataarray_accessor("genda")
class DataArrayGenerator(_ArrayAccessor):
    """``da.genda(...)``: the same for one observed field: members of that field."""

    _unnamed, _task = "field", Generator

    def fit(self, kind: str = "diffusion", **arguments: Any) -> Model:
        """Train a prior on this field."""
        return self._of.fit(kind, **arguments)
