"""Remake the packaged prior: ``python -m xocean_ml.generative.train --worlds DIR``.

Worlds of the simulated surface (extra ``simulate``) are made where DIR lacks them, about a minute
each; then the denoiser is trained on them and their mirror images, on the CPU. With the same number
of threads on the same kind of machine the weights come out the same; ``--checkpoint FILE`` lets a
killed run go on.

The packaged prior went on (``--start FILE``) from one that had learnt from 30 of the worlds for
5600 steps; what it is told of the noise was found again (``--calibrate``) with eight worlds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import persist
from xocean_ml.downscaling.train import SELECT, worlds
from xocean_ml.generative.diffusion import Diffusion
from xocean_ml.generative.fit import fit
from xocean_ml.generative.reading import read
from xocean_ml.generative.roughness import shares_of
from xocean_ml.generative.windows import normed
from xocean_ml.persist import WEIGHTS
from xocean_ml.simulate.mirror import mirrored

__all__ = ["calibrated", "learn"]

TRAIN = 46
KEPT = ("ssh", "mdt", "sst", "sss", "u", "v")
WIND = ("wind_u", "wind_v")
STEPS = 4800
NAME = "diffusion"


def both_ways(several: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Worlds, and their mirror images."""
    return [each[list(KEPT)] for world in several for each in (world, mirrored(world))]


def learn(train: Sequence[xr.Dataset], select: Sequence[xr.Dataset], **options: Any) -> Diffusion:
    """Train the packaged prior.

    Parameters
    ----------
    train, select : sequence of Dataset
        Worlds to train on, and worlds that tell which weights did best.
    **options
        Of `xocean_ml.generative.fit.fit`.
    """
    model = fit(train, withheld=select, **{"steps": STEPS, "device": "cpu", **options})
    assert isinstance(model, Diffusion)
    return Diffusion(_halved(model.weights), {**model.config, "told": "simulated turbulence"})


def calibrated(model: Diffusion, several: Sequence[xr.Dataset]) -> Diffusion:
    """A prior that is told of as much noise as lets fields of worlds come back as rough as before.

    Parameters
    ----------
    model : Diffusion
    several : sequence of Dataset
    """
    fields, smooth = model.config["fields"], model.config["smooth"]
    keys = [each["key"] for each in fields]
    domains = [normed(read(each, keys, smooth, fields).values, fields) for each in several]
    shares = shares_of(model.network, domains, model.patch, seed=0)
    return Diffusion(model.weights, {**model.config, "shares": shares})


def _halved(weights: dict[str, np.ndarray] | Any) -> dict[str, np.ndarray]:
    """Half precision is enough for a network at rest; variances span eleven decades."""
    return {
        name: each if name.startswith("wiener.") else each.astype(np.float16)
        for name, each in weights.items()
    }


def main() -> None:
    """Make the worlds and the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=Path, required=True, help="folder of simulated worlds")
    parser.add_argument("--checkpoint", type=Path, default=None, help="file of a checkpoint")
    parser.add_argument("--start", default=None, help="a prior to go on from, a name or a file")
    parser.add_argument(
        "--calibrate", action="store_true", help="find its shares of the noise alone"
    )
    parser.add_argument("--output", type=Path, default=WEIGHTS / f"{NAME}.safetensors")
    parser.add_argument("--steps", type=int, default=STEPS, help="fewer, to try it out")
    asked = parser.parse_args()
    asked.worlds.mkdir(parents=True, exist_ok=True)
    select = worlds(asked.worlds, "select", SELECT, kept=KEPT)
    if asked.calibrate:
        model = persist.load(asked.start or NAME)
        assert isinstance(model, Diffusion)
        model = calibrated(model, worlds(asked.worlds, "train", SELECT, kept=KEPT) + select)
    else:
        train = worlds(asked.worlds, "train", TRAIN, kept=(*KEPT, *WIND))
        options = {"steps": asked.steps, "checkpoint": asked.checkpoint, "start": asked.start}
        model = learn(both_ways(train), select, **options)
    model.save(asked.output)
    print(f"written: {asked.output}, {asked.output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
