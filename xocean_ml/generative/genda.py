"""`genda`: ensembles of the surface ocean from whatever observes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from xocean_ml import currents, metadata, units
from xocean_ml.generative.prepare import Ready, prepare
from xocean_ml.generative.reading import CURRENTS, HEIGHTS
from xocean_ml.plan import Plan

__all__ = ["genda", "plan"]


def genda(
    ds: xr.Dataset,
    model: Any = None,
    *,
    also: xr.Dataset | Sequence[xr.Dataset] | Mapping[str, xr.Dataset] = (),
    members: int = 8,
    like: xr.Dataset | xr.DataArray | None = None,
    fields: Mapping[str, str] | None = None,
    error: Any = None,
    footprint: float | Mapping[str, float] | None = None,
    window: Any = None,
    coherence: Any = None,
    seed: int = 0,
    device: str | None = None,
    **options: Any,
) -> xr.Dataset:
    """Draw states of the surface ocean that agree with observations.

    Parameters
    ----------
    ds : Dataset
        Observations of any of the prior's fields, found by CF names, in any units: on a grid with
        gaps, on the members' grid or another, with time; or at points, along tracks and swaths.
        Standard errors are told by ancillary variables, or by `error`.
    model : model, path or name, optional
        A prior; None is the packaged one, of simulated turbulence.
    also : Dataset, or several
        Further observations.
    members : int
        How many states.
    like : Dataset or DataArray, optional
        Grid of the members, its land (what is missing at all times, or a mask), and their times
        if it has any. By default the grid of the observations whose cells are nearest to those of
        the training, all of it sea unless a mask or twenty times tell otherwise; and the times of
        the first gridded observations, or the days of points, at noon. Dask arrays are computed.
    fields : mapping of str to str, optional
        Variables by key, where metadata do not tell; ``"mean_dynamic_topography"`` too.
    error : number, Quantity, DataArray, str, or mapping of these by key, optional
        Standard errors, in place of ancillary ones; of each observation, independent.
    footprint : number or mapping by key, optional
        Full width at half maximum, km, of the Gaussian that gridded observations are means over;
        by default their attribute ``footprint_km``, and without it coarse cells are means over
        their area. The errors of cells within a footprint count as one error.
    window : str or timedelta, optional
        ``"10D"``: observations of five days before and after are used too, with errors that grow
        with age as the fields of the training change. By default each is used at the nearest
        time alone.
    coherence : str or timedelta, optional
        Time in which the chance of a member becomes another, so that members are continuous. By
        default each time has its own.
    seed : int
        Of chance, keyed by time, member and place.
    device : str, optional
        ``"cpu"`` or ``"cuda"``.
    **options
        Of the model. Diffusion: ``steps`` (32), ``guidance`` ("gaussian"; "sda" is the published
        form), ``corrector`` (False).

    Returns
    -------
    Dataset
        Every field of the prior on (realization, time, rows, columns), in the units and by the
        name of the first observation of it, else of the training; and ``observations``, how many
        were used at each time: where there are none, members are those of the prior.

    Raises
    ------
    FieldNotFound, AmbiguousField, UnitsError
        Nothing that the prior knows is observed; heights above the geoid where the prior knows
        anomalies, or the other way, without a mean topography; units that cannot be.
    GridError
        No grid for the members, cells of quite another size than those of the training;
        observations outside the domain or the times.
    ValuesError
        Errors of zero or less; infinite values.
    TypeError, ValueError
        Options that the model does not take; a number of members below 1.

    Notes
    -----
    By default each step of the sampler takes observations in with the covariance of the denoiser
    itself (`xocean_ml.solvers.guidance`).

    References
    ----------
    Martin, Manucharyan & Klein (2025), Generative data assimilation for surface ocean state
    estimation from multi-modal satellite observations. J. Adv. Model. Earth Syst. 17.

    Examples
    --------
    >>> import numpy as np
    >>> from xocean_ml import simulate, tutorial
    >>> from xocean_ml.generative.fit import fit
    >>> truth = tutorial.open_dataset("surface").isel(latitude=slice(32), longitude=slice(32))
    >>> prior = fit(truth, "oi")
    >>> seen, *more = simulate.observe(truth.isel(time=[0]), nadirs=2, coarse=True).values()
    >>> made = genda(seen, prior, also=more, members=4, like=truth.isel(time=[0]))
    >>> made.ssh.dims, made.ssh.sizes["realization"]
    (('realization', 'time', 'latitude', 'longitude'), 4)
    """
    ready = prepare(
        ds,
        model,
        also=also,
        members=members,
        like=like,
        fields=fields,
        error=error,
        footprint=footprint,
        window=window,
        coherence=coherence,
        seed=seed,
        device=device,
        **options,
    )
    changed = ready.run()
    source = xr.Dataset(attrs=ready.attrs)
    sides = {
        str(s.coordinate.name): s.coordinate.reset_coords(drop=True) for s in ready.domain.sides
    }
    out = metadata.finish(
        source, changed, line=ready.history(), coordinates=xr.Dataset(coords=sides)
    )
    return units.requantify(_whole_currents(out, ready), ready.quantities)


def plan(ds: xr.Dataset, model: Any = None, **arguments: Any) -> Plan:
    """Tell what `genda` would do with the same arguments, before anything runs."""
    from xocean_ml.generative.planning import describe

    return describe(prepare(ds, model, **arguments))


def _whole_currents(out: xr.Dataset, ready: Ready) -> xr.Dataset:
    """Currents with the geostrophic part that the prior was trained without."""
    config = ready.model.config
    if config["smooth"] is None:
        return out
    names = dict(zip([each["key"] for each in config["fields"]], ready.variables, strict=True))
    height = out[[next(names[key].name for key in HEIGHTS if key in names)]]
    if ready.mdt is not None:
        height = height.assign(mdt=ready.mdt)
    rest = xr.Dataset(attrs=out.attrs)
    for key in CURRENTS:
        array = out[names[key].name]
        told = {
            f"total_{k}": v for k, v in array.attrs.items() if k in ("standard_name", "long_name")
        }
        kept = {"units": array.attrs["units"], "smoothed_over_cells": config["smooth"], **told}
        rest[f"{names[key].name}_ageostrophic"] = array.drop_attrs(deep=False).assign_attrs(kept)
    known = {key: names[key].name for key in HEIGHTS if key in names}
    whole = currents.join(rest, ssh=height, smooth=float(config["smooth"]), fields=known)
    made = {names[key].name: whole[names[key].name] for key in CURRENTS}
    return out.assign({name: each.assign_attrs(out[name].attrs) for name, each in made.items()})
