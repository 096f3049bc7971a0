"""The learned smoother: what it sees, what it is, what it gives."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
import xarray as xr

import xocean_ml as xo
from xocean_ml.errors import GridError
from xocean_ml.kernels.bank import SCALES, Weights, averages, between, blend, energies
from xocean_ml.networks.tcn import FiLM, GatedTCN
from xocean_ml.smoothing.surroundings import BANK, CONDITION, CONTEXT, SPAN, bank, surroundings

NAME = "temperature_increment"


@pytest.fixture(scope="module")
def twin() -> xr.Dataset:
    return xo.simulate.increments("test_inside", columns=6, seed=77)


def _series(steps=50, columns=7, seed=0):
    rng = np.random.default_rng(seed)
    days = rng.uniform(5, 40, steps).cumsum()
    values = rng.normal(size=(steps, columns)) * (rng.random((steps, columns)) < 0.7)
    return values, days - days[0], np.gradient(days)


# ---- the bank ------------------------------------------------------------------------------


def test_the_bank_is_what_its_formula_says():
    values, days, length = _series()
    apart = np.abs(days[:, None] - days)
    for scale, (past, future) in zip(SCALES, averages(values, days, length), strict=True):
        weight = np.exp(-apart / scale)
        total = (weight * length).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(past, np.tril(weight) @ values / total, atol=1e-6)
        np.testing.assert_allclose(future, np.triu(weight, 1) @ values / total, atol=1e-6)


def test_energies_are_squares_of_two_sided_averages():
    values, days, length = _series()
    both = averages(values, days, length).sum(axis=1).astype(float)
    unit = SCALES * np.median(length)
    np.testing.assert_allclose(
        energies(values, days, length), unit[:, None, None] * both**2, rtol=1e-4, atol=1e-6
    )


def test_blending_is_the_network_s_own_sum():
    """The compiled loop, without a bank, gives what the network gives with one."""
    values, days, length = _series(steps=43, columns=5)
    network = _network()[0]
    context, condition = torch.randn(5, CONTEXT, 11), torch.randn(5, CONDITION)
    with torch.no_grad():
        held = torch.from_numpy(bank(values, days, length))
        expected, gates, *_ = network(context, held, condition)
        logit, _, adapted, light = network.weights(context, condition)
    weights = Weights(logit.numpy().T, adapted.permute(1, 2, 0).numpy(), light.numpy().T)
    answer, gate = blend(values, days, length, weights)
    np.testing.assert_allclose(answer, expected.numpy().T, atol=1e-5 * abs(answer).max())
    np.testing.assert_allclose(gate, gates.numpy().T, atol=1e-6)


@pytest.mark.parametrize(("steps", "groups"), [(1, 1), (3, 1), (8, 2), (43, 11), (9, 9)])
def test_steps_lie_between_groups_as_torch_has_it(steps, groups):
    values = torch.randn(1, 1, groups)
    expected = torch.nn.functional.interpolate(values, size=steps, mode="linear")[0, 0]
    lower, fraction = between(steps, groups)
    known = values[0, 0].numpy()
    upper = np.minimum(lower + 1, groups - 1)
    found = known[lower] + fraction * (known[upper] - known[lower])
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("steps", [1, 3, 4, 5, 50])
def test_pooled_averages_are_means_of_groups(steps):
    values, days, length = (each[:steps] for each in _series())
    full, pooled = (averages(values, days, length, pool=n) for n in (1, 4))
    groups = [full[:, :, i : i + 4].mean(axis=2) for i in range(0, steps, 4)]
    np.testing.assert_allclose(pooled, np.stack(groups, axis=2), atol=1e-6)


# ---- what the network sees -----------------------------------------------------------------


def test_units_do_not_matter_to_what_is_seen():
    values, days, length = _series()
    depth, spread = np.linspace(5, 2000, 7), np.abs(values) + 0.1
    one = surroundings(values, days, length, depth, spread)
    two = surroundings(1e3 * values, days, length, depth, 1e3 * spread)
    for a, b in zip(one[:2], two[:2], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    np.testing.assert_allclose(two.scale, 1e3 * one.scale)


def test_columns_do_not_mix():
    values, days, length = _series()
    depth = np.linspace(5, 2000, 7)
    whole = surroundings(values, days, length, depth)
    alone = surroundings(values[:, 2:3], days, length, depth[2:3])
    for a, b in zip(whole[:2], alone[:2], strict=True):
        np.testing.assert_allclose(a[2:3], b, rtol=1e-6, atol=1e-6)
    groups = -(-50 // round(SPAN / np.median(length)))
    assert whole.context.shape == (7, CONTEXT, groups)
    assert bank(values, days, length).shape == (7, BANK, 50)
    assert whole.condition.shape == (7, CONDITION)


def test_a_spread_of_zeros_is_none():
    values, days, length = _series()
    depth = np.full(7, 100.0)
    none = surroundings(values, days, length, depth)
    zeros = surroundings(values, days, length, depth, np.zeros_like(values))
    for a, b in zip(none, zeros, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_finer_step_is_seen_alike():
    """The same rate on steps half as long: surroundings are of time, not of steps."""
    rng = np.random.default_rng(0)
    rate = rng.normal(size=(240, 3)).cumsum(axis=0)
    depth = np.full(3, 500.0)
    month = surroundings(30 * rate, 30.0 * np.arange(240), np.full(240, 30.0), depth)
    half = np.repeat(rate, 2, axis=0)
    days = 15.0 * np.arange(480) - 7.5
    half = surroundings(15 * half, days, np.full(480, 15.0), depth)
    assert month.context.shape == half.context.shape
    slow = slice(-2, None)  # energies of slow averages
    np.testing.assert_allclose(half.context[:, slow] - month.context[:, slow], np.log(2), atol=0.2)


# ---- the network ---------------------------------------------------------------------------


def _network(seed=0):
    torch.manual_seed(seed)
    network = GatedTCN(CONTEXT, BANK, CONDITION, 8, 2).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    rng = torch.Generator().manual_seed(seed)
    shapes = (3, CONTEXT, 10), (3, BANK, 40), (3, CONDITION)
    return network, [torch.randn(shape, generator=rng) for shape in shapes]


def test_film_starts_as_the_identity():
    x = torch.randn(2, 5, 9)
    torch.testing.assert_close(FiLM(3, 5)(x, torch.randn(2, 3)), x)


@pytest.mark.parametrize(
    ("batch", "groups", "blocks"), [(1, 1, 2), (5, 3, 4), (7, 40, 3), (2, 9, 0)]
)
def test_prediction_in_place_is_the_training_pass(batch, groups, blocks):
    torch.manual_seed(0)
    network = GatedTCN(6, 4, 3, channels=8, blocks=blocks)
    for each in network.parameters():
        torch.nn.init.normal_(each, std=0.5)
    network.middle += torch.randn(6)
    network.scale *= torch.rand(6) + 0.5
    context, condition = torch.randn(batch, 6, groups), torch.randn(batch, 3)
    with torch.no_grad():
        expected = network.weights(context, condition)
    found = network.predict(context, condition)
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(other.movedim(-1, 0), one, rtol=1e-4, atol=1e-4)


def test_the_answer_is_linear_in_the_bank():
    network, (context, bank, condition) = _network()
    with torch.no_grad():
        one = network(context, bank, condition)[0]
        more = network(context, 3 * bank, condition)[0]
        parts = [network(context, part, condition)[0] for part in (bank.relu(), -(-bank).relu())]
    torch.testing.assert_close(more, 3 * one)
    torch.testing.assert_close(sum(parts), one)


def test_the_gate_blends_and_an_empty_bank_gives_nothing():
    network, (context, bank, condition) = _network()
    with torch.no_grad():
        answer, gate, _, light = network(context, bank, condition)
        nothing = network(context, 0 * bank, condition)[0]
    assert ((gate >= 0) & (gate <= 1)).all()
    assert (nothing == 0).all()
    torch.testing.assert_close(answer[gate == 0], light[gate == 0])


def test_padding_is_centred():
    """What is seen reaches as far into the future as into the past."""
    network, (context, bank, condition) = _network()
    with torch.no_grad():
        usual = network(context, bank, condition)[1]
        context[:, :, 5] += 5.0
        moved = (network(context, bank, condition)[1] - usual).abs().sum(dim=0) > 1e-6
    touched = torch.nonzero(moved).ravel()
    middle = 5.5 * 4
    assert float(middle - touched.min()) == pytest.approx(float(touched.max() + 1 - middle), abs=1)


# ---- the packaged smoother -----------------------------------------------------------------


def test_it_is_near_the_optimum_where_rivals_are_not(twin):
    options = {"truth": twin.true_increment, "optimum": twin.optimum_a, "bootstrap": 0}
    rows = {
        "tcn": twin.ml_smooth("tcn", conserve=None)[NAME],
        "dong": twin.ml_smooth("dong", decay="600D", conserve=None)[NAME],
        "mean": xo.metrics.running_mean(twin[NAME], 37),
    }
    rows = {n: xo.metrics.smoothing(each, twin[NAME], **options) for n, each in rows.items()}
    for band in ("300-800", "800-2000"):
        error = {n: float(row.rmse_ratio.sel(era="all", band=band)) for n, row in rows.items()}
        assert error["tcn"] < 1.08
        assert error["tcn"] < 0.95 * min(error["dong"], error["mean"])


def test_it_does_without_spread_and_counts(twin):
    bare = twin[[NAME]].assign_coords(time_bnds=twin.time_bnds, depth_bnds=twin.depth_bnds)
    options = {"truth": twin.true_increment, "optimum": twin.optimum_a, "bootstrap": 0}
    score = xo.metrics.smoothing(
        bare.ml_smooth("tcn", conserve=None)[NAME], twin[NAME], **options
    ).sel(era="all")
    for band in ("300-800", "800-2000"):
        assert float(score.rmse_ratio.sel(band=band)) < 1.12


def test_the_gate_is_open_where_observations_are_sparse(twin):
    out = twin.ml_smooth("tcn", gate=True)
    gate = out[f"{NAME}_gate"].sel(depth=slice(300, 2000))
    assert gate.attrs["units"] == "1"
    assert float(gate.min()) >= 0
    assert float(gate.max()) <= 1
    early, late = gate.sel(time=slice("1920", "1965")), gate.sel(time=slice("2008", None))
    assert float(early.mean() - late.mean()) > 0.3


def test_its_own_error_is_about_right(twin):
    out = twin.ml_smooth("tcn", conserve=None, uncertainty=True)
    said = out[f"{NAME}_spread"]
    made = twin.temperature_increment.std("time") > 0
    off = (out[NAME] - twin.true_increment).where(made)
    for band in ((20, 300), (300, 800), (800, 2000)):
        here = {"depth": slice(*band)}
        scaled = (off.sel(here) / said.sel(here)) ** 2
        assert 0.6 < float(np.sqrt(scaled.mean())) < 1.6
    assert said.attrs["units"] == twin[NAME].attrs["units"]


def test_its_own_error_is_a_quantity_where_increments_are(twin):
    import pint

    registry = pint.get_application_registry()
    few = twin.isel(column=[0])
    plain = few.ml_smooth("tcn", uncertainty=True, gate=True)
    attrs = {key: each for key, each in few[NAME].attrs.items() if key != "units"}
    quantity = registry.Quantity(few[NAME].values, "delta_degC")
    given = few.assign({NAME: (few[NAME].dims, quantity, attrs)})
    out = given.ml_smooth("tcn", uncertainty=True, gate=True)
    for name in (NAME, f"{NAME}_spread"):
        assert out[name].data.units == registry.Unit("delta_degC")
        np.testing.assert_allclose(out[name].data.magnitude, plain[name])
    assert out[f"{NAME}_gate"].attrs["units"] == "1"


def test_units_of_spread_are_converted(twin):
    spread = f"{NAME}_spread"
    other = twin.copy()
    other[spread] = (twin[spread] * 1e3).assign_attrs(twin[spread].attrs, units="mK")
    one, two = (each.ml_smooth("tcn")[NAME] for each in (twin, other))
    np.testing.assert_allclose(one, two, atol=1e-6 * float(np.abs(one).max()))


def test_an_ensemble_gives_its_own_spread(twin):
    rng = np.random.default_rng(0)
    members = xr.DataArray([0, 1, 2], dims="realization")
    noise = rng.normal(size=(3, *twin[NAME].shape)) * twin[f"{NAME}_spread"].values
    dims = ("realization", *twin[NAME].dims)
    ds = xr.Dataset({NAME: (dims, twin[NAME].values + noise, twin[NAME].attrs)}, twin.coords)
    ds = ds.assign_coords(realization=members)
    assert "spread over realization" in str(ds.ml_smooth.plan("tcn"))
    assert ds.ml_smooth("tcn")[NAME].dims == dims


def test_depth_is_needed(twin):
    flat = twin.isel(depth=3, drop=True)
    with pytest.raises(GridError, match="needs depth"):
        flat.ml_smooth("tcn")


def test_far_outside_the_training_domain_is_told(twin):
    short = twin.sel(time=slice("2015", "2019"))
    with pytest.warns(UserWarning, match="years: 5"):
        short.ml_smooth("tcn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "outside the training domain: years: 5" in str(short.ml_smooth.plan("tcn"))


def test_dong_has_neither_gate_nor_error(twin):
    for option in ("gate", "uncertainty"):
        with pytest.raises(TypeError, match=option):
            twin.ml_smooth("dong", **{option: True})


def test_the_packaged_weights_are_small_and_travel_by_name():
    from xocean_ml import persist

    model = xo.load("tcn")
    assert len(persist.encode(model)) < 3_000_000
    parcel = persist.parcel(model, "tcn")
    assert isinstance(parcel, persist.Reference)
    assert persist.digest(persist.revive(parcel)) == persist.digest(model)


def test_training_gives_the_same_weights_again_and_they_are_kept(tmp_path):
    from xocean_ml.smoothing.train import train
    from xocean_ml.training import Schedule

    schedule = Schedule(steps=3, batch=4, check_every=3, warmup=1)
    one, two = (train(1, schedule, progress=False) for _ in range(2))
    one.save(tmp_path / "mine.safetensors")
    for again in (two, xo.load(tmp_path / "mine.safetensors")):
        for name, weights in one.tensors().items():
            np.testing.assert_array_equal(weights, again.tensors()[name])
