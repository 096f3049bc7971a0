"""Laws of the fitted state space: exact where parameters are known, honest where they are not."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from xocean_ml.errors import ValuesError
from xocean_ml.kernels import kalman
from xocean_ml.kernels.kalman import Record
from xocean_ml.simulate import _kalman as twin_kalman
from xocean_ml.simulate import families, increments
from xocean_ml.smoothing.statespace import fit

DEPTHS = (400.0, 1500.0)


@pytest.fixture(scope="module")
def twin():
    """Increments (time, cell), spread, counts, truth and optimum of two levels of six columns."""
    ds = increments("select", columns=6, years=(1960, 2019), depth=DEPTHS, dtype="float64")
    names = {
        "increment": "temperature_increment",
        "spread": "temperature_increment_spread",
        "counts": "number_of_observations",
        "true": "true_increment",
        "optimum": "optimum_a",
    }
    found = {key: ds[name].values.reshape(ds.sizes["time"], -1) for key, name in names.items()}
    found["years"] = np.diff(ds["time_bnds"])[:, 0] / np.timedelta64(1, "s") / 86400 / 365.25
    found["groups"] = np.repeat([0, 1], 6)
    return found


@pytest.fixture(scope="module", params=["spread and counts", "spread", "neither"])
def case(request, twin):
    """What is given, and the model fitted to it."""
    names = {"spread and counts": ("spread", "counts"), "spread": ("spread",), "neither": ()}
    given = {name: twin[name] for name in names[request.param]}
    return given, quiet(twin["increment"], twin["years"], twin["groups"], **given)


def quiet(*args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return fit(*args, **kwargs)


def error(x, y):
    return float(np.sqrt(np.mean((x - y) ** 2)))


# -- with known parameters -------------------------------------------------------------------


def known(steps=14, seed=0):
    """A law and a short record with unobserved and lost steps, uneven in time."""
    rng = np.random.default_rng(seed)
    law = np.log([[0.5, 1.0, 0.3, 0.7, 0.4, 0.5, 1.3]])
    state = np.ones((1, steps), np.int8)
    state[0, [2, 3, 9]] = 0
    state[0, 6] = 2
    kind = rng.integers(0, 2, steps)
    counts = rng.integers(1, 5, (1, steps)).astype(float)
    increment = np.where(state == 1, rng.standard_normal((1, steps)), 0.0)
    none = np.zeros(1)
    record = Record(increment, state, counts, 0 * counts, np.array([0.1, 0.4]), kind, none, none)
    return law, record


def dense(law, record):
    """Covariance of (increments, b dt), each of all steps, from the noises that make them."""
    drift, drift_time, noise, restoring = np.exp(law[0, :4])
    gain, variance = (x[0] for x in kalman.gains(law, record))
    dt = record.lengths[record.kind]
    steps = len(dt)
    # noises: b and e at the start (correlated), then shock, q and r of each step
    cov = drift**2 / (1 / drift_time + 1 / restoring)
    size = np.eye(2 + 3 * steps)
    size[:2, :2] = [[drift**2, cov], [cov, (2 * cov + noise**2) * restoring / 2]]
    b, e = size.copy()[0] * 0, size.copy()[0] * 0
    b[0], e[1] = 1, 1
    rows, pushed = [], []
    d = 0 * e
    for k in range(steps):
        rho, phi = np.exp(-dt[k] / drift_time), np.exp(-dt[k] / restoring)
        shock, q, r = 2 + 3 * k, 3 + 3 * k, 4 + 3 * k
        size[shock, shock] = drift**2 * (1 - rho**2)
        size[q, q] = noise**2 * dt[k]
        size[r, r] = variance[k] if gain[k] > 0 else 1.0
        b = rho * b
        b[shock] += 1
        e = phi * (e - d) + b * dt[k]
        e[q] += 1
        d = gain[k] * e
        d[r] += gain[k]
        rows.append(d)
        pushed.append(b * dt[k])
    whole = np.array(rows + pushed)
    return whole @ size @ whole.T


def test_likelihood_and_smoother_are_the_gaussian_ones():
    law, record = known()
    steps = record.increment.shape[1]
    joint = dense(law, record)
    seen = np.flatnonzero(record.state[0] == 1)
    inside = joint[np.ix_(seen, seen)]
    d = record.increment[0, seen]
    solved = np.linalg.solve(inside, d)
    density = -0.5 * (d @ solved + np.linalg.slogdet(2 * np.pi * inside)[1])
    value = kalman.score(law, record, np.arange(7))[0]
    assert value == pytest.approx(density, abs=1e-8)

    across = joint[steps:, seen]
    mean, deviation = kalman.smooth(law, record)
    variance = np.diag(joint)[steps:] - np.einsum(
        "ij,ji->i", across, np.linalg.solve(inside, across.T)
    )
    np.testing.assert_allclose(mean[0], across @ solved, rtol=0, atol=1e-10)
    np.testing.assert_allclose(deviation[0] ** 2, variance, rtol=0, atol=1e-10)


@pytest.mark.parametrize("loose", [0.0, 0.5])
def test_gradient_is_that_of_the_value(loose):
    law, record = known()
    rng = np.random.default_rng(1)
    spread = np.exp(0.3 * rng.standard_normal(record.counts.shape)) * 0.2 * (record.state > 0)
    record = record._replace(spread=spread, loose=np.full(1, loose), error=np.full(1, 0.3))
    gradient = kalman.score(law, record, np.arange(7))[1]
    for i in range(7):
        shift = 1e-4 * np.eye(7)[i]
        up, down = (kalman.score(law + s, record, np.arange(7))[0] for s in (shift, -shift))
        assert gradient[0, i] == pytest.approx((up - down) / 2e-4, rel=1e-3, abs=1e-3)


def test_information_is_the_variance_of_the_gradient():
    law, record = known(steps=12)
    rng = np.random.default_rng(2)
    seen = record.state[0] == 1
    root = np.linalg.cholesky(dense(law, record)[np.ix_(seen, seen)])
    cells = 20_000
    repeated = record.cells(np.zeros(cells, int))
    repeated.increment[:, seen] = rng.standard_normal((cells, seen.sum())) @ root.T
    _, gradient, information, _ = kalman.score(
        np.repeat(law, cells, axis=0), repeated, np.arange(4)
    )
    sampled, expected = np.cov(gradient.T), information.mean(axis=0)
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(sampled / scale, expected / scale, atol=0.05)
    np.testing.assert_allclose(gradient.mean(axis=0) / np.sqrt(np.diag(expected)), 0, atol=0.05)


def test_equals_optimum_a_with_true_parameters():
    """All observations err alike (coarse = 1): the gain follows from the counts alone."""
    ds = increments(
        "select", columns=3, years=(1950, 2019), depth=(300.0,), coarse=(1, 1), dtype="float64"
    )
    profile = {
        name: np.interp(np.log(300.0), np.log(families.PROFILES["depth"]), row)
        * ds[f"{name}_factor"].values
        for name, row in families.PROFILES.items()
        if name != "depth"
    }
    law = twin_kalman.Law(*(profile[n] for n in ("drift", "drift_time", "noise", "restoring")))
    growth = np.sqrt(2 * law.stationary()[0] / law.restoring) * ds["tuning_factor"].values
    rows = (law.drift, law.drift_time, law.noise, law.restoring, profile["error"], growth)
    logs = np.log(np.stack([*rows, np.ones(3)], axis=1))
    dt = np.diff(ds["time_bnds"])[:, 0] / np.timedelta64(1, "s") / 86400 / 365.25
    lengths, kind = np.unique(dt, return_inverse=True)
    d, n, gain, optimum = (
        np.ascontiguousarray(ds[name].values[:, 0].T.astype(float))
        for name in ("temperature_increment", "number_of_observations", "gain", "optimum_a")
    )
    state = (d != 0).astype(np.int8)
    record = Record(d, state, np.maximum(n, 1), 0 * d, lengths, kind, np.zeros(3), np.zeros(3))
    np.testing.assert_allclose(kalman.gains(logs, record)[0], gain, rtol=0, atol=1e-12)
    mean, _ = kalman.smooth(logs, record)
    np.testing.assert_allclose(mean, optimum, rtol=0, atol=1e-8 * np.abs(optimum).max())


# -- fitted ----------------------------------------------------------------------------------


def test_near_the_optimum_and_honest_about_it(case, twin):
    given, model = case
    out = model.smooth(twin["increment"], twin["years"], twin["groups"], **given)
    assert (model.slow == 1).all()
    for level in (0, 1):
        at = twin["groups"] == level
        true = twin["true"][:, at]
        found = error(out.mean[:, at], true)
        assert found < 1.25 * error(twin["optimum"][:, at], true)
        assert found < 0.5 * error(twin["increment"][:, at], true)
        assert 0.6 < error(out.deviation[:, at], 0) / found < 1.7


@pytest.mark.parametrize("factor", [1000.0, 1 / 3])
def test_units(case, twin, factor):
    given, model = case
    scaled = {name: x * factor if name == "spread" else x for name, x in given.items()}
    other = quiet(twin["increment"] * factor, twin["years"], twin["groups"], **scaled)
    a = model.smooth(twin["increment"], twin["years"], twin["groups"], **given)
    b = other.smooth(twin["increment"] * factor, twin["years"], twin["groups"], **scaled)
    for one, two in ((a.mean, b.mean), (a.deviation, b.deviation)):
        np.testing.assert_allclose(two / factor, one, rtol=0, atol=1e-6 * np.abs(one).max())


def test_order_of_columns(case, twin):
    given, model = case
    order = np.random.default_rng(0).permutation(12)
    turned = {name: x[:, order] for name, x in given.items()}
    other = quiet(twin["increment"][:, order], twin["years"], twin["groups"][order], **turned)
    a = model.smooth(twin["increment"], twin["years"], twin["groups"], **given).mean
    b = other.smooth(
        twin["increment"][:, order], twin["years"], twin["groups"][order], **turned
    ).mean
    np.testing.assert_allclose(b, a[:, order], rtol=0, atol=1e-6 * np.abs(a).max())


@pytest.mark.parametrize("own", [True, False])
def test_columns_meet_only_in_the_fitted_law(case, twin, own):
    given, model = case
    whole = model.smooth(twin["increment"], twin["years"], twin["groups"], own=own, **given)
    some = np.array([7, 2])
    part = {name: x[:, some] for name, x in given.items()}
    alone = model.smooth(
        twin["increment"][:, some], twin["years"], twin["groups"][some], own=own, **part
    )
    for one, two in zip(whole[:2], alone[:2], strict=True):
        np.testing.assert_array_equal(one[:, some], two)


def test_float32(case, twin):
    given, model = case
    single = {name: x.astype("f4") for name, x in given.items()}
    a = model.smooth(twin["increment"], twin["years"], twin["groups"], **given).mean
    b = model.smooth(twin["increment"].astype("f4"), twin["years"], twin["groups"], **single).mean
    assert b.dtype == np.float64
    np.testing.assert_allclose(b, a, rtol=0, atol=1e-4 * np.abs(a).max())


def test_input_is_not_modified(twin):
    names = ("increment", "spread", "counts")
    before = {name: twin[name].copy() for name in names}
    given = {name: twin[name] for name in names}
    quiet(years=twin["years"], groups=twin["groups"], most=2, **given)
    for name in names:
        np.testing.assert_array_equal(twin[name], before[name])


def test_missing_steps_cost_little(case, twin):
    given, model = case
    gone = np.random.default_rng(3).random(twin["increment"].shape) < 0.1
    holes = np.where(gone, np.nan, twin["increment"])
    whole = model.smooth(twin["increment"], twin["years"], twin["groups"], **given).mean
    out = model.smooth(holes, twin["years"], twin["groups"], **given).mean
    assert np.isfinite(out).all()
    assert error(out, whole) < 0.6 * error(whole, twin["true"])
    assert error(out, twin["true"]) < 1.15 * error(whole, twin["true"])


def test_a_cell_without_any_increment_is_nan_and_no_trouble(case, twin):
    given, model = case
    land = twin["increment"].copy()
    land[:, 4] = np.nan
    out = model.smooth(land, twin["years"], twin["groups"], **given)
    assert np.isnan(out.mean[:, 4]).all()
    assert np.isfinite(np.delete(out.mean, 4, axis=1)).all()
    assert (quiet(land, twin["years"], twin["groups"], **given).slow == 1).all()


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_white_noise_shrinks_and_warns(share):
    rng = np.random.default_rng(4)
    noise = rng.standard_normal((800, 12)) * (rng.random((800, 12)) < share)
    years = np.full(800, 1 / 12)
    with pytest.warns(UserWarning, match="no slow part"):
        model = fit(noise, years)
    out = model.smooth(noise, years)
    assert error(out.mean, 0) < 0.2 * error(noise, 0)
    assert (np.abs(out.mean) < 3 * out.deviation + 1e-9).mean() > 0.99


def test_nothing_at_all_is_no_trouble():
    with pytest.warns(UserWarning, match="no slow part"):
        model = fit(np.zeros((50, 2)), np.full(50, 0.1))
    np.testing.assert_array_equal(model.smooth(np.zeros((50, 2)), np.full(50, 0.1)).mean, 0)


D, Y = np.ones((5, 2)), np.full(5, 0.1)


@pytest.mark.parametrize(
    ("args", "more", "message"),
    [
        ((np.full((5, 2), np.inf), Y), {}, "increment is inf at step 0 of cell 0"),
        ((D, Y[:3]), {}, "length of each of 5 steps"),
        ((D, 0 * Y), {}, "above 0"),
        ((D[:, 0], Y), {}, r"must be \(time, cell\)"),
        ((D, Y), {"spread": -D}, "spread is -1.0"),
        ((D, Y), {"counts": -D}, "counts is -1.0"),
        ((D, Y), {"counts": D[:, :1]}, "like the increments"),
        ((D, Y, [0]), {}, "groups"),
        ((D, Y, [0, -1]), {}, "groups"),
    ],
)
def test_bad_input(args, more, message):
    with pytest.raises(ValuesError, match=message):
        fit(*args, **more)


def test_a_group_that_was_not_fitted(twin):
    model = quiet(twin["increment"][:, :2], twin["years"])
    with pytest.raises(ValuesError, match="group 3"):
        model.smooth(twin["increment"][:, :2], twin["years"], [0, 3])
