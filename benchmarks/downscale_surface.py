"""Downscaling of simulated SSH, on worlds that no model was trained on.

    python benchmarks/downscale_surface.py --worlds DIR                # x3, x5, x9, x13.7
    python benchmarks/downscale_surface.py --worlds DIR --fit liif jiif resac
    python benchmarks/downscale_surface.py --worlds DIR --size 432 --count 3 --factors 27

DIR holds worlds of the family "test" (made where they lack, a minute each), and with ``--fit``
those of training; the published networks are then trained on them (20 minutes each) and kept in
DIR. The coarse field is the area mean over the sea; errors are over all sea cells of the fine grid,
pooled over worlds, as a ratio to bicubic on the same coarse field; 95 % intervals are by bootstrap
over worlds. "closed" is bicubic led back to the coarse means (``conserve=True``). ``--models`` adds
model files of one's own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import xarray as xr

import xocean_ml as xo
from xocean_ml.downscaling.coarsen import coarsen
from xocean_ml.downscaling.fit import fit
from xocean_ml.downscaling.train import FACTORS, SELECT, TRAIN, worlds

CELLS = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=Path, required=True)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--size", type=int, default=144, help="cells of a world's side")
    parser.add_argument("--factors", type=float, nargs="*", default=[3.0, 5.0, 9.0, 13.7])
    parser.add_argument("--models", nargs="*", default=[], help="NAME=FILE, further models")
    parser.add_argument("--family", default="test")
    parser.add_argument("--fit", nargs="*", default=[], help="kinds to train, or to read again")
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()
    every = worlds(options.worlds, options.family, options.count, options.size)
    models = {"bicubic": "bicubic", "bicubic, closed": "bicubic"}
    models |= {name: name for name in ("glio", "glio-guided") if packaged(name)}
    models |= {kind: fitted(kind, options.worlds, options.steps) for kind in options.fit}
    models |= dict(each.split("=", 1) for each in options.models)
    for factor in options.factors:
        print(f"\nx{factor:g}, {CELLS} coarse cells a side, {len(every)} worlds ({options.family})")
        report(every, models, factor)


def fitted(kind: str, folder: Path, steps: int) -> str:
    """A published network trained on the worlds that the packaged ones saw; its file."""
    path = folder / f"{kind}.safetensors"
    if not path.exists():
        train, select = worlds(folder, "train", TRAIN), worlds(folder, "select", SELECT)
        # RESAC goes in steps of three, so it is trained for one scale.
        factor = (9.0, 9.0) if kind == "resac" else FACTORS
        guide = None if kind == "liif" else "sea_surface_temperature"
        model = fit(
            train,
            kind,
            factor=factor,
            guide=guide,
            fields=["sea_level_anomaly"],
            withheld=select,
            steps=steps,
            checkpoint=folder / f"{kind}-fit.safetensors",
        )
        model.save(path)
    return str(path)


def packaged(name: str) -> bool:
    try:
        xo.load(name)
    except xo.ModelFileError:
        return False
    return True


def report(every: list[xr.Dataset], models: dict[str, str], factor: float) -> None:
    """One scale: a row for each model."""
    made = {name: [] for name in models}
    truths = []
    for world in every:
        side = min(round(CELLS * factor), world.sizes["latitude"])
        first = (world.sizes["latitude"] - side) // 2
        fine = world.isel(latitude=slice(first, first + side), longitude=slice(first, first + side))
        truths.append(fine["ssh"])
        coarse = coarsen(fine[["ssh"]], factor)
        for name, model in models.items():
            guided = {"guide": fine[["sst"]]} if guide_of(model) else {}
            closed = name.endswith("closed")
            out = coarse.downscale(model, like=fine, conserve=closed, **guided)
            made[name].append(out["ssh"].transpose(*fine["ssh"].dims))
    base = made["bicubic"]
    print(f"{'':<18}{'ratio':>7}{'95 %':>16}{'RMSE, m':>10}{'gradient':>10}{'resolves, km':>14}")
    for name, each in made.items():
        ratio, low, high, rmse = ratios(each, base, truths)
        scores = [
            xo.metrics.downscaling(f, t, bootstrap=0) for f, t in zip(each, truths, strict=True)
        ]
        gradient, resolves = (
            float(np.mean([float(s[n]) for s in scores]))
            for n in ("gradient_error", "effective_resolution")
        )
        print(
            f"{name:<18}{ratio:>7.3f}{f'{low:.3f} to {high:.3f}':>16}{rmse:>10.4f}"
            f"{gradient:>10.3f}{resolves:>14.0f}"
        )


def guide_of(model: str) -> bool:
    return bool(getattr(xo.load(model), "guided", False))


def ratios(fields, base, truths) -> tuple[float, float, float, float]:
    """Pooled RMSE over the baseline's, its interval, and the RMSE."""
    sums = np.array(
        [
            [
                float(((f - t) ** 2).sum()),
                float(((b - t) ** 2).sum()),
                float((b - t).notnull().sum()),
            ]
            for f, b, t in zip(fields, base, truths, strict=True)
        ]
    )
    return pooled(sums)


def pooled(sums: np.ndarray, samples: int = 500) -> tuple[float, float, float, float]:
    """Ratio of root mean squares, its 95 % interval by bootstrap over worlds, and the first.

    Of each world (a row): squares of errors, squares of the baseline's, and how many they are.
    """
    rng = np.random.default_rng(0)
    drawn = sums[rng.integers(len(sums), size=(samples, len(sums)))].sum(axis=1)
    low, high = np.quantile(np.sqrt(drawn[:, 0] / drawn[:, 1]), [0.025, 0.975])
    total = sums.sum(axis=0)
    return (
        float(np.sqrt(total[0] / total[1])),
        float(low),
        float(high),
        float(np.sqrt(total[0] / total[2])),
    )


if __name__ == "__main__":
    main()
