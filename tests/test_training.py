"""Laws of the training loop and of what stands around it."""

from __future__ import annotations

import json
import math
import os
import pickle
import random
import signal
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from xocean_ml.errors import ModelFileError, ValuesError
from xocean_ml.training import (
    Schedule,
    checkpoint,
    filled,
    fit,
    generator,
    masked_mean,
    seeded,
    withheld_blocks,
)

# ---- small problems ------------------------------------------------------------------------

CPU = Schedule(steps=60, rate=0.05, warmup=5, check_every=10, patience=100, device="cpu")


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads that wait for each other are slow where cores are shared, and these are small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Odd(nn.Module):
    """Everything that is awkward to resume: dropout, running means, frozen, tied, complex."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.2)
        self.last = nn.Linear(8, 1)
        self.tied = self.last
        self.phase = nn.Parameter(torch.ones(8, dtype=torch.complex64))
        self.small = nn.Parameter(torch.ones(8, dtype=torch.bfloat16))
        self.frozen = nn.Parameter(torch.ones(8), requires_grad=False)
        self.unused = nn.Parameter(torch.ones(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = torch.relu(self.norm(self.first(x))) * (self.phase.real + self.phase.imag)
        return self.tied(self.drop(inner) * self.small * self.frozen)


def odd() -> Odd:
    with seeded(1):
        return Odd()


def pairs(step: int) -> tuple[np.ndarray, np.ndarray]:
    x = generator(5, step).normal(size=(16, 3)).astype("float32")
    return x, x[:, :1] ** 2 - x[:, 1:2]


def squares(network: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    x, y = batch
    return ((network(x) - y) ** 2).mean()


def withheld_score(network: nn.Module) -> float:
    x, y = (torch.from_numpy(each) for each in pairs(10**6))
    return float(squares(network, (x, y)))


def train(path: Path | None, *, kill_at: int = -1, kill_write: int = -1, patience: int = 100):
    """The run that is killed: dies by SIGKILL making a batch, or as a checkpoint gets its place."""
    writes = iter(range(100))
    replace_file = os.replace

    def deadly_replace(*where: Path) -> None:
        if next(writes) == kill_write:
            os.kill(os.getpid(), signal.SIGKILL)
        replace_file(*where)

    def deadly(step: int) -> tuple[np.ndarray, np.ndarray]:
        if step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return pairs(step)

    schedule = replace(CPU, checkpoint=path, patience=patience)
    if kill_write >= 0:
        os.replace = deadly_replace
    return fit(odd(), deadly, squares, schedule=schedule, validate=withheld_score)


def weights(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach() for name, value in network.state_dict().items()}


def same_weights(one: nn.Module, two: nn.Module) -> bool:
    a, b = weights(one), weights(two)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def stored(path: Path) -> tuple[dict, dict[str, bytes]]:
    """All that a checkpoint holds, but for nothing."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        config = json.loads(file.metadata()[checkpoint.HEADER])["config"]
    state, tensors = checkpoint.read(path, config)
    return state, {
        name: value.reshape(-1).view(torch.uint8).numpy().tobytes()
        for name, value in tensors.items()
    }


class Broken(Exception):
    """The run was interrupted."""


def breaking(at: int):
    def batch(step: int) -> tuple[np.ndarray, np.ndarray]:
        if step == at:
            raise Broken
        return pairs(step)

    return batch


# ---- what is learned -----------------------------------------------------------------------


def test_finds_the_least_squares_answer():
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(64, 3)), rng.normal(size=(64, 1))
    y = x @ [[1.0], [-2.0], [0.5]] + 3 + noise
    answer, *_ = np.linalg.lstsq(np.hstack([x, np.ones((64, 1))]), y, rcond=None)
    network = nn.Linear(3, 1).double()
    schedule = replace(CPU, steps=600, rate=0.05, clip=None)
    fitted = fit(network, lambda step: (x, y), squares, schedule=schedule)
    found = [*fitted.network.weight[0].tolist(), fitted.network.bias.item()]
    np.testing.assert_allclose(found, answer[:, 0], atol=1e-5)


def test_the_network_given_is_left_as_it_was_and_the_one_returned_is_ready_for_use():
    network = odd()
    fitted = fit(network, pairs, squares, schedule=CPU)
    assert same_weights(network, odd())
    assert network.training
    assert not fitted.network.training
    assert not same_weights(fitted.network, network)
    assert torch.equal(fitted.network.frozen, network.frozen)


def test_same_seed_same_weights_whatever_the_global_random_state():
    torch.manual_seed(1)
    one = fit(odd(), pairs, squares, schedule=CPU).network
    torch.manual_seed(2)
    two = fit(odd(), pairs, squares, schedule=CPU).network
    other = fit(odd(), pairs, squares, schedule=replace(CPU, seed=1)).network
    assert same_weights(one, two)
    assert not same_weights(one, other), "dropout does not depend on the seed"


def test_each_step_draws_its_own_noise_and_the_same_in_every_run():
    def draws() -> list[float]:
        noise = []

        def loss(network, batch):
            noise.append(torch.rand(()).item())
            return squares(network, batch)

        fit(odd(), pairs, loss, schedule=CPU)
        return noise

    first = draws()
    assert len({*first}) == 60
    assert draws() == first


def test_buffers_are_the_latest_and_are_not_averaged():
    network = fit(odd(), pairs, squares, schedule=CPU).network
    assert network.norm.num_batches_tracked == 60


def test_global_random_states_stay_as_they_are():
    def states():
        return torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()  # noqa: NPY002

    before = states()
    fit(odd(), pairs, squares, schedule=CPU, validate=withheld_score)
    assert states() == before


def test_batches_of_any_shape_and_array():
    class Pair(NamedTuple):
        x: np.ndarray
        y: list

    def nested(step: int) -> dict:
        x, y = pairs(step)
        backwards = np.ascontiguousarray(x[::-1]).astype(">f4")[::-1]
        return {"pair": Pair(backwards, [torch.from_numpy(y), "a word"])}

    def loss(network, batch):
        assert isinstance(batch["pair"], Pair)
        assert batch["pair"].y[1] == "a word"
        return squares(network, (batch["pair"].x, batch["pair"].y[0]))

    plain = fit(odd(), pairs, squares, schedule=CPU)
    assert same_weights(fit(odd(), nested, loss, schedule=CPU).network, plain.network)


def test_a_loss_that_is_not_finite_is_told_before_it_gets_into_a_checkpoint(tmp_path):
    def spoilt(step: int):
        x, y = pairs(step)
        return x, y if step < 25 else y * np.float32(np.nan)

    schedule = replace(CPU, checkpoint=tmp_path / "run.safetensors")
    with pytest.raises(ValuesError, match=r"loss: nan between steps 20 and 30"):
        fit(odd(), spoilt, squares, schedule=schedule)
    assert stored(schedule.checkpoint)[0]["step"] == 20


def test_weights_that_are_not_finite_are_told_though_the_loss_is(tmp_path):
    path = tmp_path / "run.safetensors"
    schedule = replace(CPU, steps=1, warmup=0, checkpoint=path)
    with pytest.raises(ValuesError, match=r"weights: nan at step 1"):
        fit(odd(), pairs, lambda net, _: (0 * net.first.weight).sqrt().sum(), schedule=schedule)
    assert not path.exists()


def test_gradients_are_taken_even_where_the_caller_wants_none():
    with torch.no_grad():
        under = fit(odd(), pairs, squares, schedule=CPU)
    assert same_weights(under.network, fit(odd(), pairs, squares, schedule=CPU).network)


# ---- rate, clipping, average ---------------------------------------------------------------


def test_the_rate_rises_to_its_height_and_falls_to_zero():
    schedule = Schedule(steps=100, rate=0.3, warmup=20)
    rates = [schedule.rate_at(step) for step in range(100)]
    assert rates[19] == rates[20] == 0.3 == max(rates)
    assert (np.diff(rates[:20]) > 0).all()
    assert (np.diff(rates[20:]) < 0).all()
    assert 0 < rates[-1] < 0.001
    assert math.isclose(schedule.rate_at(60), 0.15)


def test_the_first_step_of_adam_is_as_long_as_the_rate():
    network = nn.Linear(1, 1, bias=False)
    schedule = Schedule(steps=1, rate=0.4, warmup=1, clip=None, device="cpu")
    fitted = fit(network, lambda step: None, lambda net, _: 7 * net.weight.sum(), schedule=schedule)
    assert math.isclose((network.weight - fitted.network.weight).item(), 0.4, rel_tol=1e-5)


@pytest.mark.parametrize(("clip", "length"), [(None, 5000), (2.0, 2), (10_000.0, 5000)])
def test_gradients_are_cut_to_the_length_of_clip(tmp_path, clip, length):
    schedule = replace(CPU, steps=1, warmup=0, clip=clip, checkpoint=tmp_path / "run.safetensors")
    slope = torch.tensor([[3000.0, 4000.0]])
    fit(
        nn.Linear(2, 1, bias=False),
        lambda step: slope,
        lambda network, slope: (network.weight * slope).sum(),
        schedule=schedule,
    )
    _, tensors = stored(schedule.checkpoint)
    moment = np.frombuffer(tensors["optimizer.exp_avg.weight"], "float32")
    assert math.isclose(np.linalg.norm(moment), 0.1 * length, rel_tol=1e-4)


def shares(ema: float, steps: int) -> np.ndarray:
    """Share of the weights after step 1, 2, ... in their average, in closed form."""
    switch = min(steps, math.ceil(10 * ema / (1 - ema))) if ema < 1 else steps
    rising = np.array([math.prod(range(i, i + 9)) for i in range(1, switch + 1)], dtype=float)
    later = (1 - ema) * ema ** np.arange(steps - switch)[::-1]
    return np.concatenate([rising / max(rising.sum(), 1) * ema ** (steps - switch), later])


@pytest.mark.parametrize("ema", [0.0, 0.5, 0.75, 0.999])
def test_the_average_in_closed_form(tmp_path, ema):
    path: list[float] = []

    def loss(network, target):
        path.append(network.weight.item())
        return ((network.weight - target) ** 2).sum()

    schedule = replace(CPU, ema=ema, checkpoint=tmp_path / "run.safetensors")
    network = nn.Linear(1, 1, bias=False).double()
    fitted = fit(network, lambda step: np.sin(np.array(float(step))), loss, schedule=schedule)
    _, tensors = stored(schedule.checkpoint)
    path = [*path[1:], np.frombuffer(tensors["network.weight"])[0]]
    expected = shares(ema, 60)
    assert math.isclose(expected.sum(), 1)
    np.testing.assert_allclose(fitted.network.weight.item(), expected @ path, rtol=1e-12)


# ---- early stop ----------------------------------------------------------------------------


@pytest.mark.parametrize("patience", [1, 3])
def test_early_stop_gives_the_best_weights(patience):
    """Training pulls the weight from 0 to 10; the score is best on the way, near 1."""
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)

    def score(network: nn.Linear) -> float:
        return abs(network.weight.item() - 1)

    fitted = fit(
        network,
        lambda step: None,
        lambda network, _: (network.weight - 10).square().sum(),
        schedule=replace(CPU, steps=500, rate=0.05, patience=patience),
        validate=score,
    )
    scores, steps = fitted.history["score"], fitted.history["step"]
    best = int(np.argmin(scores))
    assert fitted.stopped_early
    assert 0 < best == len(scores) - 1 - patience
    assert fitted.step == steps[best]
    assert score(fitted.network) == min(scores)


def test_without_a_score_the_last_average_is_returned():
    fitted = fit(odd(), pairs, squares, schedule=replace(CPU, steps=25, patience=1))
    assert (fitted.step, fitted.stopped_early) == (25, False)
    assert fitted.history.keys() == {"step", "loss"}
    assert fitted.history["step"] == [10, 20, 25]


def test_validation_sees_the_average_without_dropout_or_gradients_and_the_same_noise():
    noise = []

    def score(network: nn.Module) -> float:
        assert not network.training
        assert not torch.is_grad_enabled()
        noise.append(torch.rand(()).item())
        return 1.0

    fit(odd(), pairs, squares, schedule=CPU, validate=score)
    assert len(noise) == 6
    assert len({*noise}) == 1


def test_a_score_that_is_not_finite_is_told():
    with pytest.raises(ValuesError, match="score: nan at step 10"):
        fit(odd(), pairs, squares, schedule=CPU, validate=lambda network: math.nan)


# ---- killed and resumed --------------------------------------------------------------------


@pytest.mark.parametrize("patience", [100, 1])
@pytest.mark.parametrize("breaks", [[0], [9, 10], [11, 37, 38, 59]])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(tmp_path, breaks, patience):
    one, two = (
        replace(CPU, patience=patience, checkpoint=tmp_path / f"{name}.safetensors")
        for name in ("whole", "broken")
    )
    whole = fit(odd(), pairs, squares, schedule=one, validate=withheld_score)
    for at in breaks:
        if at < whole.history["step"][-1]:
            with pytest.raises(Broken):
                fit(odd(), breaking(at), squares, schedule=two, validate=withheld_score)
    # Another start than the first run's: all that matters is in the checkpoint.
    start = odd() if breaks == [0] else Odd()
    resumed = fit(start, pairs, squares, schedule=two, validate=withheld_score)
    assert same_weights(whole.network, resumed.network)
    assert replace(whole, network=None) == replace(resumed, network=None)
    assert stored(one.checkpoint) == stored(two.checkpoint)


@pytest.mark.parametrize("death", ["kill_at=37", "kill_write=2"])
def test_a_killed_run_ends_as_one_that_lived(tmp_path, death):
    path = tmp_path / "run.safetensors"
    code = "import torch; torch.set_num_threads(1); import test_training as t; "
    code += f"t.train({str(path)!r}, {death})"
    ended = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent)
    assert ended.returncode == -signal.SIGKILL
    assert stored(path)[0]["step"] == (30 if "at" in death else 20)
    resumed = train(path)
    whole = train(None)
    assert same_weights(whole.network, resumed.network)
    assert whole.history == resumed.history


def test_a_run_that_had_ended_returns_its_result_without_a_step(tmp_path):
    first = train(tmp_path / "run.safetensors", patience=1)
    again = fit(
        odd(),
        breaking(first.history["step"][-1]),
        squares,
        schedule=replace(CPU, checkpoint=tmp_path / "run.safetensors", patience=1),
        validate=withheld_score,
    )
    assert same_weights(first.network, again.network)
    assert replace(first, network=None) == replace(again, network=None)


def test_a_failed_write_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    train(path)
    before = path.read_bytes()

    def full(*where: Path) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        checkpoint.write(path, {}, {}, {})
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


DAMAGES = {
    "truncated": (lambda data: data[:-1], "truncated"),
    "cut in its header": (lambda data: data[:100], "truncated"),
    "empty": (lambda data: b"", "truncated"),
    "a weight changed": (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "altered"),
    "history changed": (lambda data: data.replace(b'\\"step\\": 60', b'\\"step\\": 50'), "altered"),
    "a pickle": (lambda data: pickle.dumps({"a": 1}), "no checkpoint"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_refused(tmp_path, damage, message):
    path = tmp_path / "run.safetensors"
    train(path)
    data = path.read_bytes()
    assert damage(data) != data
    path.write_bytes(damage(data))
    with pytest.raises(ModelFileError, match=rf"{message}.*remove it"):
        train(path)


FOREIGN = {
    "rate": ({"schedule": replace(CPU, rate=0.01)}, r"schedule.rate: 0.05 there, 0.01 here"),
    "seed": ({"schedule": replace(CPU, seed=3)}, r"schedule.seed: 0 there, 3 here"),
    "data": ({"config": {"data": "EN4"}}, r'config.data: "ORAS5" there, "EN4" here'),
    "no validation": ({"validate": None}, "validated: true there, false here"),
    "class": ({"network": nn.Linear(3, 1)}, 'network.class: "Odd" there, "Linear" here'),
}


@pytest.mark.parametrize(("changes", "message"), FOREIGN.values(), ids=FOREIGN)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, changes, message):
    arguments = {"network": odd(), "schedule": CPU, "validate": withheld_score}
    arguments["config"] = {"data": "ORAS5"}
    path = tmp_path / "run.safetensors"

    def go(network, schedule, **others):
        return fit(network, pairs, squares, schedule=replace(schedule, checkpoint=path), **others)

    go(**arguments)
    before = path.read_bytes()
    with pytest.raises(ModelFileError, match=message):
        go(**(arguments | changes))
    assert path.read_bytes() == before


def test_a_network_whose_layers_differ_in_no_shape_is_another(tmp_path):
    schedule = replace(CPU, checkpoint=tmp_path / "run.safetensors")
    fit(odd(), pairs, squares, schedule=schedule)
    other = odd()
    other.drop.p = 0.3
    with pytest.raises(ModelFileError, match=r"network\.layers"):
        fit(other, pairs, squares, schedule=schedule)


def test_a_checkpoint_of_a_model_file_or_of_another_format_is_refused(tmp_path, monkeypatch):
    import xocean_ml

    path = tmp_path / "run.safetensors"
    xocean_ml.load("dong").save(path)
    with pytest.raises(ModelFileError, match="no checkpoint"):
        train(path)
    path.unlink()
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    train(path)
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match="format 2, not 1"):
        train(path)


@pytest.mark.parametrize(
    ("name", "message"), [("run.pt", "end in .safetensors"), ("no/run.safetensors", "no folder")]
)
def test_a_path_that_cannot_be_is_told_before_training(tmp_path, name, message):
    schedule = replace(CPU, checkpoint=tmp_path / name)
    with pytest.raises(ModelFileError, match=message):
        fit(odd(), breaking(0), squares, schedule=schedule)


# ---- masks ---------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([(3, 5), (2, 1, 5), (3, 1), (5,)]))
def test_masked_mean_is_the_mean_of_what_is_there(seed, mask_shape):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(2, 3, 5))
    mask = rng.random(mask_shape) < 0.5
    there = values[np.broadcast_to(mask, values.shape)]
    expected = there.mean() if there.size else 0.0
    values = np.where(mask, values, np.nan)
    found = masked_mean(torch.from_numpy(values), torch.from_numpy(mask))
    np.testing.assert_allclose(found.item(), expected, rtol=1e-12, atol=1e-15)


def test_what_is_masked_out_has_no_gradient_even_if_nan():
    mask = torch.tensor([True, False, True, False])
    values = torch.tensor([1.0, torch.nan, 3.0, torch.inf], requires_grad=True)
    masked_mean(values, mask).backward()
    assert values.grad.tolist() == [0.5, 0, 0.5, 0]


def test_filled_before_a_loss_keeps_nan_out_of_the_weights():
    x = torch.tensor([[1.0], [torch.nan], [3.0]])
    y = torch.tensor([[2.0], [5.0], [torch.nan]])
    network = nn.Linear(1, 1)
    mask = x.isfinite() & y.isfinite()
    masked_mean((network(filled(x, mask)) - filled(y, mask)) ** 2, mask).backward()
    slope = 2 * (network.weight + network.bias - 2).item()
    assert math.isclose(network.weight.grad.item(), slope, rel_tol=1e-5)
    assert math.isclose(network.bias.grad.item(), slope, rel_tol=1e-5)


def test_an_empty_mask_teaches_nothing():
    values = torch.full((3,), torch.nan, requires_grad=True)
    mean = masked_mean(values, torch.zeros(3, dtype=torch.bool))
    mean.backward()
    assert mean.item() == 0
    assert values.grad.tolist() == [0, 0, 0]


def test_half_precision_is_summed_in_single():
    values = torch.ones(70_000, dtype=torch.bfloat16)
    assert masked_mean(values, torch.ones(70_000, dtype=torch.bool)).item() == 1


# ---- withheld blocks -----------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    n_time=st.integers(1, 300),
    fraction=st.floats(0.01, 0.9),
    block=st.integers(1, 40),
    guard=st.integers(0, 10),
    seed=st.integers(0, 2**40),
)
def test_withheld_blocks(n_time, fraction, block, guard, seed):
    count = max(1, round(fraction * n_time / block))
    roomy = n_time > 2 * guard + block and n_time >= count * (block + 2 * guard + 1)
    try:
        train, withheld = withheld_blocks(n_time, fraction, block, seed, guard)
    except ValueError:
        assert not roomy
        return
    assert train.shape == withheld.shape == (n_time,)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], withheld, [0]])))
    lengths = edges[1::2] - edges[::2]
    assert lengths.tolist() == [block] * count
    assert abs(withheld.sum() - fraction * n_time) <= max(block / 2, block - fraction * n_time)
    near = np.abs(np.subtract.outer(np.arange(n_time), np.flatnonzero(withheld))).min(axis=1)
    np.testing.assert_array_equal(train, near > guard)
    assert all(
        train[stop:start].any() for stop, start in zip(edges[1::2], edges[2::2], strict=False)
    )


def test_withheld_blocks_come_to_every_time():
    ever = np.zeros(60, dtype=bool)
    for seed in range(200):
        ever |= withheld_blocks(60, 0.3, 6, seed, guard=2).withheld
    assert ever.all()


@pytest.mark.parametrize(
    "arguments",
    [
        (10, 0.0, 2),
        (10, 1.0, 2),
        (10, 0.5, 0),
        (10, 0.5, 2, 0, -1),
        (10, 0.5, 20),
        (10, 0.5, 2, 0, 9),
    ],
)
def test_withheld_blocks_that_cannot_be(arguments):
    with pytest.raises(ValueError, match=r"fraction|fit into|times to train on"):
        withheld_blocks(*arguments)


# ---- random numbers ------------------------------------------------------------------------


def test_every_position_has_its_own_numbers():
    keys = [(), (0,), (0, 0), (0, 0, 0), (1,), (0, 1), (1, 0), (2**32,), (-1,), (2**40,)]
    draws = {generator(seed, *key).random() for key in keys for seed in (0, 1, 2**32)}
    assert len(draws) == 3 * len(keys)
    torches = set()
    for key in keys:
        with seeded(0, *key):
            torches.add(torch.rand((), dtype=torch.float64).item())
    assert len(torches) == len(keys)


# ---- schedule, device, progress ------------------------------------------------------------


def test_all_numbers_out_of_range_are_told_at_once():
    with pytest.raises(ValueError, match=r"steps=0, rate=nan, ema=1.0, clip=0"):
        Schedule(steps=0, rate=math.nan, ema=1.0, clip=0)


def test_no_autocast_on_the_cpu():
    def loss(network, batch):
        assert not torch.is_autocast_enabled("cpu")
        return squares(network, batch)

    with torch.autocast("cpu", torch.bfloat16):
        under = fit(odd(), pairs, loss, schedule=CPU)
    assert same_weights(under.network, fit(odd(), pairs, squares, schedule=CPU).network)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA here")
def test_cuda_that_is_not_there_is_told():
    with pytest.raises(ValueError, match="no CUDA device"):
        fit(odd(), pairs, squares, schedule=replace(CPU, device="cuda"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_training_on_cuda(tmp_path):
    """Mixed precision, dropout keyed by step, resume; weights come back to the CPU."""
    schedule = replace(CPU, device="cuda", checkpoint=tmp_path / "run.safetensors")
    before = torch.cuda.get_rng_state().tolist()

    def loss(network, batch):
        assert network.first(batch[0]).dtype == torch.bfloat16
        assert batch[0].is_cuda
        return squares(network, batch)

    def score(network: nn.Module) -> float:
        x, y = (torch.from_numpy(each).cuda() for each in pairs(10**6))
        return squares(network, (x, y)).item()

    with pytest.raises(Broken):
        fit(odd(), breaking(37), loss, schedule=schedule, validate=score)
    resumed = fit(odd(), pairs, loss, schedule=schedule, validate=score)
    whole = fit(odd(), pairs, loss, schedule=replace(schedule, checkpoint=None), validate=score)
    assert torch.cuda.get_rng_state().tolist() == before
    assert not resumed.network.first.weight.is_cuda
    for name, value in weights(whole.network).items():
        torch.testing.assert_close(weights(resumed.network)[name], value, rtol=1e-2, atol=1e-2)


class Screen(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("screen", "progress", "shown"),
    [
        (StringIO, None, False),
        (Screen, None, True),
        (StringIO, True, True),
        (Screen, False, False),
    ],
)
def test_a_bar_on_a_terminal_or_as_asked(monkeypatch, screen, progress, shown):
    monkeypatch.setattr(sys, "stderr", screen())
    fit(odd(), pairs, squares, schedule=CPU, progress=progress)
    assert ("60/60" in sys.stderr.getvalue()) is shown


def test_autocast_of_a_loss_sees_weights_as_they_are_now():
    def batch(step):
        x = generator(0, step).normal(size=(64, 1)).astype("float32")
        return x, 3 * x + 1

    def loss(network, batch):
        x, y = batch
        with torch.autocast("cpu", torch.bfloat16):
            return ((network(x).float() - y) ** 2).mean()

    with seeded(0):
        network = torch.nn.Linear(1, 1)
    fitted = fit(network, batch, loss, schedule=Schedule(steps=200, rate=0.1, device="cpu"))
    assert fitted.network.weight.item() == pytest.approx(3, abs=0.1)
    assert fitted.network.bias.item() == pytest.approx(1, abs=0.1)


# ---- compiled on CUDA -----------------------------------------------------------------------


def test_what_says_so_is_compiled_on_cuda_alone():
    from xocean_ml.networks.unet import UNet
    from xocean_ml.training.loop import compile_parts

    both = torch.nn.ModuleDict(
        {"net": UNet(1, 0, channels=(8, 8), blocks=1, width=8), "other": torch.nn.Linear(1, 1)}
    )
    names = set(both.state_dict())
    compile_parts(both, torch.device("cpu"))
    assert all(each._compiled_call_impl is None for each in both.modules())
    compile_parts(both, torch.device("cuda"))
    assert both["net"]._compiled_call_impl is not None
    assert both["other"]._compiled_call_impl is None
    assert set(both.state_dict()) == names


def test_a_compiled_network_is_the_same():
    from xocean_ml.networks.unet import UNet

    with seeded(0):
        plain = UNet(1, 0, channels=(8, 8), blocks=1, width=8)
        torch.nn.init.normal_(plain.last[2].weight)
        x, level = torch.randn(2, 1, 16, 16), torch.tensor([0.0, 1.0])
    expected = plain(x, level)
    plain.compile(backend="aot_eager")  # all of the tracing; the code itself takes a compiler
    torch.testing.assert_close(plain(x, level), expected, rtol=1e-4, atol=1e-5)
