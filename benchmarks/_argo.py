"""Increments from real Argo floats: profiles minus an atlas, through a sequential analysis.

A column of ocean follows each float. Its state is the conservative-temperature anomaly from the
monthly atlas; its model forgets anomalies slowly and drifts towards a bias of its own, as ocean
models do; each profile corrects it by the gain of a Kalman filter with known variances, level by
level. What the analysis adds at each step is the increment, and it holds noise, pulses after gaps,
and the systematic part that cancels the drift: the three things that a smoother must tell apart.

The atlas (Levitus) gives temperature in situ; it becomes conservative temperature with the float's
own absolute salinity, so that both sides of the difference are the same quantity.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from xocean_ml.observations import argo

LEVELS = np.array(
    [10, 20, 30, 50, 75, 100, 125, 150, 200, 250, 300, 400, 500, 600, 700, 800, 900, 1000], float
)
_MIDDLES = (LEVELS[1:] + LEVELS[:-1]) / 2
BOUNDS = np.stack([np.r_[0.0, _MIDDLES], np.r_[_MIDDLES, 1050.0]], axis=1)
DAY = np.timedelta64(1, "D")
RHO0, CP0 = 1026.0, 3991.86795711963  # kg m-3; J kg-1 K-1, TEOS-10's constant (not exported by gsw)


@dataclass(frozen=True)
class Column:
    """A drifting model of the anomaly and the variances of its sequential analysis.

    Parameters
    ----------
    step : int
        Days from one analysis to the next.
    memory : float
        Days in which the model forgets an anomaly (e-folding).
    bias : float
        Anomaly (K) at the surface towards which the model drifts.
    scale : float
        Depth (m) over which that bias decays.
    noise : float
        Variance of one observation, as a fraction of the anomalies' variance at its level: what a
        profile tells of eddies and internal waves, far above its instrument's error.
    """

    step: int = 10
    memory: float = 365.0
    bias: float = 1.5
    scale: float = 500.0
    noise: float = 0.25

    @property
    def keep(self) -> float:
        """Fraction of an anomaly that survives one step."""
        return float(np.exp(-self.step / self.memory))

    def drift(self) -> np.ndarray:
        """What the model adds in each step towards its bias: (depth,), K."""
        return (1 - self.keep) * self.bias * np.exp(-LEVELS / self.scale)

    def replay(self, increments: xr.DataArray) -> xr.DataArray:
        """Run the model again from zero, adding `increments` (time, depth) in K at each step."""
        state, states = np.zeros(increments.sizes["depth"]), []
        drift = xr.DataArray(self.drift(), {"depth": LEVELS}).sel(depth=increments["depth"]).values
        for each in increments.transpose("time", "depth").values:
            state = self.keep * state + drift + each
            states.append(state)
        return increments.copy(data=np.stack(states)).transpose("time", "depth")


def prepare(
    data: Path, number: str, column: Column = Column(), every: int = 20
) -> dict[str, xr.Dataset]:
    """Return the analyses of one float: of all its profiles (``full``) and ``thinned``."""
    with xr.open_dataset(data / "argo" / f"{number}_prof.nc") as file:
        profiles = argo(file).load()
    atlas = xr.open_dataset(data / "atlas_temperature.nc", decode_times=False)["TEMP"]
    all_ = anomalies(profiles, atlas)
    variance = all_["anomaly"].var("profile") + 0.05**2
    edges = _edges(all_["time"].values, column.step)
    return {
        "full": analyse(all_, variance, edges, column),
        "thinned": analyse(thin(all_, every), variance, edges, column),
    }


def anomalies(profiles: xr.Dataset, atlas: xr.DataArray) -> xr.Dataset:
    """Return conservative temperature on `LEVELS` minus the atlas, profiles sorted in time.

    Parameters
    ----------
    profiles : xarray.Dataset
        As from `xocean_ml.observations.argo`, (N_PROF, N_LEVELS).
    atlas : xarray.DataArray
        In-situ temperature (degC), (TIME, ZAXLEVIT19, YAX_SUBSET, XAX_SUBSET), hours of a year.

    Returns
    -------
    xarray.Dataset
        ``anomaly`` (profile, depth) in K with time, latitude and longitude along ``profile``;
        levels that no profile reaches are left out.
    """
    import gsw

    where = profiles["time"].notnull() & profiles["latitude"].notnull()
    good = profiles.isel(N_PROF=np.flatnonzero(where)).sortby("time")
    time, latitude, longitude = (good[name].values for name in ("time", "latitude", "longitude"))
    temperature, salinity = (
        np.stack(
            [_to_levels(d, v) for d, v in zip(good["depth"].values, good[name].values, strict=True)]
        )
        for name in ("conservative_temperature", "absolute_salinity")
    )
    pressure = gsw.p_from_z(-LEVELS, latitude[:, None])
    expected = gsw.CT_from_t(salinity, _at(atlas, time, latitude, longitude), pressure)
    out = xr.Dataset(
        {"anomaly": (("profile", "depth"), temperature - expected)},
        {
            "time": ("profile", time),
            "latitude": ("profile", latitude),
            "longitude": ("profile", longitude),
            "depth": LEVELS,
        },
    )
    # A level seen by few profiles has no variance worth the name.
    seen = out["anomaly"].notnull().mean("profile") > 0.5
    return out.isel(depth=np.flatnonzero(seen)).dropna("profile", how="all")


def thin(anomalies: xr.Dataset, every: int) -> xr.Dataset:
    """Return all profiles of the second half of the record, one in `every` of the first."""
    early = _early(anomalies["time"].values, anomalies["time"].values)
    keep = ~early | (np.arange(early.size) % every == 0)
    return anomalies.isel(profile=np.flatnonzero(keep))


def first_half(analysis: xr.Dataset) -> xr.Dataset:
    """Return the steps of an analysis that end in the first half of its record."""
    edges = analysis["time_bounds"].values
    return analysis.isel(time=np.flatnonzero(_early(analysis["time"].values, edges)))


def analyse(
    anomalies: xr.Dataset, variance: xr.DataArray, edges: np.ndarray, column: Column
) -> xr.Dataset:
    """Run the sequential analysis of one float.

    With x the anomaly, f and a forecast and analysis, P the variance of the error, S that of the
    anomalies, n the number of profiles in a step and y their mean, at each level

        x_f = keep x_a + drift,  P_f = keep^2 P_a + (1 - keep^2) S,
        K = P_f / (P_f + R / n), d = K (y - x_f), x_a = x_f + d, P_a = (1 - K) P_f.

    Parameters
    ----------
    anomalies : xarray.Dataset
        As from `anomalies`.
    variance : xarray.DataArray
        S (depth), K2.
    edges : numpy.ndarray
        Limits of the steps, datetime64, one more than there are steps.
    column : Column
        The model and its variances.

    Returns
    -------
    xarray.Dataset
        (time, depth): increment, its spread, number of observations, analysed anomaly; CF names.
    """
    mean, count = _binned(anomalies, edges)
    signal = variance.values
    noise, carried = column.noise * signal, column.keep**2
    drift = column.drift()[np.isin(LEVELS, anomalies["depth"].values)]
    state, error = np.zeros(signal.size), signal.copy()
    states, increments, spreads, forecasts = [], [], [], []
    for seen, n in zip(mean, count, strict=True):
        state = column.keep * state + drift
        error = carried * error + (1 - carried) * signal
        forecasts.append(np.sqrt(error))
        gain = n * error / (n * error + noise)
        increment = np.where(n > 0, gain * (seen - state), 0.0)
        state, error = state + increment, (1 - gain) * error
        states.append(state)
        increments.append(increment)
        spreads.append(np.sqrt(error))
    return _labelled(anomalies, edges, increments, spreads, count, states, forecasts)


def heat(temperature: xr.DataArray) -> xr.DataArray:
    """Return the heat content of a temperature difference (..., depth): J m-2."""
    return RHO0 * CP0 * (temperature * thickness()).sum("depth")


def thickness() -> xr.DataArray:
    """Return the thickness of the levels: (depth,), m."""
    return xr.DataArray(np.diff(BOUNDS)[:, 0], {"depth": LEVELS}, ("depth",))


def _to_levels(depth: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Interpolate a profile to `LEVELS`; a level is observed if a sample lies in its cell."""
    good = np.isfinite(depth) & np.isfinite(values)
    if good.sum() < 2:
        return np.full(LEVELS.size, np.nan)
    order = np.argsort(depth[good])
    at, seen = depth[good][order], values[good][order]
    inside = (at[:, None] >= BOUNDS[:, 0]) & (at[:, None] < BOUNDS[:, 1])
    return np.where(inside.any(0), np.interp(LEVELS, at, seen), np.nan)


def _at(
    atlas: xr.DataArray, time: np.ndarray, latitude: np.ndarray, longitude: np.ndarray
) -> np.ndarray:
    """Interpolate the atlas to profiles (profile, depth), cyclic in longitude and in the year."""
    atlas = atlas.rename(dict(zip(atlas.dims, ("hour", "depth", "lat", "lon"), strict=True)))
    year = 365.2425 * 24.0
    for name, period in (("lon", 360.0), ("hour", year)):
        first, last = atlas.isel({name: [0]}), atlas.isel({name: [-1]})
        before = last.assign_coords({name: last[name] - period})
        after = first.assign_coords({name: first[name] + period})
        atlas = xr.concat([before, atlas, after], name)
    hours = (time - time.astype("M8[Y]")) / np.timedelta64(1, "h")
    west = float(atlas["lon"][1])
    points = {
        "hour": ("profile", hours),
        "lat": ("profile", latitude),
        "lon": ("profile", (longitude - west) % 360.0 + west),
    }
    points = {name: xr.DataArray(each[1], dims=each[0]) for name, each in points.items()}
    # Near land only the wet corners count: interpolate values and wetness alike, then divide.
    wet = atlas.notnull().astype(float).interp(points)
    value = atlas.fillna(0.0).interp(points) / wet.where(wet > 0)
    return value.sel(depth=LEVELS).transpose("profile", "depth").values


def _edges(times: np.ndarray, step: int) -> np.ndarray:
    start = times.min().astype("M8[D]")
    steps = int((times.max() - start) / (step * DAY)) + 1
    return (start + np.arange(steps + 1) * step * DAY).astype("M8[ns]")


def _early(times: np.ndarray, record: np.ndarray) -> np.ndarray:
    return times < record.min() + (record.max() - record.min()) / 2


def _binned(anomalies: xr.Dataset, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and number of the profiles in each step, both (step, depth)."""
    values = anomalies["anomaly"].values
    place = np.searchsorted(edges, anomalies["time"].values, side="right") - 1
    count = np.zeros((edges.size - 1, values.shape[1]), int)
    total = np.zeros(count.shape)
    np.add.at(count, place, np.isfinite(values))
    np.add.at(total, place, np.nan_to_num(values))
    return total / np.maximum(count, 1), count


_KELVIN = {"units": "K", "units_metadata": "temperature: difference"}
_CHANGE = _KELVIN | {"standard_name": "change_over_time_in_sea_water_conservative_temperature"}
_ATTRS = {
    "temperature_increment": _CHANGE
    | {"long_name": "analysis increment", "cell_methods": "time: sum"},
    "temperature_increment_spread": _CHANGE
    | {"long_name": "analysis spread", "cell_methods": "realization: standard_deviation"},
    "number_of_observations": {"standard_name": "number_of_observations", "units": "1"},
    "temperature_anomaly": _KELVIN | {"long_name": "analysed conservative temperature minus atlas"},
    "forecast_spread": _KELVIN | {"long_name": "forecast spread of conservative temperature"},
    "time": {"axis": "T", "bounds": "time_bounds", "units_metadata": "leap_seconds: none"},
    "depth": {"axis": "Z", "bounds": "depth_bounds", "positive": "down", "units": "m"},
    "latitude": {"units": "degrees_north"},
    "longitude": {"units": "degrees_east"},
}
_TITLE = {
    "Conventions": "CF-1.11",
    "title": "Increments of conservative temperature along an Argo float",
    "source": "Sequential analysis of Argo profiles minus the Levitus atlas",
}


def _labelled(anomalies: xr.Dataset, edges: np.ndarray, *arrays: object) -> xr.Dataset:
    """Return arrays (time, depth), in the order of `_ATTRS`, as a Dataset that obeys CF."""
    depths = anomalies["depth"].values
    seconds = [each.astype("M8[s]").astype(float) for each in (edges[1:], anomalies["time"].values)]
    track = {
        "latitude": np.interp(*seconds, anomalies["latitude"].values),
        "longitude": np.interp(*seconds, np.unwrap(anomalies["longitude"].values, period=360.0)),
    }
    coords = {name: ("time", each) for name, each in track.items()} | {
        "time": edges[1:],
        "time_bounds": (("time", "bounds"), np.stack([edges[:-1], edges[1:]], axis=1)),
        "depth": depths,
        "depth_bounds": (("depth", "bounds"), BOUNDS[np.isin(LEVELS, depths)]),
    }
    named = zip(list(_ATTRS)[: len(arrays)], arrays, strict=True)
    out = xr.Dataset(
        {name: (("time", "depth"), np.asarray(each)) for name, each in named}, coords, _TITLE
    )
    for name, attrs in _ATTRS.items():
        out[name].attrs = dict(attrs)
        if name in coords:
            out[name].attrs["standard_name"] = name
    for name in coords:
        out[name].encoding["_FillValue"] = None
    # One epoch for the times and their bounds, which xarray would else choose apart.
    out["time"].encoding |= {"units": "days since 1950-01-01", "calendar": "standard"}
    return out
