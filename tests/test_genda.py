"""`genda`: members against a Gaussian posterior written out, chance, times, currents, the plan."""

from __future__ import annotations

import functools
import warnings
from typing import Any
from unittest import mock

import dask
import numpy as np
import pytest
import torch
import xarray as xr
from surfaces_small import (
    FIELDS,
    HEIGHT,
    SSH,
    SST,
    as_points,
    close,
    coast,
    draw,
    like,
    model,
    no_compute,
    seen,
    tracks,
    truth,
    two,
)

import xocean_ml as xo
from xocean_ml import currents
from xocean_ml.errors import FieldNotFound
from xocean_ml.generative import fit_diffusion
from xocean_ml.generative import prepare as preparing
from xocean_ml.generative.diffusion import Diffusion
from xocean_ml.generative.fit import fit
from xocean_ml.generative.generator import Noise
from xocean_ml.generative.prepare import prepare
from xocean_ml.generative.when import DAY
from xocean_ml.networks.wiener import Wiener

SIDE, MANY = 12, 400
DAYS = np.timedelta64(1, "D")
EAST, NORTH = "eastward_sea_water_velocity", "northward_sea_water_velocity"


# ---- a Gaussian posterior, written out -------------------------------------------------------


@functools.cache
def small() -> xr.Dataset:
    return truth()[["ssh", "sst"]].isel(latitude=slice(SIDE), longitude=slice(SIDE))


@functools.cache
def prior() -> Any:
    return fit(small(), "oi", fields=[SSH, SST])


@functools.cache
def covariance() -> np.ndarray:
    """Of all cells of both normalised fields, (n, n): what the model makes of unit vectors."""
    unit = torch.eye(2 * SIDE * SIDE).reshape(-1, 2, SIDE, SIDE)
    made = prior().wiener.covary(unit).reshape(len(unit), -1).double().numpy()
    np.testing.assert_allclose(made, made.T, atol=1e-5)
    return (made + made.T) / 2


def norm(name: str) -> np.ndarray:
    """Of each cell of both fields."""
    return np.repeat([each[name] for each in prior().config["fields"]], SIDE * SIDE)


def of_field(number: int, matrix: np.ndarray) -> np.ndarray:
    """A matrix that sees one field, as one that sees the state."""
    made = np.zeros((len(matrix), 2, SIDE * SIDE))
    made[:, number] = matrix
    return made.reshape(len(matrix), -1)


def hats(at: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Linear interpolation, (points, cells)."""
    place = np.interp(at, side, np.arange(len(side)))
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(len(side))))


def at_points(ds: xr.Dataset) -> np.ndarray:
    sides = [hats(ds[name].values, small()[name].values) for name in ("latitude", "longitude")]
    return np.einsum("mi,mj->mij", *sides).reshape(len(sides[0]), -1)


def noisy(values: np.ndarray, error: Any, seed: int = 5) -> np.ndarray:
    return values + error * np.random.default_rng(seed).standard_normal(values.shape)


def coarse(times: int) -> tuple[xr.Dataset, np.ndarray]:
    """Temperature of cells of three by three, each the mean of the sea in it; and that matrix."""
    made = small()[["sst"]].coarsen(latitude=3, longitude=3).mean().isel(time=[0])
    assert times == 1
    row, column = np.divmod(np.arange(SIDE * SIDE), SIDE)
    block = (row // 3)[:, None] * 4 + (column // 3)[:, None]
    weight = np.cos(np.deg2rad(small().latitude.values))[row]
    matrix = (block == np.arange(16)).T * weight
    return made, matrix / matrix.sum(axis=1, keepdims=True)


Case = tuple[list[xr.Dataset], dict[str, Any], np.ndarray, np.ndarray, np.ndarray]
"""Observations, options; the matrix, values and errors' variances, in units of the fields."""


def _points() -> Case:
    ds = tracks(small().isel(time=[0]), 40)
    ds["ssh"] = ds.ssh.copy(data=noisy(ds.ssh.values, 0.02))
    return [ds], {"error": 0.02}, of_field(0, at_points(ds)), ds.ssh.values, np.full(40, 0.02**2)


def _gaps() -> Case:
    """Cells of the own grid, some missing, with errors of their own in the file."""
    random = np.random.default_rng(1)
    ds = small()[["sst"]].isel(time=[0])
    error = random.uniform(0.1, 0.5, ds.sst.shape)
    keep = random.random(ds.sst.shape) > 0.6
    values = ds.sst.copy(data=noisy(ds.sst.values, error)).where(keep)
    told = {"standard_name": "sea_surface_temperature standard_error", "units": "K"}
    ds = ds.assign(
        sst=values.assign_attrs(ds.sst.attrs, ancillary_variables="err"),
        err=(ds.sst.dims, error, told),
    )
    there = keep.ravel()
    matrix = of_field(1, np.eye(SIDE * SIDE)[there])
    return [ds], {}, matrix, ds.sst.values.ravel()[there], error.ravel()[there] ** 2


def _areas() -> Case:
    ds, matrix = coarse(1)
    ds["sst"] = ds.sst.copy(data=noisy(ds.sst.values, 0.1)).assign_attrs(small().sst.attrs)
    return [ds], {"error": 0.1}, of_field(1, matrix), ds.sst.values.ravel(), np.full(16, 0.01)


def _footprints() -> Case:
    """Cells within a footprint count as one: their errors' variance is so many times larger."""
    width, sigma = 25.0, 25.0 / np.sqrt(8 * np.log(2))
    ds, _ = coarse(1)
    values = ds.sst.copy(data=noisy(ds.sst.values, 0.1))
    ds["sst"] = values.assign_attrs(small().sst.attrs, footprint_km=width)
    lat, lon = small().latitude.values, small().longitude.values
    rows = []
    for y, x in ((a, o) for a in ds.latitude.values for o in ds.longitude.values):
        down = np.exp(-0.5 * (111.2 * (lat - y) / sigma) ** 2) * np.cos(np.deg2rad(lat))
        metric = 111.2 * np.cos(np.deg2rad(y))
        along = np.exp(-0.5 * (metric * (lon - x) / sigma) ** 2)
        rows.append(np.outer(down, along).ravel())
    matrix = np.array(rows) / np.sum(rows, axis=1, keepdims=True)
    step = [111.2 * float(ds[n].diff(n).median()) for n in ("latitude", "longitude")]
    cell = step[0] * step[1] * np.cos(np.deg2rad(lat.mean()))
    variance = 0.1**2 * max(1.0, 2 * np.pi * sigma**2 / cell)
    assert variance > 0.011
    return [ds], {"error": 0.1}, of_field(1, matrix), ds.sst.values.ravel(), np.full(16, variance)


def _mixed() -> Case:
    """Two kinds of observations of two fields, in units of their own."""
    (points,), _, one, values, variance = _points()
    (cloudy,), _, other, temperatures, errors = _gaps()
    centimetres = points.assign(ssh=(points.ssh * 100).assign_attrs(points.ssh.attrs, units="cm"))
    matrix, both = np.concatenate([one, other]), np.concatenate([values, temperatures])
    options = {"error": {SSH: 2.0}}
    return [centimetres, cloudy], options, matrix, both, np.concatenate([variance, errors])


def _aged() -> Case:
    """Within ten days: the error's variance grows with the square of the age."""
    (ds,), _, matrix, values, variance = _points()
    random = np.random.default_rng(2)
    age = random.uniform(-7, 7, 40)
    late = ds.time.values + (age * 86400e9).astype("m8[ns]")
    told = prior().config["fields"][0]
    used = np.abs(age) <= 5
    assert 10 < used.sum() < 40
    growth = np.minimum(told["growth"] * age**2, 2) * told["std"] ** 2
    ds = ds.assign_coords(time=("obs", late))
    options = {"error": 0.02, "window": "10D"}
    return [ds], options, matrix[used], values[used], (variance + growth)[used]


def _twice() -> Case:
    """Two Datasets of the same cells at the same time, each with errors of its own."""
    (one,), _, matrix, values, variance = _gaps()
    again = one.assign(sst=one.sst.copy(data=one.sst.values + noisy(0 * one.sst.values, 0.3, 9)))
    both = again.sst.values.ravel()
    both = np.concatenate([values, both[np.isfinite(both)]])
    return [one, again], {}, np.tile(matrix, (2, 1)), both, np.tile(variance, 2)


CASES = {
    "points": _points,
    "own grid with gaps": _gaps,
    "means over areas": _areas,
    "footprints": _footprints,
    "two kinds": _mixed,
    "a window": _aged,
    "two of one field": _twice,
}


def posterior(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Mean (n,) and covariance of all cells of both fields, in units of the fields."""
    _, _, matrix, values, variance = case
    c = norm("std")[:, None] * covariance() * norm("std")
    gain = np.linalg.solve(matrix @ c @ matrix.T + np.diag(variance), matrix @ c).T
    return norm("mean") + gain @ (values - matrix @ norm("mean")), c - gain @ matrix @ c


def sampled(case: Case, chosen: Any, members: int, **more: Any) -> np.ndarray:
    """Members as the user gets them, (members, n), in the model's units."""
    first, *also = case[0]
    grid = small().isel(time=[0])
    # one task, not fifty
    with warnings.catch_warnings(), mock.patch.object(preparing, "GROUP", members):
        warnings.filterwarnings("ignore", message=".*lie at none of the times")
        out = xo.genda(first, chosen, also=also, like=grid, members=members, **{**case[1], **more})
    if out.ssh.attrs["units"] == "cm":
        out = out.assign(ssh=out.ssh / 100)
    both = [out[n].isel(time=0).values.reshape(members, -1) for n in ("ssh", "sst")]
    return np.concatenate(both, axis=1).astype(float)


def held_to(case: Case, drawn: np.ndarray, mean_: float, variance: float) -> None:
    """Mean and variance of draws, given how far chance takes them."""
    mean, cov = posterior(case)
    std = np.sqrt(np.diag(cov))
    # float32 outputs have five digits more than these
    away = (drawn.mean(axis=0) - mean) / (std / np.sqrt(len(drawn)))
    assert np.sqrt((away**2).mean()) < mean_
    assert np.abs(away).max() < 3 * mean_
    ratio = drawn.var(axis=0, ddof=1) / std**2
    for part in (slice(SIDE * SIDE), slice(SIDE * SIDE, None)):
        assert ratio[part].mean() == pytest.approx(1, abs=variance)
    # and of patterns, which tell covariances
    patterns = np.random.default_rng(0).standard_normal((40, len(mean))) / norm("std")
    shown = (drawn @ patterns.T).var(axis=0, ddof=1)
    ratio = shown / np.einsum("kn,nm,km->k", patterns, cov, patterns)
    assert ratio.mean() == pytest.approx(1, abs=variance)


@pytest.mark.parametrize("name", [*CASES])
def test_members_are_draws_of_the_gaussian_posterior(name):
    """Of optimal interpolation; every kind of observation against a matrix of its own."""
    case = CASES[name]()
    held_to(case, sampled(case, prior(), MANY), 1.6, 0.12)


@pytest.mark.parametrize("name", ["points", "means over areas"])
def test_more_observations_leave_less(name):
    """Variance nowhere above that of the prior; where observed, well below."""
    _, cov = posterior(CASES[name]())
    before = np.diag(norm("std")[:, None] * covariance() * norm("std"))
    assert (np.diag(cov) <= before * (1 + 1e-9)).all()
    assert (np.diag(cov) / before).min() < 0.3


@pytest.mark.parametrize("share", [1.0, 0.01])
def test_what_is_seen_everywhere_is_agreed_with(share):
    """To within its errors: a hundredth of a usual one is half a hundredth of the spread."""
    ds = truth()[["ssh", "sst"]].isel(time=[0])
    error = {SSH: 0.02 * share, SST: 0.3 * share}
    out = draw(two(), ds, error=error, like=ds)
    for name, each in zip(("ssh", "sst"), error.values(), strict=True):
        assert float((out[name] - ds[name]).std()) < 1.2 * each
        assert float(out[name].std("realization").mean()) < 1.2 * each


@functools.cache
def gaussian() -> Diffusion:
    """A diffusion prior that is the same Gaussian: its network has learnt nothing."""
    sizes = fit_diffusion.SIZES | {"channels": [8, 8], "blocks": 1, "width": 8}
    wiener = Wiener(*(torch.from_numpy(prior().weights[n]) for n in ("covariance", "mean")))
    network = fit_diffusion.denoiser(wiener, 16, sizes)
    weights = {name: each.numpy() for name, each in network.state_dict().items()}
    return Diffusion(weights, {**prior().config, "patch": 16, "sizes": sizes})


@pytest.mark.parametrize("name", ["points"])
def test_a_diffusion_of_a_gaussian_draws_its_posterior(name):
    case = CASES[name]()
    held_to(case, sampled(case, gaussian(), 64, steps=10), 1.8, 0.35)


def test_without_observations_members_are_the_prior_s():
    """By optimal interpolation: mean and covariance are those of the training."""
    ds = as_points(small(), "ssh", [33.0], [-44.0], [0.1], [small().time.values[0]])
    times = small().isel(time=[0, 5])
    with mock.patch.object(preparing, "GROUP", MANY):
        out = xo.genda(ds, prior(), members=MANY, like=times, error=0.02).isel(time=1)
    drawn = np.concatenate([out[n].values.reshape(MANY, -1) for n in ("ssh", "sst")], axis=1)
    std = np.sqrt(np.diag(covariance())) * norm("std")
    away = (drawn.mean(axis=0) - norm("mean")) / (std / np.sqrt(MANY))
    assert np.abs(away).max() < 5
    assert (drawn.var(axis=0) / std**2).mean() == pytest.approx(1, abs=0.1)
    ssh, sst = out.ssh.mean(["latitude", "longitude"]), out.sst.mean(["latitude", "longitude"])
    expected = np.zeros((2, 2))
    for i in range(2):
        for j in range(2):
            part = covariance().reshape(2, SIDE**2, 2, SIDE**2)[i, :, j].mean()
            expected[i, j] = part * norm("std")[i * SIDE**2] * norm("std")[j * SIDE**2]
    size = np.sqrt(np.outer(*[np.diag(expected)] * 2))
    np.testing.assert_allclose(np.cov(ssh, sst) / size, expected / size, atol=0.15)


# ---- nothing observed ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["oi", "diffusion"])
def test_at_a_time_without_observations_members_are_the_prior_s(kind):
    """The same whatever is observed at other times, and however it is."""
    _, sst, _ = seen()
    one = draw(two(kind), sst.isel(time=[0]), members=2)
    other = draw(two(kind), tracks(like().isel(time=[0]), seed=3), error=0.1, members=2)
    assert list(one.observations) == [int(sst.sst.isel(time=0).notnull().sum()), 0, 0]
    assert list(other.observations) == [40, 0, 0]
    later = {"time": slice(1, None)}
    close(one.isel(later), other.isel(later), 1e-6)
    with pytest.raises(AssertionError):
        close(one.isel(time=[0]).drop_vars("observations"), other.isel(time=[0]))


@pytest.mark.parametrize("kind", ["oi", "diffusion"])
def test_maps_without_a_value_are_none(kind):
    _, sst, _ = seen()
    one = draw(two(kind), sst.where(False))
    other = draw(two(kind), sst.where(sst.time == sst.time[0]))
    assert not one.observations.any()
    close(one.isel(time=slice(1, None)), other.isel(time=slice(1, None)), 1e-6)


def test_how_many_are_used_is_counted():
    first, sst, sss = seen()
    out = draw(model("oi"))
    days = (first.time.values[:, None] - like().time.values) / DAYS
    points = (np.abs(days) <= 2.5).sum(axis=0)
    maps = sum(int(each.notnull().sum()) for each in (sst.sst,))
    assert out.observations.attrs["units"] == "1"
    assert out.observations.attrs["standard_name"] == "number_of_observations"
    assert int(out.observations.sum()) <= points.sum() + maps + sss.sss.size
    assert int(out.observations.sum()) > points.sum() + maps


# ---- which observations, when ----------------------------------------------------------------


def test_each_observation_counts_at_the_nearest_time():
    """As if it were of that time, but for its chance, which is keyed by its own."""
    ds = tracks(like())
    late = ds.assign_coords(time=ds.time + 2 * DAYS)
    one, other = (prepare(each, two(), error=0.02, like=like()) for each in (ds, late))
    for number in range(like().sizes["time"]):
        a, b = one.seen(number), other.seen(number)
        for name in ("values", "variance", "sea", "wide"):
            torch.testing.assert_close(getattr(a, name), getattr(b, name), atol=0, rtol=0)
        unit = torch.eye(len(a.values))
        torch.testing.assert_close(a.observe.back(unit), b.observe.back(unit), atol=0, rtol=0)
        np.testing.assert_array_equal(a.place[:3], b.place[:3])
        assert (b.place[3] - a.place[3] == 2 * 86400).all()


def test_in_a_window_observations_serve_several_times():
    ds = tracks(like().isel(time=[1]))
    alone, both = (draw(two(), ds, error=0.02, window=each) for each in (None, "10D"))
    assert list(alone.observations) == [0, 40, 0]
    assert list(both.observations) == [40, 40, 40]
    close(both.isel(time=[1]), alone.isel(time=[1]), 1e-6)


def test_a_window_so_short_that_nothing_is_old_is_none():
    ds = tracks(like())
    one, other = (draw(two(), ds, error=0.02, window=each) for each in (None, "1D"))
    close(one, other, 1e-6)


@pytest.mark.parametrize("lazily", [False, True])
def test_windows_of_maps_reach_over_chunks(lazily):
    """Each time sees the maps beside it, whichever chunk they lie in."""
    _, sst, _ = seen()
    whole = draw(two(), sst, window="10D")
    given = sst.chunk(time=1) if lazily else sst
    for number in range(3):
        near = [n for n in range(3) if abs(n - number) <= 1]
        part = draw(
            two(), given.isel(time=near), window="10D", like=like().isel(time=[number])
        ).compute(scheduler="synchronous")
        close(part, whole.isel(time=[number]))


def test_old_observations_tell_less():
    ds = tracks(like().isel(time=[1]), 200)
    out = draw(two(), ds, error=0.005, window="10D", members=24)
    spread = out.ssh.std("realization").mean(["latitude", "longitude"])
    assert float(spread[1]) < 0.8 * float(spread[0])
    assert float(spread[0]) == pytest.approx(float(spread[2]), rel=0.3)


def test_of_a_single_time_growth_is_told():
    one = truth().isel(time=[0])
    lone = fit(one, "oi", fields=[SSH, SST])
    with pytest.warns(UserWarning, match="trained on single times"):
        draw(lone, tracks(like()), error=0.02, window="10D")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(lone, tracks(like()), error=0.02)


# ---- chance ----------------------------------------------------------------------------------


def noise(time: float, members: tuple[int, ...] = (0,), coherence: float | None = None) -> Any:
    """At a time in days."""
    spell = None if coherence is None else int(coherence * DAY)
    return Noise(7, int(time * DAY), members, (2, 40, 45), (100, 200), spell)


def places(count: int, seed: int = 0) -> np.ndarray:
    """Where and when observations may be, (4, count)."""
    random = np.random.default_rng(seed)
    high = np.array([180 * 10**5, 360 * 10**5, 2, 2**32])[:, None]
    return random.integers(0, high, (4, count)).astype(np.uint64)


def correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(np.corrcoef(one.numpy().ravel(), other.numpy().ravel())[0, 1])


def test_noise_is_of_places_in_the_whole_grid():
    whole = noise(3)(0)
    part = Noise(7, 3 * DAY, (0,), (2, 10, 11), (105, 203))(0)
    np.testing.assert_array_equal(part, whole[:, :, 5:15, 3:14])


def test_noise_of_a_member_is_the_same_in_any_group():
    np.testing.assert_array_equal(noise(3, (0, 1, 2, 3))(4)[2:3], noise(3, (2,))(4))
    every = noise(3, (0, 1, 2))
    np.testing.assert_array_equal(
        every.observed(places(9))[1:2], noise(3, (1,)).observed(places(9))
    )


def test_chance_of_an_observation_is_of_where_and_when_it_is():
    """Not of which others there are, nor of their order; nor of where members begin."""
    at = places(300)
    made = noise(3).observed(at)
    order = np.random.default_rng(1).permutation(300)[:200]
    np.testing.assert_array_equal(noise(3).observed(at[:, order]), made[:, order])
    elsewhere = Noise(7, 3 * DAY, (0,), (5, 3, 3), (7, 8))
    np.testing.assert_array_equal(elsewhere.observed(at), made)
    for word in range(4):
        moved = at.copy()
        moved[word] ^= np.uint64(1)
        assert abs(correlation(noise(3).observed(moved), made)) < 0.2


def test_chance_goes_round_the_earth():
    """Columns beyond the last are the first."""
    over = Noise(7, 3 * DAY, (0,), (2, 4, 30), (10, 340), turn=360)(0)
    first = Noise(7, 3 * DAY, (0,), (2, 4, 30), (10, 0), turn=360)(0)
    np.testing.assert_array_equal(over[..., 20:], first[..., :10])


@pytest.mark.parametrize("coherence", [None, 10.0])
def test_noise_is_white_at_all_times(coherence):
    """Of unit variance between the draws that it turns from one into the other too."""
    for time in (-3.0, 0.0, 2.5, 5.0, 9.9, 10.0, 14.0):
        made = noise(time, (0, 1), coherence)(0).numpy().ravel()
        assert made.mean() == pytest.approx(0, abs=0.04)
        assert made.var() == pytest.approx(1, abs=0.05)
        assert abs(np.corrcoef(made[:-1], made[1:])[0, 1]) < 0.05


@pytest.mark.parametrize("coherence", [None, 10.0])
def test_steps_members_fields_seeds_and_errors_have_nothing_in_common(coherence):
    made = noise(3.0, (0, 1), coherence)
    fields = made(0)
    other = Noise(8, 3 * DAY, (0,), (2, 40, 45), (100, 200), made.coherence)(0)
    pairs = [
        (fields[0], fields[1]),
        (fields[0, 0], fields[0, 1]),
        (fields[0], made(1)[0]),
        (fields[0], other[0]),
        (fields[0, 0].flatten()[:1800], made.observed(places(1800))[0]),
    ]
    for one, two_ in pairs:
        assert abs(correlation(one, two_)) < 0.08


def test_without_coherence_times_have_nothing_in_common():
    assert abs(correlation(noise(3.0)(0), noise(3.001)(0))) < 0.05
    np.testing.assert_array_equal(noise(3.0)(0), noise(3.0)(0))


@pytest.mark.parametrize("start", [-25.0, -3.0, 0.0, 4.0, 9.0, 17.0])
@pytest.mark.parametrize("what", ["fields", "errors"])
def test_with_coherence_near_times_are_alike_and_distant_ones_are_not(start, what):
    def of(time: float) -> torch.Tensor:
        made = noise(time, (0,), 10.0)
        return made(0) if what == "fields" else made.observed(places(3000))

    first = of(start)
    near = [correlation(first, of(start + after)) for after in (0.01, 1.0, 2.0)]
    assert near[0] > 0.999
    assert near[1] > 0.97
    assert near[2] > 0.9
    assert correlation(first, of(start + 8)) < 0.7
    assert all(abs(correlation(first, of(start + after))) < 0.08 for after in (20.0, 47.0, -20.0))


@pytest.mark.parametrize("kind", ["oi", "diffusion"])
def test_members_are_continuous_in_time(kind):
    """At neighbouring hours, with the same observations."""
    hours = like().time.values[0] + np.array([0, 3, 600], "m8[h]").astype("m8[ns]")
    times = like().isel(time=[0, 0, 0]).assign_coords(time=hours)
    ds = tracks(like().isel(time=[0]), 6)
    apart, together = (
        draw(two(kind), ds, error=0.1, like=times, coherence=each, window="90D")
        for each in (None, "20D")
    )
    for name in ("ssh", "sst"):
        one, two_, late = (together[name].isel(time=n) for n in range(3))
        assert float(abs(one - two_).mean() / abs(one - late).mean()) < 0.2
        a, b, c = (apart[name].isel(time=n) for n in range(3))
        assert float(abs(a - b).mean() / abs(a - c).mean()) > 0.4


# ---- options of the diffusion prior ----------------------------------------------------------


def test_options_change_members_and_never_their_shape():
    options: dict[str, Any] = {"members": 1, "like": like().isel(time=[0])}
    chosen, sst = two("diffusion"), seen()[1].isel(time=[0])
    plain = draw(chosen, sst, **options)
    for more in ({"steps": 6}, {"guidance": "sda"}, {"corrector": True}):
        other = draw(chosen, sst, **options, **more)
        assert np.isfinite(other.sst).all()
        assert float(abs(other.sst - plain.sst).max()) > 1e-3
        assert f"{next(iter(more))}={next(iter(more.values()))}" in other.attrs["history"]
    same = draw(chosen, sst, **options, guidance="gaussian", corrector=False)
    close(same, plain, 1e-6)


def test_members_agree_with_observations_and_not_with_one_another():
    """Where much is seen, by much less than the prior's spread; elsewhere by more."""
    ds = like()[["sst"]].isel(time=[0]).where(like().longitude < -43.8)
    where = like().isel(time=[0])
    out = draw(two("diffusion"), ds, like=where, error=0.05, members=8, steps=8)
    west, east = {"longitude": slice(0, 9)}, {"longitude": slice(18, None)}
    spread = out.sst.std("realization")
    assert float(spread.isel(west).mean()) < 0.1
    assert float(spread.isel(east).mean()) > 3 * float(spread.isel(west).mean())
    missed = np.sqrt(((out.sst.mean("realization") - truth().sst).isel(west) ** 2).mean())
    assert float(missed) < 0.1


# ---- heights ---------------------------------------------------------------------------------


@functools.cache
def absolute(currents_: bool = False) -> tuple[xr.Dataset, Any]:
    """Fields with heights above the geoid, and a prior of them."""
    ds = truth()
    attrs = {"standard_name": HEIGHT, "long_name": "height", "units": "m"}
    ds = ds.assign(ssh=(ds.ssh + ds.mdt).assign_attrs(attrs))
    if not currents_:
        ds = ds[["ssh", "sst"]]
    return ds, fit(ds, "oi", fields=None if currents_ else [HEIGHT, SST])


def both_heights() -> tuple[xr.Dataset, xr.Dataset]:
    """The same tracks as anomalies and as heights."""
    anomaly, mean = (
        tracks(like()),
        tracks(like()[["mdt"]].expand_dims(time=like().time), name="mdt"),
    )
    higher = (anomaly.ssh + mean.mdt).assign_attrs(absolute()[0].ssh.attrs)
    return anomaly, anomaly.assign(ssh=higher)


@pytest.mark.parametrize("where", ["like", "also", "fields"])
def test_anomalies_do_for_a_prior_of_heights_if_the_mean_topography_is_there(where):
    anomaly, higher = both_heights()
    mdt = truth()[["mdt"]]
    bare = like().drop_vars("mdt")
    more: dict[str, Any] = {"like": bare, "error": {HEIGHT: 0.02}}
    if where == "like":
        more["like"] = bare.assign(mdt)
    elif where == "also":
        more["also"] = [mdt]
    else:
        more |= {"also": [mdt.rename(mdt="topo")], "fields": {"mean_dynamic_topography": "topo"}}
    _, prior_ = absolute()
    close(xo.genda(anomaly, prior_, **more), xo.genda(higher, prior_, like=bare, error=0.02))


def test_maps_of_anomalies_do_too():
    ds, prior_ = absolute()
    anomaly = like()[["ssh", "mdt"]].where(np.random.default_rng(0).random((24, 28)) > 0.5)
    anomaly = anomaly.assign(mdt=like().mdt)
    higher = ds[["ssh"]].isel(time=slice(3)).where(anomaly.ssh.notnull())
    bare = like().drop_vars("mdt")
    error = {HEIGHT: 0.02}
    made = [xo.genda(each, prior_, like=bare, error=error) for each in (anomaly, higher)]
    close(*made)
    assert made[0].ssh.attrs["standard_name"] == HEIGHT


def test_heights_do_for_a_prior_of_anomalies():
    anomaly, higher = both_heights()
    one, other = (draw(two(), each, error={SSH: 0.02}) for each in (anomaly, higher))
    close(one, other)
    assert one.ssh.attrs["standard_name"] == other.ssh.attrs["standard_name"]


@pytest.mark.filterwarnings("ignore:.*no standard error is told")
def test_one_error_is_of_heights_of_the_other_datum_too():
    anomaly, _ = both_heights()
    one, other = (draw(absolute()[1], anomaly, error=each) for each in (0.02, {HEIGHT: 0.02}))
    close(one, other)


@pytest.mark.parametrize("other", [False, True])
def test_without_a_mean_topography_the_other_height_is_refused(other):
    anomaly, higher = both_heights()
    given, prior_ = (higher, two()) if other else (anomaly, absolute()[1])
    with pytest.raises(FieldNotFound, match=r"ssh: the prior knows .* mean dynamic topography"):
        xo.genda(given, prior_, like=like().drop_vars("mdt"), error=0.02)


def test_points_without_a_mean_topography_spoil_nothing():
    anomaly, _ = both_heights()
    out = xo.genda(
        anomaly,
        absolute()[1],
        like=like().assign(mdt=like().mdt.where(coast())),
        error={HEIGHT: 0.02},
    )
    assert np.isfinite(out.ssh).all()


# ---- currents --------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "smooth"), [("oi", 0.0), ("oi", 1.5), ("diffusion", 0.0)])
@pytest.mark.filterwarnings("ignore:.*anomaly and no mean")
def test_currents_are_the_rest_and_the_slope_of_each_member_s_sea(kind, smooth):
    """Taken apart again, what the model drew is left."""
    prior_ = model(kind, smooth=smooth)
    given, *also = seen()
    more = {"steps": 2} if kind == "diffusion" else {}
    options = {"also": also, "like": like().isel(time=[0]), "members": 2, **more}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*lie at none of the times")
        out = xo.genda(given, prior_, **options)
        drawn = prepare(given, prior_, **options).run()
    parts = currents.split(out.assign(mdt=like().mdt), ekman=None, smooth=smooth)
    for name in ("u", "v"):
        rest = drawn[name].transpose(*parts[f"{name}_ageostrophic"].dims)
        np.testing.assert_allclose(parts[f"{name}_ageostrophic"], rest, atol=2e-4)
        assert float(abs(out[name] - drawn[name]).max()) > 0.05
        assert out[name].attrs["standard_name"] == truth()[name].attrs["standard_name"]
        assert "smoothed_over_cells" not in out[name].attrs


def test_whole_currents_are_as_they_are_drawn():
    prior_ = model("oi", currents="whole")
    assert prior_.config["smooth"] is None
    given, *also = seen()
    options = {"also": also, "like": like(), "members": 2}
    out, drawn = xo.genda(given, prior_, **options), prepare(given, prior_, **options).run()
    for name in FIELDS:
        np.testing.assert_array_equal(out[name], drawn[name])


def test_currents_of_members_vary_as_the_truth_s():
    """With and without their geostrophic part they are about as large."""
    for options in ({}, {"currents": "whole"}):
        where = like().isel(time=[0])
        out = draw(model("oi", **options), seen()[1], members=16, also=[], like=where)
        for name in ("u", "v"):
            assert 0.4 < float(out[name].std() / truth()[name].std()) < 2.5


def test_without_a_mean_topography_currents_are_anomalies_and_that_is_said():
    with pytest.warns(UserWarning, match="no mean dynamic topography"):
        draw(model("oi"), like=like().drop_vars("mdt"))


def test_observed_currents_are_agreed_with():
    """Sea level and currents are seen in every cell, with small errors."""
    ds = truth()[["ssh", "u", "v"]].isel(time=slice(3))
    error = {SSH: 0.002, EAST: 0.01, NORTH: 0.01}
    out = draw(model("oi"), ds, error=error)
    for name in ("u", "v"):
        assert float((out[name] - ds[name]).std()) < 0.02


# ---- the plan --------------------------------------------------------------------------------


def test_a_plan_tells_everything_and_runs_nothing():
    first, sst, sss = (each if "obs" in each.dims else each.chunk(time=1) for each in seen())
    with dask.config.set(scheduler=no_compute):
        plan = first.genda.plan(model("oi"), also=[sst, sss], like=like(), members=11)
    told = str(plan)
    for part in (
        "OI(sea_level_anomaly, ",
        "points)",
        "linear between",
        "on the members' grid",
        "Gaussian footprint",
        "0.02 m (median)",
        "sst_standard_error",
        "cells as one",
        "3 maps",
        "11, in groups of 8",
        "24 x 28 cells",
        "degC",
        "inferred from the others: eastward_sea_water_velocity, northward_sea_water_velocity",
        "no land is known",
        "geostrophic",
    ):
        assert part in told
    assert "<table" in plan._repr_html_()
    tasks = next(row["tasks"] for row in plan.rows if "tasks" in row)
    assert tasks == "6"


def test_a_plan_tells_of_times_without_observations():
    told = str(xo.generative.plan(seen()[1].isel(time=[0]), two(), like=like()))
    assert "nothing is observed at 2 of the times" in told
    told = str(xo.generative.plan(seen()[1], two(), like=like().where(coast())))
    assert "no land is known" not in told
    assert "% sea" in told


def test_a_plan_tells_of_means_and_datums():
    """Another grid, and heights of another datum."""
    coarse_ = truth()[["sst"]].isel(time=slice(3)).coarsen(latitude=3, longitude=4).mean()
    anomaly, _ = both_heights()
    plan = xo.generative.plan(
        coarse_, absolute()[1], also=[anomaly], like=like(), error={HEIGHT: 0.1, SST: 0.1}
    )
    assert "as means over its cells" in str(plan)
    assert "brought to the prior's datum" in str(plan)


def test_a_plan_tells_how_sea_level_is_found():
    assert "found by fields=" not in str(xo.generative.plan(seen()[0], two(), like=like()))


def test_the_function_and_the_accessor_are_one():
    given, *also = seen()
    options = {"also": also, "like": like(), "members": 2}
    one, other = xo.genda(given, model("oi"), **options), given.genda(model("oi"), **options)
    close(one, other, 0)
    array = given.ssh.genda(two(), like=like(), members=2, error=0.02)
    alone = given[["ssh"]].genda(two(), like=like(), members=2, error=0.02)
    assert array.name == "ssh"
    np.testing.assert_array_equal(array, alone.ssh)
