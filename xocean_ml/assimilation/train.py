"""Remake the packaged model: ``python -m xocean_ml.assimilation.train``.

Worlds of the simulated climate are made, some seconds each, and a convolutional model is trained
on them on the CPU. With the same number of threads on the same kind of machine the weights come
out the same; ``--checkpoint FILE`` lets a killed run go on.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml.assimilation.dcvae import Dcvae
from xocean_ml.assimilation.fit import fit
from xocean_ml.persist import WEIGHTS
from xocean_ml.simulate.climate import climate

__all__ = ["learn", "worlds"]

TRAIN, SELECT = 24, 4
YEARS = 40
STEPS = 3000
RANK = 300
"""Patterns: a small file, and hardly any skill less than with 500."""


def worlds(family: str, seeds: Iterable[int], years: int = YEARS) -> xr.Dataset:
    """Worlds of a family of `xocean_ml.simulate.climate_families`, along ``world``."""
    made = [climate(family, seed=seed, years=years) for seed in seeds]
    return xr.concat(made, "world", combine_attrs="drop_conflicts")


def learn(train: xr.Dataset, select: xr.Dataset, **options: Any) -> Dcvae:
    """Train the packaged model.

    Parameters
    ----------
    train, select : Dataset
        Worlds to train on, and worlds that tell when to stop and what is left.
    **options
        Of `xocean_ml.assimilation.fit.fit`.
    """
    options = {"steps": STEPS, "rank": RANK, "device": "cpu", **options}
    model = fit(train, "dcvae", withheld=select, **options)
    assert isinstance(model, Dcvae)
    # half precision is enough for weights at rest; sums are made in double
    halved = {name: each.astype(np.float16) for name, each in model.weights.items()}
    return replace(
        model,
        weights=halved,
        patterns=model.patterns.astype(np.float16),
        config={**model.config, "told": "simulated planet"},
    )


def main() -> None:
    """Make the worlds and the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=TRAIN, help="to train on")
    parser.add_argument("--steps", type=int, default=STEPS, help="fewer, to try it out")
    parser.add_argument("--checkpoint", type=Path, default=None)
    parser.add_argument("--output", type=Path, default=WEIGHTS / "dcvae.safetensors")
    asked = parser.parse_args()
    train, select = worlds("train", range(asked.worlds)), worlds("select", range(SELECT))
    model = learn(train, select, steps=asked.steps, checkpoint=asked.checkpoint)
    model.save(asked.output)
    print(f"written: {asked.output}, {asked.output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
