"""Training of the packaged gated TCN on twins: ``python -m xocean_ml.smoothing.train``.

Twins of the family "train" (other seeds and time steps), selection on the family "select"; the
families "test*" are never looked at. The network is trained towards optimum A, the expectation of
the true increment given the same increments, rather than towards the truth itself: the two have
the same minimiser, and the noise of the truth about its expectation is gone from the gradients.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr

from xocean_ml import grid, simulate
from xocean_ml.networks.tcn import GatedTCN
from xocean_ml.smoothing.surroundings import BANK, CONDITION, CONTEXT, bank, surroundings
from xocean_ml.smoothing.tcn import TCNSmoother
from xocean_ml.training import Schedule, fit, generator, masked_mean, seeded

__all__ = ["World", "hide", "loss", "main", "pick", "ratios", "tensors", "train", "world"]

SIZE = {"channels": 40, "blocks": 5}
SCHEDULE = Schedule(
    steps=14000, rate=4e-3, warmup=100, batch=48, check_every=200, patience=25, seed=0
)
RICH = 0.3
"""Observations a month at which the gate is to be half open."""
GIVEN, NUMBER, LOCAL = slice(10, 20), slice(30, 33), 33
"""Where the context holds what spread and counts tell; 0 where they are not given."""


class World(NamedTuple):
    """A twin as the network sees it, (series, ...), in units of each series' scale.

    Attributes
    ----------
    context, bank, condition : Tensor
        As the network takes them.
    best : Tensor, (series, time)
        What it is trained towards.
    truth : Tensor, (series, time)
        What its error is judged by.
    error : Tensor, (series,)
        Size of an error that matters: that of `best`.
    counted : Tensor, (series, time)
        Of bool: whether a step is trained on.
    scale : array, (series,)
        Root mean square of the increments, as an amount.
    depth : array, (series,)
        m.
    """

    context: torch.Tensor
    bank: torch.Tensor
    condition: torch.Tensor
    best: torch.Tensor
    truth: torch.Tensor
    error: torch.Tensor
    counted: torch.Tensor
    scale: np.ndarray
    depth: np.ndarray


def tensors(
    amounts: np.ndarray,
    days: np.ndarray,
    length: np.ndarray,
    depth: np.ndarray,
    spread: np.ndarray | None,
    counts: np.ndarray | None,
    best: np.ndarray,
    truth: np.ndarray,
) -> World:
    """A world from arrays: what the network sees, and what it is to answer.

    Parameters
    ----------
    amounts, days, length, depth, spread, counts
        As for `xocean_ml.smoothing.surroundings.surroundings`.
    best : array, (time, columns)
        What the network is trained towards, an amount.
    truth : array, (time, columns)
        What its error is judged by, an amount; `best` again where nothing else is known.
    """
    seen = surroundings(amounts, days, length, depth, spread, counts)
    bank_of = bank(amounts / seen.scale, days, length)
    target, judge = ((each / seen.scale).T for each in (best, truth))
    error = np.sqrt(((target - judge) ** 2).mean(axis=1))
    # Where nothing better is known than the target, its own size is the measure.
    error = np.where(error > 0, error, np.sqrt((target**2).mean(axis=1)) + 1e-3)
    return World(
        _tensor(seen.context),
        _tensor(bank_of),
        _tensor(seen.condition),
        _tensor(target),
        _tensor(judge),
        _tensor(error),
        torch.ones(target.shape, dtype=torch.bool),
        seen.scale,
        depth,
    )


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


def world(ds: xr.Dataset, clock: float = 1.0) -> World:
    """A twin of `xocean_ml.simulate.increments` as tensors.

    Its equations know no unit of time: the same numbers on a clock that runs `clock` times as slow
    are increments of a slower model, more rarely observed.
    """
    axis = grid.time_axis(ds)
    depth = np.broadcast_to(ds.depth.values[:, None], ds.temperature_increment.shape[1:]).ravel()
    names = ("temperature_increment", "temperature_increment_spread", "number_of_observations")
    every = [
        ds[name].values.astype(np.float64).reshape(len(axis), -1)
        for name in (*names, "optimum_a", "true_increment")
    ]
    live = np.flatnonzero((every[0] != 0).sum(axis=0) > 2)
    amounts, spread, counts, best, truth = (each[:, live] for each in every)
    days, length = axis.days * clock, axis.step_days * clock
    return tensors(amounts, days, length, depth[live], spread, counts, best, truth)


KINDS: tuple[tuple[dict[str, Any], float], ...] = (
    *(({}, 1.0),) * 4,
    ({}, 0.4),
    ({}, 1.8),
    ({}, 2.6),
    ({"step": "QS"}, 1.0),
    ({"step": "QS"}, 0.5),
    ({"step": "10D", "years": (1950, 1985)}, 1.0),
    ({"step": "10D", "years": (1990, 2019)}, 1.0),
    ({"step": "25D", "years": (1940, 2019)}, 0.4),
    ({"step": "5D", "years": (1980, 2019)}, 1.8),
    ({"step": "4D", "years": (1978, 2009)}, 2.6),
    ({"step": "5D", "years": (1995, 2012)}, 1.0),
    ({"step": "2D", "years": (1998, 2008)}, 2.6),
)
"""Worlds of training and their clocks, each with a seed of its own: slow and fast worlds, seen at
steps from days to a season."""


def train(
    columns: int = 48, schedule: Schedule | None = None, progress: bool | None = None
) -> TCNSmoother:
    """Train the smoother; some twenty minutes on one core.

    Parameters
    ----------
    columns : int
        Water columns in each world.
    schedule : Schedule, optional
        Steps, rate, batch, seed, checkpoint.
    progress : bool, optional
        Show a bar.
    """
    schedule = schedule or SCHEDULE
    seed = schedule.seed
    worlds = [
        world(simulate.increments("train", columns=columns, seed=seed + number, **kind), clock)
        for number, (kind, clock) in enumerate(KINDS)
    ]
    select = world(simulate.increments("select", columns=min(columns, 20), seed=seed))
    with seeded(seed):
        network = GatedTCN(CONTEXT, BANK, CONDITION, **SIZE)
    every = torch.cat([each.context.transpose(1, 2).reshape(-1, CONTEXT) for each in worlds])
    network.middle.copy_(every.mean(dim=0))
    network.scale.copy_(every.std(dim=0) + 1e-2)

    def draw(step: int) -> World:
        rng = generator(seed, step)
        here = worlds[rng.integers(len(worlds))]
        some = torch.from_numpy(rng.choice(len(here.error), schedule.batch, replace=False))
        return hide(pick(here, some), rng)

    fitted = fit(
        network,
        draw,
        loss,
        schedule=schedule,
        validate=lambda net: float(np.mean(list(ratios(net, select).values()))),
        config={"columns": columns, "kinds": [str(each) for each in KINDS]},
        progress=progress,
    )
    weights = {name: value.numpy() for name, value in fitted.network.state_dict().items()}
    return TCNSmoother(weights, {**SIZE, "told": "twins of ocean assimilation", "seed": seed})


def pick(world: World, some: torch.Tensor) -> World:
    picked = {name: getattr(world, name)[some] for name in World._fields[:7]}
    return world._replace(**picked)


def hide(world: World, rng: np.random.Generator) -> World:
    """Some series are seen without spread, or without counts: users may have neither."""
    context, condition = world.context.clone(), world.condition.clone()
    without = torch.from_numpy(rng.random(len(context)) < 0.25)
    context[without, GIVEN] = 0.0
    context[without, LOCAL] = 0.0
    condition[without, 3] = 0.0
    without = torch.from_numpy(rng.random(len(context)) < 0.5)
    context[without, NUMBER] = 0.0
    condition[without, 4] = 0.0
    return world._replace(context=context, condition=condition)


def loss(network: GatedTCN, batch: World) -> torch.Tensor:
    answer, gate, error, light = network(batch.context, batch.bank, batch.condition)
    scale = batch.error[:, None]
    missed = masked_mean(((answer - batch.best) / scale).square().clamp(max=100.0), batch.counted)
    # The gate is to say where observations are sparse, and the light average to serve elsewhere.
    open_ = _sparse(batch)
    closed = torch.nn.functional.binary_cross_entropy(gate, open_)
    off = ((light - batch.best) / scale).square().clamp(max=100.0)
    served = masked_mean((1 - open_) * off, batch.counted)
    # What the answer misses of the truth, as a Gaussian: the error it gives for itself.
    off = (answer.detach() - batch.truth).square() * torch.exp(-2 * error)
    honest = masked_mean(0.5 * off.clamp(max=100.0) + error, batch.counted)
    return missed + 0.05 * closed + 0.2 * served + 0.05 * honest


def _sparse(batch: World) -> torch.Tensor:
    """How sparsely a step is observed, 0 to 1, from counts, or where increments were made."""
    counted = batch.context[:, NUMBER.start + 1]
    made = torch.log(batch.context[:, 4:6].sub(0).exp().sum(dim=1) + 1e-3)
    known = batch.condition[:, 4:5] > 0
    density = torch.where(known, counted, made)
    whole = torch.nn.functional.interpolate(
        density[:, None], size=batch.best.shape[-1], mode="linear", align_corners=False
    )[:, 0]
    return torch.sigmoid(np.log(RICH) - whole)


BANDS = {"0-20": (0, 20), "20-300": (20, 300), "300-800": (300, 800), "800-2000": (800, 2000)}


def ratios(network: GatedTCN, seen: World) -> dict[str, float]:
    """Error over optimum A's in each band, pooled in K as the scores pool it."""
    with torch.inference_mode():
        answer = torch.cat(
            [
                network(*(each[i : i + 64] for each in seen[:3]))[0]
                for i in range(0, len(seen.error), 64)
            ]
        )
    scale = torch.from_numpy(seen.scale.astype(np.float32))[:, None]
    found = {}
    for name, (low, high) in BANDS.items():
        here = torch.from_numpy((seen.depth >= low) & (seen.depth < high))
        error, best = (
            ((each - seen.truth) * scale)[here].square().mean().sqrt()
            for each in (answer, seen.best)
        )
        found[name] = float(error / best)
    return found


def main() -> None:
    """Train and write the packaged weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    weights = Path(__file__).parents[1] / "weights" / "tcn.safetensors"
    parser.add_argument("--output", type=Path, default=weights)
    parser.add_argument("--columns", type=int, default=48)
    parser.add_argument("--steps", type=int, default=SCHEDULE.steps)
    parser.add_argument("--checkpoint", type=Path, default=None)
    options = parser.parse_args()
    start = time.perf_counter()
    schedule = replace(SCHEDULE, steps=options.steps, checkpoint=options.checkpoint)
    model = train(options.columns, schedule, progress=True)
    options.output.parent.mkdir(exist_ok=True)
    model.save(options.output)
    print(f"{time.perf_counter() - start:.0f} s; {options.output.stat().st_size / 1e3:.0f} kB")
    select = world(simulate.increments("select", columns=20, seed=100))
    print("error over optimum A's on twins of the family select:")
    for name, ratio in ratios(model.network, select).items():
        print(f"  {name:>9} m  {ratio:.3f}")


if __name__ == "__main__":
    main()
