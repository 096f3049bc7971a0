"""Remake the packaged prior: ``python -m xocean_ml.generative.train --worlds DIR``.

Worlds of the simulated surface (extra ``simulate``) are made where DIR lacks them, about a minute
each; then the denoiser is trained on them and their mirror images, on the CPU. With the same number
of threads on the same kind of machine the weights come out the same; ``--checkpoint FILE`` lets a
killed run go on, ``--start FILE`` begins with the network of an earlier one.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml.downscaling.train import SELECT, worlds
from xocean_ml.generative.diffusion import Diffusion
from xocean_ml.generative.fit import fit
from xocean_ml.persist import WEIGHTS
from xocean_ml.simulate.mirror import mirrored

__all__ = ["learn"]

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
    parser.add_argument("--output", type=Path, default=WEIGHTS / f"{NAME}.safetensors")
    parser.add_argument("--steps", type=int, default=STEPS, help="fewer, to try it out")
    asked = parser.parse_args()
    asked.worlds.mkdir(parents=True, exist_ok=True)
    train = worlds(asked.worlds, "train", TRAIN, kept=(*KEPT, *WIND))
    select = worlds(asked.worlds, "select", SELECT, kept=KEPT)
    options = {"steps": asked.steps, "checkpoint": asked.checkpoint, "start": asked.start}
    model = learn(both_ways(train), select, **options)
    model.save(asked.output)
    print(f"written: {asked.output}, {asked.output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
