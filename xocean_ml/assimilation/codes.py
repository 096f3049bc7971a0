"""Between fields and latents: `encode` and `decode`, and what a model draws by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import chunked, metadata, persist
from xocean_ml.assimilation.assimilate import assimilate
from xocean_ml.assimilation.assimilator import Assimilator
from xocean_ml.assimilation.output import Place, place_of
from xocean_ml.assimilation.prepare import chosen_model
from xocean_ml.assimilation.reading import seasons, told_apart
from xocean_ml.assimilation.tables import Moment
from xocean_ml.calls import history
from xocean_ml.chunked import Input, Output
from xocean_ml.errors import FieldNotFound, GridError

__all__ = ["LATENT", "decode", "encode", "sample"]

LATENT = "latent_number"
"""Dimension of the latent."""


def encode(ds: xr.Dataset, model: Any = None, **arguments: Any) -> xr.Dataset:
    """Find the latent of fields.

    Parameters
    ----------
    ds : Dataset
        Fields, complete or not.
    model, **arguments
        As for `assimilate`, of which this is the latent and what is told of each time.

    Returns
    -------
    Dataset
        ``latent`` (time, latent_number), and the diagnostics.
    """
    arguments = {"residual": False, **arguments}
    full = assimilate(ds, model, **arguments)
    kept = [str(name) for name, each in full.data_vars.items() if LATENT in each.dims]
    return full[[*kept, "observations", "misfit", "chi_square"]]


def decode(ds: xr.Dataset, model: Any = None, *, anomalies: bool = False) -> xr.Dataset:
    """Make fields of latents.

    Parameters
    ----------
    ds : Dataset
        With ``latent`` (time, ..., latent_number), as `encode` and `assimilate` give it.
    model : model, path, URL or name
    anomalies : bool
        Give differences from the climatology.

    Returns
    -------
    Dataset
        Every field of the model on its grid, in the units that it was fitted in.

    Raises
    ------
    FieldNotFound, GridError
        No latent; one of another size; no times.
    """
    chosen, origin = chosen_model(model)
    if "latent" not in ds.data_vars:
        raise FieldNotFound(f"there is no variable 'latent'; there are {sorted(map(str, ds))}")
    latent = ds["latent"]
    if LATENT not in latent.dims or latent.sizes[LATENT] != chosen.latent:
        raise GridError(
            f"latent has {dict(latent.sizes)}: {LATENT} of {chosen.latent} is needed by this model"
        )
    time = next((d for d in latent.dims if d in ds.coords and ds[d].dtype.kind in "MO"), None)
    if time is None:
        raise GridError("latent has no time: the climatology of which month is to be added?")
    lead = [str(time), *(str(d) for d in latent.dims if d not in (time, LATENT))]
    place = place_of(chosen, (), (), str(time), anomalies)
    season = told_apart(seasons(ds[time]), chosen.config["season"])
    made = _decoded(latent.transpose(*lead, LATENT), chosen, origin, place, season, anomalies)
    source = ds.drop_vars([n for n, v in ds.data_vars.items() if LATENT in v.dims])
    line = history("decode", chosen, origin)
    return metadata.finish(source, made, line=line, coordinates=place.coordinates)


def _decoded(
    latent: xr.DataArray,
    model: Assimilator,
    origin: str | None,
    place: Place,
    season: np.ndarray,
    anomalies: bool,
) -> dict[str, xr.DataArray]:
    lazy = latent.chunks is not None
    data = chunked.lazy(latent.data).rechunk({latent.ndim - 1: -1})
    grid = data.chunks[:-1]
    along = [chunked.own(axis, sizes) for axis, sizes in enumerate(grid)]
    shared = {
        "model": chunked.constant(persist.parcel(model, origin)),
        "season": chunked.constant(season),
        "lies": chunked.constant(place),
        "anomalies": anomalies,
    }
    inputs = [Input(data, (*along, chunked.whole(data.shape[-1])))]
    work = chunked.tasks(_task, grid, inputs, shared=shared)
    rows, columns = model.state.shape
    lead = tuple(range(len(grid)))
    outputs = [
        Output(
            (*grid, (rows,), (columns,)),
            (*lead, None, None),
            np.empty((0,) * (len(grid) + 2), each.dtype),
        )
        for each in place.fields
    ]
    arrays: Sequence[Any] = chunked.arrays(work, outputs)
    if not lazy:
        arrays = chunked.computed(arrays)
    dims = (*map(str, latent.dims[:-1]), *place.dims)
    coords = {str(n): c.variable for n, c in latent.coords.items() if LATENT not in c.dims}
    coords |= {str(n): c.variable for n, c in place.coordinates.coords.items()}
    return {
        each.name: xr.DataArray(array, coords, dims, attrs=each.attrs)
        for each, array in zip(place.fields, arrays, strict=True)
    }


def _task(
    where: Any, latent: Any, *, model: Any, season: np.ndarray, lies: Place, anomalies: bool
) -> Any:
    """Fields of a block of latents."""
    model = persist.revive(model)
    times = np.asarray(season[where.slices[0]])
    flat = np.asarray(latent, np.float64).reshape(len(times), -1, latent.shape[-1])
    made = np.stack(
        [
            values_of(model, model.decode(each, now), now, anomalies)
            for each, now in zip(flat, map(model.tables.at, times), strict=True)
        ]
    )
    fields = model.state.unpack(made)[..., lies.flips[0], lies.flips[1]]
    fields = fields.reshape(*latent.shape[:-1], *fields.shape[-3:])
    results = tuple(fields[..., n, :, :].astype(each.dtype) for n, each in enumerate(lies.fields))
    return results if len(results) > 1 else results[0]


def values_of(model: Any, anomaly: np.ndarray, now: Moment, anomalies: bool) -> np.ndarray:
    """Expected values of normalised anomalies whose error is what the latent leaves."""
    values = model.tables.values(anomaly, now, model.unseen)
    if anomalies:
        size = model.state.size
        values = values - model.tables.values(np.zeros(size), now, np.ones(size))
    return np.asarray(values)


def sample(model: Assimilator, n: int, *, seed: int = 0, month: int | None = None) -> xr.Dataset:
    """Draw states from a model that nothing is observed of.

    Parameters
    ----------
    model : Assimilator
    n : int
        How many.
    seed : int
        Key of the draws; each is the same whatever others are drawn.
    month : int, optional
        1 for January; by default each draw is of a month of its own.

    Returns
    -------
    Dataset
        Every field, with dimension ``sample`` and the coordinate ``month``.
    """
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"n={n!r}: a whole number of at least 1 is needed")
    if month is not None and not 1 <= month <= 12:
        raise ValueError(f"month={month!r}: 1 to 12")
    place = place_of(model, (), (), "sample", False)
    values, months = [], []
    for number in range(n):
        random = np.random.default_rng([seed, number])
        when = int(random.integers(12)) if month is None else month - 1
        now = model.tables.at(float(when))
        values.append(model.tables.values(model.draw(random, now), now))
        months.append(when + 1)
    fields = model.state.unpack(np.stack(values))[..., place.flips[0], place.flips[1]]
    coords = {str(k): v.variable for k, v in place.coordinates.coords.items()}
    coords["month"] = xr.Variable("sample", months, {"long_name": "month of the year"})
    made = {
        each.name: xr.DataArray(
            fields[:, k].astype(each.dtype), coords, ("sample", *place.dims), attrs=each.attrs
        )
        for k, each in enumerate(place.fields)
    }
    line = metadata.history_line(
        "sample", model=model.spec.name, sha256=persist.digest(model)[:16], seed=seed
    )
    return metadata.finish(xr.Dataset(), made, line=line, coordinates=place.coordinates)
