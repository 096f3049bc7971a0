"""What satellites would see of an ocean whose surface is known: experiments on observing systems.

**Nadir altimeters** look down every 7 km along the ground tracks of six real repeat orbits. **A
wide swath** (SWOT) looks 10 to 60 km to either side, every 2 km. **Infrared radiometers** see the
temperature of every cell that no cloud hides. **Coarse maps** stand for analyses and for microwave
radiometers: each cell has the mean over a Gaussian footprint.

What is left out: errors but for noise (tides, orbits, bias, rain), what a map mixes of several
days, and ice. Orbits are real, but where a satellite is on its own is drawn: the passes of a seed
are not those of a date. A small box has days without any: that is real.

Chance is keyed by place in time, so a day's positions, noise and clouds are the same whatever other
days are in the truth; positions, noise along tracks and clouds also whatever its grid is.

Sources:

- Gaultier et al. 2016, The challenge of using future SWOT data for oceanic field reconstruction, J.
  Atmos. Oceanic Technol. 33: swaths beside a track, and simulated observations of them.
- Ballarotta et al. 2019, On the resolutions of ocean altimetry maps, Ocean Sci. 15: what coarse
  maps of sea level resolve.
- Rahimi and Recht 2007, Random features for large-scale kernel machines, NIPS 20: clouds and the
  noise of coarse maps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from operator import index

import numpy as np
import xarray as xr

from ..errors import FieldNotFound
from ..fields import find
from ..units import dequantify
from . import _looks as looks
from ._gridded import Field
from ._looks import UNITS
from ._orbits import NADIRS

__all__ = ["observe"]

HEIGHTS = ("sea_level_anomaly", "sea_surface_height_above_geoid")
FOOTPRINTS = {
    "sea_level_anomaly": 150.0,
    "sea_surface_temperature": 30.0,
    "sea_surface_salinity": 60.0,
}
"""km, full width at half maximum."""
NOISE = {
    "nadir": 0.02,
    "swath": 0.01,
    "sst": 0.3,
    "coarse_sea_level_anomaly": 0.02,
    "coarse_sea_surface_temperature": 0.2,
    "coarse_sea_surface_salinity": 0.15,
}
"""Standard errors, in m, K and 1e-3."""


def observe(
    truth: xr.Dataset,
    *,
    nadirs: int = 4,
    swath: bool = False,
    cloud: float | None = 0.5,
    coarse: Mapping[str, float] | bool | None = None,
    noise: Mapping[str, float] | None = None,
    seed: int = 0,
) -> dict[str, xr.Dataset]:
    """Simulate what satellites see of a surface ocean.

    Parameters
    ----------
    truth : Dataset
        Sea level (anomaly, or else height above the geoid), sea surface temperature and salinity,
        whichever there are, found by their CF names, in any units; each on (time, latitude,
        longitude), a rectilinear grid in any order, NaN on land. Dask arrays are computed, block
        by block; what is seen is in memory.
    nadirs : int
        How many altimeters that look straight down, 0 to 6: Sentinel-6, Sentinel-3A, SARAL,
        CryoSat-2, HY-2B, Sentinel-3B.
    swath : bool
        Whether a wide-swath altimeter, SWOT, flies too.
    cloud : float, optional
        Share of cells that clouds hide from an infrared radiometer, on average; None: no
        radiometer.
    coarse : mapping of str to float, or bool, optional
        Footprints (full width at half maximum, km) of coarse maps, by the field's key. True:
        ``{"sea_level_anomaly": 150.0, "sea_surface_temperature": 30.0, "sea_surface_salinity":
        60.0}``, those that the truth has.
    noise : mapping of str to float, optional
        Standard errors, by the keys of the result, in m, K and 1e-3. By default ``{"nadir": 0.02,
        "swath": 0.01, "sst": 0.3, "coarse_sea_level_anomaly": 0.02,
        "coarse_sea_surface_temperature": 0.2, "coarse_sea_surface_salinity": 0.15}``. Noise is
        white, but for coarse maps, whose noise is as long as their footprint and lasts for days.
    seed : int
        Of chance: where satellites are, clouds, noise.

    Returns
    -------
    dict of str to Dataset
        Those asked for of which the truth has the field, in this order. All have the variable's
        name and units in the truth, and its standard error ``<name>_standard_error``.

        - ``"nadir"``: points along ``obs``, sorted by time, with coordinates ``time``,
          ``latitude``, ``longitude``, ``satellite`` (flags) and ``pass_number``;
        - ``"swath"``: lines (along) of pixels (across), with ``time`` and ``pass_number`` (along),
          ``latitude`` and ``longitude`` (along, across) and ``cross_track_distance`` (across, km);
          NaN where it is not sea;
        - ``"sst"``: temperature on the grid of the truth, NaN under clouds;
        - ``"coarse_<key>"``: a map of each field on its own grid, whose cells are about half a
          footprint (no smaller than the truth's); attribute ``footprint_km``.

        Altimeters see the times from half a step (half a day, of one time) before the truth's
        first to as long after its last, and places between the centres of its outer cells:
        bilinear in space, linear in time, and the nearest time at both ends. Longitudes are in the
        range of the truth's. Over a globe that is some 70 000 points a day and satellite, and 15
        million pixels a day of the swath.

    Raises
    ------
    FieldNotFound
        The truth has nothing of what is asked; or not what `swath` or a mapping `coarse` needs.
    GridError
        Curvilinear or unstructured grids; times that are missing or not sorted; other dimensions.
    ValueError
        A number of satellites, share, footprint or noise that cannot be; nothing asked for.
    UnitsError, AmbiguousField
        As `xocean_ml.fields.find` raises them.

    Examples
    --------
    >>> import xocean_ml as xo
    >>> truth = xo.tutorial.open_dataset("surface").isel(time=slice(3))
    >>> seen = observe(truth, nadirs=2, cloud=0.6)
    >>> list(seen), list(seen["nadir"].data_vars), seen["nadir"].ssh.dims
    (['nadir', 'sst'], ['ssh', 'ssh_standard_error'], ('obs',))
    >>> rows = xo.observations.table(seen["nadir"])
    >>> bool(rows["value"].notnull().all()), float(rows["error"].max().round(3))
    (True, 0.02)
    """
    footprints = _footprints(coarse)
    _check(nadirs, swath, cloud, footprints)
    errors = _errors(noise)
    asked: dict[str, Callable[[looks.Sight], xr.Dataset]] = {}
    if nadirs:
        asked["nadir"] = partial(looks.nadir, count=nadirs)
    if swath:
        asked["swath"] = looks.swath
    if cloud is not None:
        asked["sst"] = partial(looks.sst, share=cloud)
    asked |= {
        f"coarse_{key}": partial(looks.coarse, footprint=km) for key, km in footprints.items()
    }
    # What is asked by default may be absent from the truth, what is asked in words may not.
    optional = {"nadir", "sst", *(asked if coarse is True else ())} - {"swath"}
    plain, _ = dequantify(truth)
    seen = {}
    for name, look in asked.items():
        field = _field(plain, name, needed=name not in optional)
        if field is not None:
            error = errors[name] / field.found.conversion(UNITS[field.found.key]).factor
            seen[name] = look(looks.Sight(name, plain, field, error, seed))
    if not seen:
        raise FieldNotFound(
            f"nothing to observe: {', '.join(asked)} need {' or '.join(UNITS)}, and none is among "
            f"{sorted(map(str, plain.data_vars))}; give variables their standard_name"
        )
    return seen


# -- what is asked -----------------------------------------------------------------------------


def _footprints(coarse: Mapping[str, float] | bool | None) -> dict[str, float]:
    footprints = dict(FOOTPRINTS) if coarse is True else dict(coarse or {})
    if unknown := sorted(set(footprints) - set(FOOTPRINTS)):
        raise ValueError(f"coarse has {unknown}: choose from {', '.join(FOOTPRINTS)}")
    for key, km in footprints.items():
        if not 0 < km < np.inf:
            raise ValueError(f"coarse[{key!r}]={km} must be a footprint in km, above 0")
    return footprints


def _check(nadirs: int, swath: bool, cloud: float | None, footprints: Mapping[str, float]) -> None:
    if not 0 <= index(nadirs) <= len(NADIRS):
        raise ValueError(f"nadirs={nadirs} must be 0 to {len(NADIRS)}")
    if cloud is not None and not 0 <= cloud <= 1:
        raise ValueError(f"cloud={cloud} must be a share, 0 to 1, or None")
    if not (nadirs or swath or cloud is not None or footprints):
        raise ValueError("nothing is asked for: give nadirs, swath, cloud or coarse")


def _errors(noise: Mapping[str, float] | None) -> dict[str, float]:
    given = dict(noise or {})
    if unknown := sorted(set(given) - set(NOISE)):
        raise ValueError(f"noise has {unknown}: choose from {', '.join(NOISE)}")
    for key, size in given.items():
        if not 0 <= size < np.inf:
            raise ValueError(f"noise[{key!r}]={size} must be a standard error, 0 or more")
    return NOISE | given


def _field(truth: xr.Dataset, name: str, *, needed: bool) -> Field | None:
    """The field that a result is of, if the truth has it."""
    key = "sea_surface_temperature" if name == "sst" else name.removeprefix("coarse_")
    keys = (key,) if key in UNITS and key not in HEIGHTS else HEIGHTS
    missing = []
    for each in keys:
        try:
            return Field(truth, find(truth, each))
        except FieldNotFound as error:
            missing.append(error)
    if needed:
        raise missing[0]
    return None
