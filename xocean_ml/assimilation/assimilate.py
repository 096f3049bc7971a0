"""`assimilate`: from any subset of fields, or from points, to the whole state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from xocean_ml import metadata, units
from xocean_ml.assimilation.prepare import prepare
from xocean_ml.units.strings import linear

if TYPE_CHECKING:
    from xocean_ml.plan import Plan

__all__ = ["assimilate", "plan"]


def assimilate(
    ds: xr.Dataset,
    model: Any = None,
    *,
    also: Sequence[xr.Dataset] = (),
    fields: Mapping[str, str] | None = None,
    error: Any = None,
    members: int = 0,
    residual: bool = True,
    anomalies: bool = False,
    covariance: bool = False,
    seed: int = 0,
    device: str | None = None,
    **options: Any,
) -> xr.Dataset:
    """Recover the full state of the climate from what is observed of it.

    Parameters
    ----------
    ds : Dataset
        Observations: any of the model's fields, gridded with gaps, on the model's grid or on
        another, or points in any CF discrete-sampling geometry; in any units; numpy or dask.
    model : model, path, URL or name
        As `xocean_ml.assimilation.fit.fit` gives it.
    also : sequence of Dataset, optional
        Further observations. Times of the analysis are those of the first gridded field; of
        points alone, all steps from the first to the last.
    fields : mapping of str to str, optional
        Which variable is which field, e.g. ``{"sea_surface_temperature": "temp"}``.
    error : number, Quantity, DataArray, str or mapping, optional
        Standard error of the observations in their units, or by field
        (``{"sea_surface_temperature": 0.3}``); a string names a variable. By default what is
        linked as ``standard_error``, else none: what the latent cannot represent always counts.
        Where an array of errors has none, the observation is masked.
    members : int
        Draws from the posterior, along a new dimension ``realization``; 0 for the mean.
    residual : bool
        Whether what the latent cannot represent is analysed too, locally.
    anomalies : bool
        Give differences from the climatology.
    covariance : bool
        Give the covariance of the latent's error.
    seed : int
        Key of the draws, with time and member.
    device : str, optional
        Of the network: ``"cpu"``, ``"cuda"``. None: where the data are, else CUDA if there is one.
    **options
        Of the model's solver.

    Returns
    -------
    Dataset
        Every field of the model, complete, and its standard error ``<name>_spread``; ``latent``;
        and of each time ``observations`` (0: what is given is the prior), ``misfit``,
        ``chi_square`` and ``iterations``. Lazy if anything read is.

    Raises
    ------
    FieldNotFound, AmbiguousField, UnitsError
        Nothing that the model knows; several variables; other units, or values as in others.
    GridError
        No times, or of another frequency; all points outside the domain.
    ValuesError
        Errors that are not positive; infinite values (when computed).

    Warns
    -----
    UserWarning
        Observations on another grid, or that cannot be used.

    References
    ----------
    Brohan (2022 to 2024), machine learning for data assimilation, brohan.org.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xocean_ml.assimilation.fit import fit
    >>> lat = ("lat", [-30.0, 0, 30], {"units": "degrees_north"})
    >>> lon = ("lon", [0.0, 90, 180, 270], {"units": "degrees_east"})
    >>> time = xr.date_range("2000-01-16", periods=48, freq="MS")
    >>> same = np.random.default_rng(0).normal(size=(48, 1, 1))
    >>> attrs = {"standard_name": "sea_surface_temperature", "units": "degC"}
    >>> sst = xr.DataArray(
    ...     same + np.full((48, 3, 4), 15.0), {"time": time, "lat": lat, "lon": lon}, attrs=attrs)
    >>> ds = sst.to_dataset(name="sst")
    >>> model = fit(ds, "eof", latent=1)
    >>> seen = ds.where(ds.lat == 0)
    >>> full = assimilate(seen, model, error=0.1)
    >>> bool(abs(full.sst - ds.sst).max() < 0.1), float(full.observations[0])
    (True, 4.0)
    """
    ready = prepare(
        ds,
        model,
        also=also,
        fields=fields,
        error=error,
        members=members,
        residual=residual,
        anomalies=anomalies,
        covariance=covariance,
        seed=seed,
        device=device,
        **options,
    )
    changed = ready.run()
    out = metadata.finish(
        ready.source, changed, line=ready.history(), coordinates=ready.place.coordinates
    )
    quantities = units.with_spreads(ready.quantities, changed)
    if anomalies:
        quantities |= {n: linear(unit) for n, unit in quantities.items() if n in changed}
    return units.requantify(out, quantities)


def plan(ds: xr.Dataset, model: Any = None, **arguments: Any) -> Plan:
    """Tell what `assimilate` would do with the same arguments, before anything runs."""
    from xocean_ml.assimilation.planning import describe

    return describe(prepare(ds, model, **arguments))
