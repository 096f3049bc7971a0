"""What `ds.ml_smooth()` costs over the network itself, on numpy data.

    python benchmarks/smooth_overhead.py --columns 200

Rows, in microseconds per value: the network's own forward pass in torch, its tensors made
beforehand; the model on plain arrays (what surrounds each step, the network, the weighted sum); and
the accessor, which finds fields, converts units, checks values, closes budgets, and writes
metadata. One thread each, best of several runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import dask
import numpy as np
import torch

import xocean_ml as xo
from xocean_ml import grid
from xocean_ml.smoothing.steps import Steps
from xocean_ml.smoothing.surroundings import bank, surroundings
from xocean_ml.smoothing.tiles import Columns

NAME = "temperature_increment"
BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    twin = xo.simulate.increments("test_inside", columns=options.columns, seed=3)
    model = xo.load("tcn")
    axis = grid.time_axis(twin)
    given = {
        "spread": flat(twin[f"{NAME}_spread"]),
        "counts": flat(twin["number_of_observations"]),
        "depth": flat(twin.depth.expand_dims(time=1).broadcast_like(twin[NAME].isel(time=[0]))),
    }
    amounts = flat(twin[NAME])
    seen = [parts(amounts, given, axis, slice(i, i + BATCH)) for i in starts(amounts)]

    def network() -> None:
        with torch.inference_mode():
            for tensors in seen:
                model.network(*tensors)

    deep = {name: each[:, None] for name, each in given.items()}
    ones = np.ones((1, 1, 1))
    valid = np.ones((len(amounts), 1, amounts.shape[1]), bool)
    columns = Columns(amounts[:, None], valid, ones, ones[0], None, deep)
    steps = Steps(axis.days, axis.step_days, False)
    rows: dict[str, Callable[[], object]] = {
        "network (torch), tensors given": network,
        "model on plain arrays": lambda: model.smooth(columns, steps, slice(None)),
        "accessor, conserve=None": lambda: twin.ml_smooth(conserve=None),
        "accessor, conserve='5YS'": lambda: twin.ml_smooth(conserve="5YS"),
    }
    with dask.config.set(num_workers=1):
        spent = {name: best(run, options.repeat) for name, run in rows.items()}
    print(f"{amounts.size} values, {len(model.weights)} tensors of weights, one thread")
    print(f"{'':<34}{'us/value':>10}{'over network':>14}{'over model':>12}")
    one, two, *_ = spent.values()
    for name, each in spent.items():
        per = each / amounts.size * 1e6
        print(f"{name:<34}{per:>10.3f}{each / one:>14.2f}{each / two:>12.2f}")


def flat(values) -> np.ndarray:
    return values.values.astype(np.float64).reshape(values.shape[0], -1)


def starts(amounts: np.ndarray) -> range:
    return range(0, amounts.shape[1], BATCH)


def parts(amounts, given, axis, some: slice) -> tuple[torch.Tensor, ...]:
    """The network's tensors for some columns."""
    pick = {name: each[:, some] for name, each in given.items()}
    seen = surroundings(
        amounts[:, some],
        axis.days,
        axis.step_days,
        pick["depth"][0],
        pick["spread"],
        pick["counts"],
    )
    held = bank(amounts[:, some] / seen.scale, axis.days, axis.step_days)
    return tuple(torch.from_numpy(each) for each in (seen.context, held, seen.condition))


def best(run: Callable[[], object], repeat: int) -> float:
    """Seconds of the fastest of several runs."""
    spent = []
    for _ in range(repeat):
        start = time.perf_counter()
        run()
        spent.append(time.perf_counter() - start)
    return min(spent)


if __name__ == "__main__":
    main()
