"""`fit`: a model of one's own fields."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import xarray as xr

from xocean_ml.assimilation.climate import SEASONS, climate
from xocean_ml.assimilation.eof import Eof
from xocean_ml.assimilation.fit_eof import learn
from xocean_ml.assimilation.reading import read

__all__ = ["fit"]

KINDS = ("eof",)

RANK = 500
"""Most patterns, those of the latent included."""


def fit(
    ds: xr.Dataset,
    kind: str = "eof",
    *,
    fields: Any = None,
    latent: int = 100,
    climatology: str | None = "month",
    rank: int = RANK,
    seed: int = 0,
) -> Eof:
    """Fit a model of the climate to fields.

    Parameters
    ----------
    ds : Dataset
        Fields on time and one-dimensional latitude and longitude, NaN over land, in any units;
        monthly, daily or other. It is read into memory.
    kind : {"eof"}
        ``"eof"`` is linear, and exact.
    fields : mapping or sequence of str, optional
        Which fields, by key or standard name; a mapping tells their variables too. By default all
        that are known and there.
    latent : int
        Numbers in the latent.
    climatology : {"month", "day", None}
        ``"month"``: a mean and a standard deviation of each month; ``"day"``: linear between the
        middles of months, for daily fields; None: no season.
    rank : int
        Most patterns, those of the latent and those that it cannot represent.
    seed : int
        Key of all random numbers.

    Returns
    -------
    Eof
        ``.save(path)`` keeps it.

    Raises
    ------
    ValueError
        A kind or climatology that is not known; a latent larger than the times can tell.
    FieldNotFound, AmbiguousField, UnitsError, GridError, ValuesError
        Fields that cannot be read.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> lat = ("lat", [-30.0, 0, 30], {"units": "degrees_north"})
    >>> lon = ("lon", [0.0, 90, 180, 270], {"units": "degrees_east"})
    >>> time = xr.date_range("2000-01-16", periods=48, freq="MS")
    >>> values = 15 + np.random.default_rng(0).normal(size=(48, 3, 4))
    >>> attrs = {"standard_name": "sea_surface_temperature", "units": "degC"}
    >>> sst = xr.DataArray(values, {"time": time, "lat": lat, "lon": lon}, attrs=attrs)
    >>> fit(sst.to_dataset(name="sst"), "eof", latent=3)
    EOF(3 numbers for sea_surface_temperature)
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is not known; known: {', '.join(map(repr, KINDS))}")
    if climatology not in SEASONS:
        raise ValueError(
            f"climatology={climatology!r}: it is one of {', '.join(map(repr, SEASONS))}"
        )
    if not isinstance(latent, Integral) or isinstance(latent, bool) or latent < 1:
        raise ValueError(f"latent={latent!r}: a whole number of at least 1 is needed")
    data = read(ds, fields)
    many = int(data.times.max()) + 1
    most = many * 5 // 6 - 1
    if latent > most:
        raise ValueError(
            f"latent={latent}: {many} times, of which a sixth is withheld in turn, tell of "
            f"{max(most, 0)} numbers at most. Take a smaller latent, or more times"
        )
    known = climate(data, climatology)
    found = learn(known, data.times, max(rank, latent), seed)
    latent = min(latent, len(found.patterns))
    told = [
        {**each, "power": power, "length": length}
        for each, power, length in zip(data.fields, known.power, found.lengths, strict=True)
    ]
    config = {
        "fields": told,
        "latent": int(latent),
        "season": climatology,
        "step": data.step,
        "grid": dict(data.layout),
        "seed": seed,
        "told": f"fitted to {many} times",
    }
    return Eof(known.state, known.tables, found.patterns, found.rest, config)
