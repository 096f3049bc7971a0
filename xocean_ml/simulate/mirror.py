r"""A second world of each: its mirror image from south to north, with eddies of the other sign.

The equations of quasi-geostrophic flow stay as they are under
:math:`\psi(x, y) \to -\psi(x, -y)`, the mean flow with them; so do those of a stirred tracer, whose
gradient is mirrored too (that of temperature, and so its anomalies, of the other sign once more,
for the north to stay cold). What curvature adds to the current is not mirrored, and made anew. So
a network that learns from images as well sees twice the eddies at no simulation's price.
"""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

from ._surface import coriolis, cyclogeostrophic, ekman, geostrophic

__all__ = ["mirrored"]


def mirrored(world: xr.Dataset) -> xr.Dataset:
    """The mirror image of a simulated surface.

    Parameters
    ----------
    world : Dataset
        As of `xocean_ml.simulate.surface`.

    Returns
    -------
    Dataset
        The same variables on the same grid, under the same wind, which must be there. A few cells
        beside coasts are missing, where slopes of the sea level are.

    Examples
    --------
    >>> ds = mirrored(surface("train", states=2, size=32))  # doctest: +SKIP
    """
    lat, lon = (world[name].values for name in ("latitude", "longitude"))
    f = coriolis(lat)[:, None]
    other = -f / f[::-1]
    made = {
        "ssh": other * _turned(world.ssh),
        "mdt": other * _turned(world.mdt),
        "sst": 2 * float(world.sst.mean()) - _turned(world.sst),
        "sss": _turned(world.sss),
    }
    u, v = geostrophic(made["ssh"] + made["mdt"], lat, lon)
    curved = cyclogeostrophic(u, v, lat, lon)
    east, north = (world[name].values.astype(float) for name in ("wind_u", "wind_v"))
    driven = ekman(east, north, lat, json.loads(world.attrs["world"])["ekman"])
    made |= {"u_geostrophic": u, "v_geostrophic": v}
    made |= {"u": u + curved[0] + driven[0], "v": v + curved[1] + driven[1]}
    land = np.zeros(world.ssh.shape[1:], bool)
    for each in made.values():
        land |= np.isnan(each).reshape(-1, *land.shape).any(axis=0)
    arrays = {
        name: world[name].copy(data=np.where(land, np.nan, each).astype(world[name].dtype))
        for name, each in made.items()
        if name in world
    }
    return world.assign(arrays).assign_attrs(history=f"{world.attrs['history']}; mirrored")


def _turned(array: xr.DataArray) -> np.ndarray:
    return array.values.astype(float)[..., ::-1, :]
