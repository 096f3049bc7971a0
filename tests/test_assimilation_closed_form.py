"""The analysis against the Gaussian posterior with whole matrices, written out independently.

State ``x = P^T u + r`` in normalised anomalies, ``u ~ N(0, 1)``, r of short range; observations
``y = H (mean + scale x) + e``. Only what a model holds is taken from it: grid, climatology,
patterns, what is left.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import climates
import numpy as np
import pytest
import xarray as xr

RADIUS = 6371.0
CLOSE = 1e-6


@dataclass
class Observed:
    """One observation, in the units of the model."""

    field: int
    lat: float
    lon: float
    value: float
    error: float


class Dense:
    """The posterior of one time."""

    def __init__(self, model: Any, month: int, observed: list[Observed]) -> None:
        self.model, self.observed = model, observed
        state = model.state
        self.cells = [tuple(map(int, each)) for each in np.argwhere(state.known)]
        self.number = {cell: n for n, cell in enumerate(self.cells)}
        self.mean, self.scale = model.tables.mean[month], model.tables.scale[month]
        self.patterns = model.patterns.astype(float)
        self.rest = model.rest.astype(float)
        self.field = np.array([each.field for each in observed])
        self.see = np.stack([self._row(each) for each in observed])
        self._innovations()
        self._posterior()

    def _row(self, each: Observed) -> np.ndarray:
        """Bilinear weights; of corners on land those of the others."""
        lat, lon = self.model.state.latitude, self.model.state.longitude
        row = np.zeros(len(self.cells))
        south = int(np.clip(np.searchsorted(lat, each.lat) - 1, 0, len(lat) - 2))
        y = np.clip((each.lat - lat[south]) / (lat[south + 1] - lat[south]), 0, 1)
        step = lon[1] - lon[0]
        x = ((each.lon - lon[0]) / step) % (360 / step)
        west = int(x)
        for i, j, weight in (
            (south, west, (1 - y) * (1 - x + west)),
            (south, west + 1, (1 - y) * (x - west)),
            (south + 1, west, y * (1 - x + west)),
            (south + 1, west + 1, y * (x - west)),
        ):
            j = j % len(lon) if self.model.state.wraps else min(j, len(lon) - 1)
            cell = (each.field, i, j)
            if cell in self.number:
                row[self.number[cell]] += weight
        return row / row.sum()

    def _innovations(self) -> None:
        power = np.array([f["power"] for f in self.model.config["fields"]])[self.field]
        value = np.array([each.value for each in self.observed])
        error = np.array([each.error for each in self.observed])
        mean, self.seen_scale = self.see @ self.mean, self.see @ self.scale
        value = np.where(power == 3, np.cbrt(value), value)
        error = np.where(power == 3, error / (3 * (mean**2 + self.seen_scale**2)), error)
        self.error = np.maximum(error, 1e-3 * self.seen_scale)
        self.innovation = value - mean

    def points(self, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
        lat, lon = np.deg2rad(lat), np.deg2rad(lon)
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], 1)

    def _posterior(self) -> None:
        lengths = np.array([f["length"] for f in self.model.config["fields"]])
        where = np.array([(each.lat, each.lon) for each in self.observed])
        self.at = self.points(*where.T)
        apart = RADIUS * np.linalg.norm(self.at[:, None] - self.at[None], axis=-1)
        same = self.field[:, None] == self.field
        near = same & (apart <= 1.5 * lengths[self.field][:, None])
        self.scaled = self.see * self.scale  # sees normalised anomalies
        self.left = self.scaled @ self.rest
        shared = self._shared()
        crowd = 1 + ((near * shared).sum(axis=1) / shared - 1) * 2 / 1.5**2
        noise = np.diag(self.error**2 + self.left**2 * crowd)
        covariance = self.patterns.T @ self.patterns
        inside = self.scaled @ covariance @ self.scaled.T + noise
        gain = covariance @ self.scaled.T @ np.linalg.inv(inside)
        self.anomaly = gain @ self.innovation
        self.covariance = covariance - gain @ self.scaled @ covariance
        self.variance = np.diag(self.covariance) + self.rest**2
        of_latent = self.patterns @ self.scaled.T @ np.linalg.inv(inside)
        self.latent = of_latent @ self.innovation
        self.latent_covariance = np.eye(len(self.latent)) - of_latent @ self.scaled @ (
            self.patterns.T
        )
        count = len(self.observed)
        self.chi_square = self.innovation @ np.linalg.inv(inside) @ self.innovation / count
        misfit = self.innovation - self.scaled @ self.anomaly
        self.misfit = np.sqrt((misfit**2 / np.diag(noise)).mean())

    def _shared(self) -> np.ndarray:
        """How much of each one's error is in common, to a factor of two."""
        share = np.clip(self.left**2 / (self.left**2 + self.error**2), 2.0**-10, 1)
        level = [(k, round(np.log2(each))) for k, each in zip(self.field, share, strict=True)]
        return np.array(
            [np.mean([s for s, n in zip(share, level, strict=True) if n == me]) for me in level]
        )

    def residual(self) -> tuple[np.ndarray, np.ndarray]:
        """Anomaly and variance with what is left interpolated, each cell from those near it."""
        n, m = len(self.cells), len(self.observed)
        lat, lon = self.model.state.latitude, self.model.state.longitude
        place = np.array(self.cells)
        cell = self.points(lat[place[:, 1]], lon[place[:, 2]])
        gain, variance = np.zeros((n, m)), self.rest**2
        left = self.left / self.seen_scale
        for k, told in enumerate(self.model.config["fields"]):
            mine = np.flatnonzero(self.field == k)
            for target in np.flatnonzero(place[:, 0] == k):
                apart = RADIUS * np.linalg.norm(self.at[mine] - cell[target], axis=1)
                use = mine[apart <= 3 * told["length"]]
                assert len(use) <= 24
                between = RADIUS * np.linalg.norm(self.at[use][:, None] - self.at[use], axis=-1)
                inside = np.exp(-(between**2) / (2 * told["length"] ** 2))
                inside *= left[use][:, None] * left[use]
                inside += np.diag((self.error[use] / self.seen_scale[use]) ** 2)
                across = np.exp(
                    -(apart[apart <= 3 * told["length"]] ** 2) / (2 * told["length"] ** 2)
                )
                across *= self.rest[target] * left[use]
                gain[target, use] = np.linalg.solve(inside, across)
                variance[target] -= gain[target, use] @ across
        sees = self.scaled / self.seen_scale[:, None]
        beyond = (self.innovation - self.scaled @ self.anomaly) / self.seen_scale
        # the errors of the coefficients are left where they are observed, and so interpolated too
        change = np.eye(n) - gain @ sees
        total = np.diag(change @ self.covariance @ change.T) + variance
        return self.anomaly + gain @ beyond, total

    def values(
        self, anomaly: np.ndarray, variance: np.ndarray
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Fields and their spreads, (rows, columns) each."""
        shape = self.model.state.known.shape
        value, spread = np.full(shape, np.nan), np.full(shape, np.nan)
        for n, cell in enumerate(self.cells):
            m = self.mean[n] + self.scale[n] * anomaly[n]
            v = self.scale[n] ** 2 * variance[n]
            if self.model.config["fields"][cell[0]]["power"] == 3:
                value[cell] = max(m**3 + 3 * m * v, 0)
                spread[cell] = np.sqrt(9 * m**4 * v + 36 * m**2 * v**2 + 15 * v**3)
            else:
                value[cell], spread[cell] = m, np.sqrt(v)
        return list(value), list(spread)


ERRORS = {"sst": 0.2, "psl": 0.8, "pr": 4e-6}


def _case(name: str, length: float, step: int) -> tuple[Any, xr.Dataset, xr.Dataset, Any]:
    """A model with a length of its own, a gridded field with gaps, points, and the two as rows."""
    ds = {"globe": climates.globe, "region": climates.region}[name]()
    fitted = climates.model(name)
    fields = [{**each, "length": length} for each in fitted.config["fields"]]
    model = dataclasses.replace(fitted, config={**fitted.config, "fields": fields})
    random = np.random.default_rng(step)
    one = ds[["sst"]].isel(time=[step])
    sea = np.flatnonzero(np.isfinite(one.sst.values.ravel()))
    keep = np.zeros(one.sst.size, bool)
    keep[random.choice(sea, 16, replace=False)] = True
    one = one.where(keep.reshape(one.sst.shape))
    lat, lon = ds.lat.values, ds.lon.values
    north = random.uniform(lat[0], lat[-1], 12)
    east = random.uniform(lon[0], lon[-1], 12)
    if name == "globe":
        east = (east + 100 + 180) % 360 - 180
    points = climates.at_points(ds, "pr", north[:6], east[:6], np.full(6, step))
    rain = [
        Observed(2, y, x, float(v), ERRORS["pr"])
        for y, x, v in zip(north[:6], east[:6], points.pr, strict=True)
    ]
    pressure = climates.at_points(ds, "psl", north[6:], east[6:], np.full(6, step))
    high = [
        Observed(1, y, x, float(v), ERRORS["psl"])
        for y, x, v in zip(north[6:], east[6:], pressure.psl, strict=True)
    ]
    # on the coast of the island: seen by the cells of the sea alone
    filled = ds.assign(sst=ds.sst.fillna(20).assign_attrs(ds.sst.attrs))
    coast = climates.at_points(filled, "sst", np.array([0.0, 3]), np.array([2.6, 2.9]), [step] * 2)
    wet = [
        Observed(0, y, 2.6 + 0.1 * y, float(v), ERRORS["sst"])
        for y, v in zip((0.0, 3), coast.sst, strict=True)
    ]
    row, column = np.nonzero(np.isfinite(one.sst.values[0]))
    warm = [
        Observed(0, lat[i], lon[j], float(one.sst[0, i, j]), ERRORS["sst"])
        for i, j in zip(row, column, strict=True)
    ]
    also = [points, pressure, coast]
    return model, one, also, Dense(model, step % 12, warm + rain + high + wet)


def _error() -> dict[str, float]:
    return dict(zip(climates.KEYS, ERRORS.values(), strict=True))


CASES = [("globe", 900.0, 5), ("globe", 2500.0, 18), ("region", 600.0, 0), ("region", 50.0, 31)]


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request):
    return _case(*request.param)


def _compare(found: xr.Dataset, expected: Any, suffix: str) -> None:
    for name, field in zip(climates.NAMES, expected, strict=True):
        got = found[f"{name}{suffix}"].values[0]
        np.testing.assert_array_equal(np.isnan(got), np.isnan(field))
        scale = np.nanstd(field) if not suffix else np.nanmax(field)
        np.testing.assert_allclose(got, field, rtol=0, atol=CLOSE * scale)


@pytest.mark.parametrize("residual", [False, True])
def test_analysis_and_spread_are_those_of_the_posterior(case, residual):
    model, one, also, dense = case
    found = one.assimilate(model, also=also, error=_error(), residual=residual)
    anomaly, variance = dense.residual() if residual else (dense.anomaly, dense.variance)
    values, spreads = dense.values(anomaly, variance)
    _compare(found, values, "")
    _compare(found, spreads, "_spread")


def test_the_latent_and_its_covariance_are_those_of_the_posterior(case):
    model, one, also, dense = case
    found = one.assimilate(model, also=also, error=_error(), covariance=True)
    k = model.latent
    np.testing.assert_allclose(found.latent[0], dense.latent[:k], atol=CLOSE)
    covariance = dense.latent_covariance[:k, :k]
    np.testing.assert_allclose(found.latent_covariance[0], covariance, atol=CLOSE)
    assert found.latent_covariance.dims == ("time", "latent_number", "latent_other")


def test_the_diagnostics_are_those_of_the_posterior(case):
    model, one, also, dense = case
    found = one.assimilate(model, also=also, error=_error())
    assert found.observations[0] == len(dense.observed)
    np.testing.assert_allclose(found.chi_square[0], dense.chi_square, rtol=CLOSE)
    np.testing.assert_allclose(found.misfit[0], dense.misfit, rtol=CLOSE)
    assert found.iterations[0] == 1


def test_observations_without_errors_still_have_what_cannot_be_represented(case):
    """The least error is a thousandth of what the field varies by."""
    model, one, _, dense = case
    there = int(one.sst.notnull().sum())
    exact = [dataclasses.replace(each, error=0.0) for each in dense.observed[:there]]
    again = Dense(model, int(one.time.dt.month[0]) - 1, exact)
    found = one.assimilate(model, residual=False)
    values, spreads = again.values(again.anomaly, again.variance)
    _compare(found, values, "")
    _compare(found, spreads, "_spread")


@pytest.mark.parametrize("residual", [False, True])
def test_a_perturbation_has_the_linear_response(case, residual):
    """The gain times the change, at what is linear."""
    model, one, also, dense = case
    pattern = one.sst[0].copy(data=np.random.default_rng(0).standard_normal(one.sst[0].shape))
    change = {"sea_surface_temperature": pattern.drop_vars("time"), climates.KEYS[1]: 1.5}
    found = one.assimilate.perturb(model, change, also=also[:2], error=_error(), residual=residual)

    def changed(each: Observed) -> float:
        if each.field == 0:
            return float(pattern.sel(lat=each.lat, lon=each.lon))
        return 1.5 if each.field == 1 else 0.0

    observed = dense.observed[:-2]
    later = [dataclasses.replace(each, value=each.value + changed(each)) for each in observed]
    month = int(one.time.dt.month[0]) - 1
    (new, _), (old, _) = (
        each.residual() if residual else (each.anomaly, each.variance)
        for each in (Dense(model, month, later), Dense(model, month, observed))
    )
    response = np.full(model.state.known.shape, np.nan)
    response[model.state.known] = dense.scale * (new - old)
    for k, name in enumerate(climates.NAMES[:2]):
        largest = np.nanmax(np.abs(response[k]))
        np.testing.assert_allclose(found[name].values[0], response[k], atol=1e-9 * largest)


@pytest.mark.parametrize(("share", "error"), [(0.5, 0.1), (0.1, 0.1), (0.02, 0.3)])
@pytest.mark.parametrize("length", [300.0, 600.0])
def test_it_is_nearly_the_posterior_of_a_state_that_is_smooth_beyond_its_patterns(
    share, error, length
):
    """With the whole covariance of what is left, that no 24 neighbours and no crowding stand for:
    the spread is right where there are observations and where there are none."""
    from xocean_ml.assimilation.analysis import Background, Given, analyse
    from xocean_ml.assimilation.rows import own
    from xocean_ml.assimilation.state import State
    from xocean_ml.assimilation.tables import Tables

    lat, lon = climates.steps(-25, 25, 2.5), climates.steps(0, 70, 2.5)
    state = State(lat, lon, False, np.ones((1, len(lat), len(lon)), bool))
    n, k = state.size, 15
    apart = RADIUS * np.linalg.norm(state.points[:, None] - state.points, axis=-1)
    value, vector = np.linalg.eigh(np.exp(-(apart**2) / (2 * 2500**2)))
    patterns = 0.85 * (vector[:, -k:] * np.sqrt(value[-k:])).T
    short = 0.25 * np.exp(-(apart**2) / (2 * length**2))
    tables = Tables(np.zeros((1, n)), np.ones((1, n)), np.ones(n, int))
    known = Background(
        state, tables, patterns, np.zeros(k), None, np.full(n, 0.5), (float(length),)
    )
    seen = np.random.default_rng(0).random(n) < share
    inside = patterns.T @ patterns + short
    gain = inside[:, seen] @ np.linalg.inv(
        inside[np.ix_(seen, seen)] + error**2 * np.eye(int(seen.sum()))
    )
    spread = np.sqrt(np.diag(inside - gain @ inside[seen]))
    drawn = np.linalg.cholesky(inside + 1e-9 * np.eye(n)) @ np.random.default_rng(1).normal(
        size=(n, 20)
    )
    values = drawn[seen].T + error * np.random.default_rng(2).normal(size=(20, int(seen.sum())))
    rows = own(state, 0).some(seen)
    given = Given.of(rows, values, np.full(len(rows), error), tables.at(0), tables)
    found = analyse(known, given, residual=True)
    away = np.sqrt(((found.anomaly - values @ gain.T) ** 2).mean())
    assert away < 0.35 * np.sqrt((spread**2).mean())
    for some in (seen, ~seen):
        ratio = np.sqrt(found.variance[some].mean() / (spread[some] ** 2).mean())
        assert 0.93 < ratio < 1.1
