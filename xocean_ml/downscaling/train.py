"""Remake the packaged weights: ``python -m xocean_ml.downscaling.train --worlds DIR``.

Worlds of the simulated surface (extra ``simulate``) are made where DIR lacks them, about a minute
each; then both networks are trained on the CPU. With the same number of threads on the same kind of
machine the weights come out the same; ``--checkpoint DIR`` lets a killed run go on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml.downscaling.fit import fit
from xocean_ml.downscaling.learned import Learned
from xocean_ml.persist import WEIGHTS

__all__ = ["learn", "worlds"]

TRAIN, SELECT = 30, 4
STATES = {"train": 8, "select": 4, "test": 4, "other": 4}
"""States of each world, ten days apart."""

SIDE = 144
"""Cells of a world's side; finer worlds are for tests, and have one state."""

FACTORS = (2.0, 16.0)
KEPT = ("ssh", "sst")
MODELS = {"glio-guided": ("sea_surface_temperature", 12000), "glio": (None, 6000)}
"""Packaged models: what guides each, and steps of training."""


def worlds(
    folder: Path, family: str, count: int, size: int = SIDE, kept: Sequence[str] = KEPT
) -> list[xr.Dataset]:
    """Worlds of a family, read from a folder or made and kept there.

    Parameters
    ----------
    folder : Path
        For files ``FAMILY_SEED.nc``, or ``FAMILY_SIZE_SEED.nc`` of other sizes.
    family : str
        Of `xocean_ml.simulate.surface_families`.
    count : int
        Seeds 0, 1, ...
    size : int
        Cells of a world's side.
    kept : sequence of str
        Variables that are read.
    """
    from xocean_ml.simulate.surface import surface

    made = []
    for seed in range(count):
        path = folder / (f"{family}_{seed}.nc" if size == SIDE else f"{family}_{size}_{seed}.nc")
        if not path.exists():
            states = STATES[family] if size == SIDE else 1
            ds = surface(family, states=states, every=10, seed=seed, size=size)
            ds.to_netcdf(path)
        with xr.open_dataset(path) as ds:
            made.append(ds[list(kept)].load())
    return made


def learn(
    name: str, train: Sequence[xr.Dataset], select: Sequence[xr.Dataset], **options: Any
) -> Learned:
    """Train one packaged model."""
    guide, steps = MODELS[name]
    model = fit(
        train,
        "glio",
        factor=FACTORS,
        guide=guide,
        fields=["sea_level_anomaly"],
        withheld=select,
        device="cpu",
        **{"steps": steps, **options},
    )
    # Half precision is enough for weights at rest; sums are made in single.
    halved = {key: value.astype(np.float16) for key, value in model.weights.items()}
    return Learned(halved, {**model.config, "told": "simulated turbulent surfaces"})


def main() -> None:
    """Make the worlds and the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=Path, required=True, help="folder of simulated worlds")
    parser.add_argument("--checkpoint", type=Path, default=None, help="folder for checkpoints")
    parser.add_argument("--output", type=Path, default=WEIGHTS)
    parser.add_argument("--steps", type=int, default=None, help="fewer, to try it out")
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    asked = parser.parse_args()
    asked.worlds.mkdir(parents=True, exist_ok=True)
    train, select = worlds(asked.worlds, "train", TRAIN), worlds(asked.worlds, "select", SELECT)
    for name in asked.models:
        kept = None if asked.checkpoint is None else asked.checkpoint / f"{name}.safetensors"
        fewer = {} if asked.steps is None else {"steps": asked.steps}
        model = learn(name, train, select, checkpoint=kept, **fewer)
        path = asked.output / f"{name}.safetensors"
        model.save(path)
        print(f"written: {path}, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
