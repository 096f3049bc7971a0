"""Small Datasets with the metadata that real producers ought to write, or do write."""

from __future__ import annotations

import numpy as np
import xarray as xr


def clean_increments(steps: int = 24, seed: int = 0, cells: tuple[int, int] = (3, 4)) -> xr.Dataset:
    """Return monthly temperature increments and their spread; no CF finding when written.

    Variables ``increment`` and ``spread`` (K), dimensions (time, depth, lat, lon), NaN in one
    column (land). All coordinates have bounds. `cells` are those of latitude and longitude.
    """
    rows, columns = cells
    edges = xr.date_range("1990-01-01", periods=steps + 1, freq="MS").values
    depth = np.array([0.0, 10.0, 30.0, 70.0])
    ds = xr.Dataset(
        coords={
            **_axis("time", edges, "T", standard_name="time", units_metadata="leap_seconds: none"),
            **_axis("depth", depth, "Z", standard_name="depth", units="m", positive="down"),
            **_axis("lat", 10.0 * np.arange(rows + 1) - 5 * rows, "Y", standard_name="latitude")
            | _axis("lon", 360 / columns * np.arange(columns + 1), "X", standard_name="longitude"),
            # a spread's cell_methods must name a dimension or a scalar coordinate
            "realization": ((), 0, {"standard_name": "realization", "units": "1"}),
        },
        attrs={
            "Conventions": "CF-1.11",
            "title": "Increments",
            "institution": "None",
            "source": "random numbers",
            "history": "2020-01-01T00:00:00Z made",
            "references": "none",
            "comment": "none",
        },
    )
    ds = ds.reset_coords([name for name in ds.coords if str(name).endswith("_bnds")])
    ds.lat.attrs["units"], ds.lon.attrs["units"] = "degrees_north", "degrees_east"
    ds.time.encoding = {"units": "days since 1900-01-01", "calendar": "standard", "dtype": "f8"}
    dims = ("time", "depth", "lat", "lon")
    noise = np.random.default_rng(seed).standard_normal([ds.sizes[dim] for dim in dims])
    noise[..., 0, 0] = np.nan
    ds["increment"] = (
        dims,
        noise.astype(np.float32),
        {
            "standard_name": "change_over_time_in_sea_water_potential_temperature",
            "long_name": "temperature increment",
            "units": "K",
            "units_metadata": "temperature: difference",
            "cell_methods": "time: sum",
        },
    )
    ds["spread"] = (
        dims,
        np.abs(noise).astype(np.float32),
        {
            "standard_name": "sea_water_potential_temperature",
            "long_name": "ensemble standard deviation of temperature",
            "units": "K",
            "units_metadata": "temperature: difference",
            "cell_methods": "realization: standard_deviation",
        },
    )
    for name in ds.variables:
        if name not in ("increment", "spread"):
            ds[name].encoding["_FillValue"] = None
        if str(name).endswith("_bnds"):
            ds[name].encoding["coordinates"] = None
    return ds


def _axis(name: str, edges: np.ndarray, axis: str, **attrs: str) -> dict[str, tuple]:
    centres = edges[:-1] + (edges[1:] - edges[:-1]) / 2
    attrs |= {"long_name": name, "axis": axis, "bounds": f"{name}_bnds"}
    bounds = np.stack([edges[:-1], edges[1:]], axis=1)
    return {name: (name, centres, attrs), f"{name}_bnds": ((name, "bnds"), bounds)}
