"""Does a Fourier neural operator trained on coarse fields serve on fine ones? SST to SSH.

    python benchmarks/downscale_fno.py --worlds DIR                # 10 minutes on a quiet core
    python benchmarks/downscale_fno.py --worlds DIR --steps 100    # a look

The Sorbonne report's table of resolution invariance, on simulated worlds: the network sees the
temperature of a whole box and the mask, and no height; it is trained on area means of 16, 36, 72
and 144 cells a side, and always judged at 144. Its own resolution, then bicubic, is the other way
to use one that was trained on coarse fields. The report (NATL60, a box in the Sargasso Sea) trains
at 16, 48, 144 and 432 and judges at 1296, so its rows stand beside ours by rank alone.

DIR holds worlds of the families "train", "select" (which weights are kept) and "test" (made where
they lack, a minute each). Each state counts less its mean over the sea of the box. Errors are over
all sea cells, pooled over worlds, as a ratio to predicting nothing; 95 % intervals are by bootstrap
over worlds, and do not hold what another seed of training would give.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from downscale_surface import pooled

from xocean_ml.downscaling.pairs import coarsened
from xocean_ml.downscaling.train import SELECT, SIDE, TRAIN, worlds
from xocean_ml.kernels.lattice import regular
from xocean_ml.kernels.resample import bicubic, fill
from xocean_ml.networks.fno import FNO
from xocean_ml.networks.where import where
from xocean_ml.training import Schedule, fit, generator, seeded

RESOLUTIONS = (16, 36, 72, 144)
REPORT = (0.2620, 0.1987, 0.1770, 0.1748)
"""RMSE (m) at 1296 cells a side, trained at 16, 48, 144 and 432."""

TEST = 8
CELLS = 16
"""Of the coarse field, which says nothing: it tells the network the size of the box."""

MODES, PADDING = 4, 0.4
"""Waves in ten coarse cells, and how much longer the box is made, in the same: as much as a box of
16 x 16 fine cells can train; weights of shorter waves would stay what they were drawn."""


Batch = tuple[Any, Any, Any]


class States(NamedTuple):
    """States of worlds, (states, rows, columns): anomalies, 0 on land; the share of sea.

    ``world`` (states,) tells whose each is.
    """

    ssh: np.ndarray
    sst: np.ndarray
    sea: np.ndarray
    world: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--channels", type=int, default=24)
    parser.add_argument("--rate", type=float, default=5e-3)
    parser.add_argument("--optimizer", default="adam", choices=["adam", "muon"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts = {"train": TRAIN, "select": SELECT, "test": TEST}
    train, select, test = (
        read(worlds(options.worlds, family, count)) for family, count in counts.items()
    )
    scale = deviation(train.sst, train.sea)
    train, select, test = (each._replace(sst=each.sst / scale) for each in (train, select, test))
    schedule = Schedule(
        steps=options.steps,
        rate=options.rate,
        batch=8,
        ema=0.99,
        check_every=max(1, options.steps // 10),
        optimizer=options.optimizer,
        seed=options.seed,
    )
    made = {"nothing": np.zeros_like(test.ssh), "SST, linear": slope(train) * test.sst}
    own = {}
    told = f"{'trained at':<12}{'steps':>7}{'kept':>7}{'parameters':>12}{'seconds':>9}"
    print(f"{told}{'loss':>8}{'select':>8}")
    for cells in RESOLUTIONS:
        network = trained(coarser(train, cells), coarser(select, cells), options.channels, schedule)
        made[f"FNO trained at {cells}, used at {SIDE}"] = predicted(network, test)
        if cells < SIDE:
            here = predicted(network, coarser(test, cells))
            own[f"FNO trained at {cells}, used there, bicubic"] = finer(here, coarser(test, cells))
    report(made | own, test)


# ---- states ----------------------------------------------------------------------------------


def read(every: Sequence[xr.Dataset]) -> States:
    """All states of all worlds, each less its own mean over the sea."""
    ssh, sst = (np.concatenate([world[name].values for world in every]) for name in ("ssh", "sst"))
    sea = np.isfinite(ssh) & np.isfinite(sst)
    world = np.repeat(np.arange(len(every)), [each.sizes["time"] for each in every])
    sea = sea.astype(np.float32)
    return States(centred(ssh, sea), centred(sst, sea), sea, world)


def centred(fields: np.ndarray, sea: np.ndarray) -> np.ndarray:
    """Fields less their means over the sea; 0 on land."""
    known = np.where(sea > 0, fields, 0).astype(np.float64)
    means = (known * sea).sum((1, 2), keepdims=True) / sea.sum((1, 2), keepdims=True)
    return np.where(sea > 0, known - means, 0).astype(np.float32)


def coarser(states: States, cells: int) -> States:
    """Area means over the sea, on `cells` cells a side."""
    shape = (cells, cells)
    land = states.sea == 0
    ssh, sst = (
        np.nan_to_num(coarsened(np.where(land, np.nan, each), shape))
        for each in (states.ssh, states.sst)
    )
    return States(ssh, sst, coarsened(states.sea, shape, least=-1), states.world)


def finer(fields: np.ndarray, states: States) -> np.ndarray:
    """Bicubic from the states' cells to the finest ones, land filled from the sea."""
    cells = fields.shape[-1]
    return bicubic(fill(fields, states.sea > 0), regular((cells, cells), SIDE / cells))


def deviation(fields: np.ndarray, sea: np.ndarray) -> float:
    return float(np.sqrt((fields**2 * sea).sum() / sea.sum()))


def slope(states: States) -> float:
    """Height per temperature by least squares."""
    return float((states.ssh * states.sst * states.sea).sum() / (states.sst**2 * states.sea).sum())


# ---- the network -----------------------------------------------------------------------------


def trained(train: States, select: States, channels: int, schedule: Schedule) -> FNO:
    """A network trained at the states' resolution; what that took is printed."""
    scale = deviation(train.ssh, train.sea)
    train, select = (each._replace(ssh=each.ssh / scale) for each in (train, select))
    with seeded(schedule.seed):
        network = FNO(fields=1, guides=1, channels=channels, modes=MODES, padding=PADDING)

    def batch(step: int) -> Batch:
        return drawn(train, generator(schedule.seed, step), schedule.batch)

    start = time.perf_counter()
    fitted = fit(
        network,
        batch,
        loss,
        schedule=schedule,
        validate=lambda each: missed(each, select),
    )
    seconds = time.perf_counter() - start
    count = sum(each.numel() for each in network.parameters())
    score = min(fitted.history["score"])
    print(
        f"{train.ssh.shape[-1]:<12}{schedule.steps:>7}{fitted.step:>7}{count:>12}{seconds:>9.0f}"
        f"{fitted.history['loss'][-1]:>8.3f}{score:>8.3f}",
        flush=True,
    )
    with torch.no_grad():  # back to metres
        for parameter in fitted.network.leave.parameters():
            parameter.mul_(scale)
    return fitted.network


def drawn(states: States, rng: np.random.Generator, count: int) -> Batch:
    """Some states, half of them mirrored: coarse field, guide, truth.

    North to south, height and temperature both change their sign: so mirrored, quasi-geostrophic
    flow on a beta plane obeys its own equation again, and warm water stays in the south.
    """
    pick = rng.integers(len(states.ssh), size=count)
    ssh, sst, sea = (each[pick, None] for each in (states.ssh, states.sst, states.sea))
    turn = (rng.random(count) < 0.5)[:, None, None, None]
    sea = np.where(turn, sea[..., ::-1, :], sea)
    ssh, sst = (np.where(turn, -each[..., ::-1, :], each) for each in (ssh, sst))
    return *given(sst, sea), ssh


def given(sst: np.ndarray, sea: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A coarse field without height that is all sea, and the guide."""
    coarse = np.zeros((len(sst), 2, CELLS, CELLS), np.float32)
    coarse[:, 1] = 1
    return coarse, np.concatenate([sst, sea], axis=1).astype(np.float32)


def ask(network: FNO, coarse: torch.Tensor, guide: torch.Tensor) -> torch.Tensor:
    lattice = regular((CELLS, CELLS), guide.shape[-1] / CELLS)
    return network(coarse, guide, where(lattice, guide.device))[0]


def loss(network: FNO, batch: Batch) -> torch.Tensor:
    """Mean squared error over the sea."""
    coarse, guide, truth = batch
    sea = guide[:, 1:]
    return ((ask(network, coarse, guide) - truth) ** 2 * sea).sum() / sea.sum()


def missed(network: FNO, states: States) -> float:
    """Root mean square error over that of predicting nothing."""
    error = predicted(network, states) - states.ssh
    return deviation(error, states.sea) / deviation(states.ssh, states.sea)


@torch.no_grad()
def predicted(network: FNO, states: States) -> np.ndarray:
    """Height without its mean over the sea, (states, rows, columns)."""
    made = []
    for sst, sea in zip(states.sst, states.sea, strict=True):
        coarse, guide = given(sst[None, None], sea[None, None])
        made.append(ask(network, torch.from_numpy(coarse), torch.from_numpy(guide))[0, 0].numpy())
    return centred(np.stack(made), states.sea)


# ---- the table -------------------------------------------------------------------------------


def report(made: dict[str, np.ndarray], test: States) -> None:
    """A row for each way to predict, and the report's beside."""
    finest = made[f"FNO trained at {SIDE}, used at {SIDE}"]
    used = [name for name in made if name.endswith(f"used at {SIDE}")]
    theirs = {name: rmse / REPORT[-1] for name, rmse in zip(used, REPORT, strict=True)}
    print(f"\n{TEST} worlds (test), {SIDE} cells a side; 'to finest' is over {used[-1]}")
    told = f"{'':<38}{'ratio':>7}{'95 %':>16}{'RMSE, m':>10}"
    print(f"{told}{'to finest':>11}{'95 %':>16}{'report':>9}")
    for name, each in made.items():
        each = centred(each, test.sea)
        ratio, low, high, rmse = ratios(each, np.zeros_like(each), test)
        over, least, most, _ = ratios(each, finest, test)
        beside = f"{theirs[name]:>9.3f}" if name in theirs else ""
        print(
            f"{name:<38}{ratio:>7.3f}{f'{low:.3f} to {high:.3f}':>16}{rmse:>10.4f}"
            f"{over:>11.3f}{f'{least:.3f} to {most:.3f}':>16}{beside}"
        )


def ratios(fields: np.ndarray, base: np.ndarray, test: States) -> tuple[float, float, float, float]:
    """Pooled RMSE over the baseline's, its interval, and the RMSE."""
    squares = [(each - test.ssh) ** 2 * test.sea for each in (fields, base)] + [test.sea]
    sums = np.stack(
        [np.bincount(test.world, each.sum((1, 2), dtype=np.float64)) for each in squares], axis=1
    )
    return pooled(sums)


if __name__ == "__main__":
    main()
