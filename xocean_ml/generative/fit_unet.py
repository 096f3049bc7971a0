"""Trains a regression on simulated observations of complete fields."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import xarray as xr

from xocean_ml.errors import ValuesError
from xocean_ml.generative.generator import Generator
from xocean_ml.generative.prepare import prepare
from xocean_ml.generative.samples import Part
from xocean_ml.generative.unet import BESIDE, rasters
from xocean_ml.networks.unet import UNet
from xocean_ml.networks.wiener import Wiener
from xocean_ml.training import Schedule, fit, generator, seeded

__all__ = ["SIZES", "Pairs", "observer", "pairs_of", "taught"]

SIZES: dict[str, Any] = {"channels": [64, 64], "blocks": 2, "width": 64, "fold": 2}

Observer = Callable[[xr.Dataset, int], Mapping[str, xr.Dataset]]
"""From complete fields at one time, and a seed, to what is observed of them."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Observations on cells, and the fields they are of.

    Parameters
    ----------
    given : array of float16, (pairs, 4 fields + 1, rows, columns)
    clean : array of float16, (pairs, fields, rows, columns)
        Zero on land.
    """

    given: np.ndarray
    clean: np.ndarray


def observer(observing: Any) -> list[Observer]:
    """Observing systems as functions: one, or several from which each pair draws.

    Parameters
    ----------
    observing : mapping, callable, or several
        Options of `xocean_ml.simulate.observe`; or a function of fields and a seed.
    """
    several = [observing] if callable(observing) or isinstance(observing, Mapping) else observing
    return [each if callable(each) else partial(_simulated, dict(each)) for each in several]


def _simulated(options: dict[str, Any], truth: xr.Dataset, seed: int) -> Mapping[str, xr.Dataset]:
    from xocean_ml.simulate import observe

    return observe(truth, **options, seed=seed)


def pairs_of(
    data: Part,
    observers: Sequence[Observer],
    reader: Generator,
    *,
    count: int,
    seed: int,
) -> Pairs:
    """Windows of complete fields, and what is observed of each.

    Parameters
    ----------
    data : Part
        Its Datasets have whole currents, its fields what the model knows of them.
    observers : sequence of callable
    reader : Generator
        Any model of these fields: what is observed is read by the same rules.
    count, seed : int
    """
    patch = int(reader.config["patch"])
    given: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    for number in range(count):
        random = generator(seed, number)
        which = int(random.integers(len(data.datasets)))
        ds, fields = data.datasets[which], data.fields[which]
        time = int(random.choice(data.picks[which]))
        at = [int(random.integers(0, max(n - patch, 0) + 1)) for n in fields.shape[-2:]]
        cut = tuple(slice(s, min(s + patch, n)) for s, n in zip(at, fields.shape[-2:], strict=True))
        target = fields[time][:, cut[0], cut[1]]
        if np.isfinite(target).mean() < 0.3:
            continue
        truth = _window(ds, time, cut)
        seen = observers[int(random.integers(len(observers)))](truth, int(random.integers(2**31)))
        first, *also = seen.values()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ready = prepare(first, reader, also=also, like=truth, members=1)
            except ValuesError:
                continue  # clouds over all, and no satellite came by
            told = ready.seen(0)
        more = [(0, patch - n) for n in target.shape[-2:]]
        raster = rasters(told, len(target))[0].numpy()
        for kept, each in ((given, raster), (targets, np.nan_to_num(target))):
            kept.append(np.pad(each, [(0, 0), *more]).astype(np.float16))
    if not given:
        raise ValuesError("nothing is observed of any window: look at observing=")
    return Pairs(np.stack(given), np.stack(targets))


def _window(ds: xr.Dataset, time: int, cut: tuple[slice, ...]) -> xr.Dataset:
    from xocean_ml.grid import axes, sides_of

    sides = sides_of(ds)
    where: dict[Any, Any] = {}
    for side, part in zip(sides, cut, strict=True):
        count = len(side)
        where[side.dim] = slice(count - part.stop, count - part.start) if side.flipped else part
    first = next(each for each in ds.data_vars.values() if axes(each).get("T"))
    return ds.isel({**where, axes(first)["T"]: [time]})


def taught(
    train: Pairs,
    check: Pairs,
    sizes: Mapping[str, Any],
    schedule: Schedule,
    *,
    config: Mapping[str, Any],
    progress: bool | None,
) -> dict[str, np.ndarray]:
    """Weights of the network, and of the Gaussian of its errors on pairs it has not seen."""
    fields = train.clean.shape[1]
    with seeded(schedule.seed):
        network = UNet(fields, (BESIDE - 1) * fields + 1, **sizes)

    def batch(step: int) -> tuple[np.ndarray, np.ndarray]:
        pick = generator(schedule.seed, step).integers(0, len(train.given), schedule.batch)
        return train.given[pick].astype(np.float32), train.clean[pick].astype(np.float32)

    def loss(model: UNet, both: Any) -> torch.Tensor:
        given, clean = both
        with torch.autocast(given.device.type, torch.bfloat16, enabled=model.training):
            made = model(given, given.new_zeros(len(given)))
        sea = given[:, -1:]
        return ((made.float() - clean) ** 2 * sea).sum() / (sea.sum() * fields)

    def errors(model: UNet) -> np.ndarray:
        made = []
        for start in range(0, len(check.given), 16):
            given = torch.from_numpy(check.given[start : start + 16].astype(np.float32))
            with torch.no_grad():
                answer = model(given, given.new_zeros(len(given))).numpy()
            sea = check.given[start : start + 16, -1:].astype(np.float32)
            made.append((answer - check.clean[start : start + 16]) * sea)
        return np.concatenate(made)

    def validate(model: UNet) -> float:
        return float((errors(model) ** 2).mean())

    fitted = fit(
        network,
        batch,
        loss,
        schedule=schedule,
        validate=validate,
        config=config,
        progress=progress,
    )
    left = errors(fitted.network)
    spread = Wiener.fitted([torch.from_numpy(left)], tapered=True)
    weights = {f"network.{n}": each.numpy() for n, each in fitted.network.state_dict().items()}
    return weights | {f"errors.{n}": each.numpy() for n, each in spread.state_dict().items()}
