"""Assimilation of real sea surface temperature: COBE, one degree, from 1, 5 and 25 % of the cells.

    python benchmarks/assimilate_cobe.py --data DIR                      # an hour on a quiet core
    python benchmarks/assimilate_cobe.py --data DIR --every 12 --models eof      # a look

DIR holds ``sst_cobe_1950_1989.nc``. Models are fitted to 1950 to 1979; each month of 1980 to 1989
is recovered from a random choice of its sea cells, observed with an error of 0.3 K. Errors are area
weighted, over all sea cells, observed or not, with 95 % intervals by bootstrap of blocks of a year.

climatology  nothing but the mean of the month
OI           optimal interpolation from the 48 nearest observations: Gaussian correlation, standard
             deviation of each cell and month; its length is the best at each density, in hindsight
eof, dcvae   this package, with what their patterns leave analysed (``residual=True``)
dcvae        where its network tells nothing of withheld months `fit` leaves it out, and it is eof
             (``--forced`` keeps it)
... latent   the same without it (``residual=False``)

"spread" is the root mean square of the spread over that of the error; "in 90 %" is how many true
values lie within 1.645 spreads.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import xocean_ml as xo
from xocean_ml.assimilation import fit as own
from xocean_ml.assimilation.assimilator import Assimilator
from xocean_ml.kernels.nearby import interpolate

SHARES = (0.01, 0.05, 0.25)
ERROR = 0.3
LENGTHS = (500.0, 600.0, 700.0, 800.0, 900.0, 1000.0, 1200.0)
NEAREST = 48
TRAINED, FIRST = 360, 360
BLOCK = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", nargs="*", default=["eof", "dcvae"])
    parser.add_argument("--files", type=Path, default=None, help="folder that keeps the models")
    parser.add_argument("--every", type=int, default=1, help="months between those analysed")
    parser.add_argument("--latent", type=int, default=100)
    parser.add_argument("--forced", action="store_true", help="keep a network that adds nothing")
    parser.add_argument("--steps", type=int, default=1000, help="of training the dcvae")
    options = parser.parse_args()
    ds = read(options.data)
    train, test = ds.isel(time=slice(0, TRAINED)), ds.isel(time=slice(FIRST, None, options.every))
    if options.forced:
        own.LEAST_GAIN = -np.inf
    models = {kind: fitted(kind, train, options) for kind in options.models}
    if "eof" in models and type(models.get("dcvae")) is type(models["eof"]):
        print("dcvae is eof: its network was left out")
        del models["dcvae"]
    print(f"{test.sizes['time']} months, {int(test.sst[0].notnull().sum())} sea cells")
    head = f"{'':<16}{'RMSE, K':>9}{'95 %':>18}{'spread':>8}{'in 90 %':>9}{'months/s':>10}"
    first = next(iter(models.values()))
    for share in SHARES:
        observed = observations(test, share)
        print(f"\n{share:.0%} of the cells, error {ERROR} K\n{head}")
        row("climatology", lambda: climatology(first, test), test)
        row("OI", lambda seen=observed: best_oi(first, seen, test), test)
        for name, model in models.items():
            for residual in (True, False):
                told = name if residual else f"{name}, latent"
                row(told, analysis(model, observed, residual=residual), test)


def read(folder: Path) -> xr.Dataset:
    ds = xr.open_dataset(folder / "sst_cobe_1950_1989.nc")[["sst"]].load()
    ds["sst"].attrs |= {"standard_name": "sea_surface_temperature"}
    return ds


def fitted(kind: str, train: xr.Dataset, options: argparse.Namespace) -> Any:
    """A model, kept for another time."""
    path = options.files and options.files / f"cobe-{kind}.safetensors"
    if path and path.exists():
        return xo.load(path)
    began = time.perf_counter()
    more = {"steps": options.steps} if kind == "dcvae" else {}
    model = train.assimilate.fit(kind, latent=options.latent, **more)
    print(f"{kind}: fitted in {time.perf_counter() - began:.0f} s: {model!r}")
    if path:
        model.save(path)
    return model


def observations(test: xr.Dataset, share: float) -> xr.Dataset:
    """A random choice of sea cells, the same for all models, with errors."""
    seen = test.sst.copy(deep=True)
    for number, month in enumerate(seen.values):
        random = np.random.default_rng([number, round(1000 * share)])
        sea = np.flatnonzero(np.isfinite(month))
        chosen = random.permutation(sea)[: round(share * sea.size)]
        values = month.ravel()[chosen] + ERROR * random.standard_normal(chosen.size)
        month[...] = np.nan
        month.reshape(-1)[chosen] = values
    return seen.to_dataset(name="sst")


Fields = tuple[np.ndarray, np.ndarray]


def analysis(model: Any, observed: xr.Dataset, *, residual: bool) -> Callable[[], Fields]:
    def run() -> Fields:
        out = observed.assimilate(model, error=ERROR, residual=residual)
        return out["sst"].values, out["sst_spread"].values

    return run


def climatology(model: Any, test: xr.Dataset) -> Fields:
    none = test.where(False)
    out = none.assimilate(model)
    return out["sst"].values, out["sst_spread"].values


def best_oi(model: Assimilator, observed: xr.Dataset, test: xr.Dataset) -> Fields:
    """Optimal interpolation with the correlation length that is best on a tenth of the months."""
    some = slice(None, None, max(1, test.sizes["time"] // 12))
    few, true = observed.isel(time=some), test.isel(time=some)
    scores = [summary(oi(model, few, length), true)[0] for length in LENGTHS]
    best = LENGTHS[int(np.argmin(scores))]
    print(f"{'':<16}OI's length {best:.0f} km")
    return oi(model, observed, best)


def oi(model: Assimilator, observed: xr.Dataset, length: float) -> Fields:
    state = model.state
    lat = observed.lat.values
    rows = slice(None, None, -1) if lat[0] > lat[-1] else slice(None)
    fields, spreads = [], []
    for month in range(observed.sizes["time"]):
        now = model.tables.at(float(observed.time.dt.month[month]) - 1)
        seen = state.pack(observed.sst.values[month, rows][None].astype(float))
        there = np.isfinite(seen)
        values = (seen - now.mean)[there][None]
        made, variance = interpolate(
            state.points,
            now.scale,
            state.points[there],
            now.scale[there],
            np.full(int(there.sum()), ERROR**2),
            values,
            length,
            NEAREST,
        )
        fields.append(state.unpack(made[0] + now.mean)[0][rows])
        spreads.append(state.unpack(np.sqrt(variance))[0][rows])
    return np.stack(fields), np.stack(spreads)


def summary(fields: Fields, test: xr.Dataset) -> tuple[float, float, float, float, float]:
    """Root mean square error with its interval, spread over it, and share within 90 %."""
    weight = np.cos(np.deg2rad(test.lat.values))[:, None] * np.isfinite(test.sst.values[0])
    error = np.nan_to_num(fields[0] - test.sst.values)
    spread = np.nan_to_num(fields[1])
    squares = (weight * error**2).sum((1, 2)) / weight.sum()
    spreads = (weight * spread**2).sum((1, 2)) / weight.sum()
    inside = float((weight * (np.abs(error) <= 1.645 * spread)).sum() / weight.sum() / len(error))
    blocks = [squares[start : start + BLOCK].mean() for start in range(0, len(squares), BLOCK)]
    random = np.random.default_rng(0)
    drawn = np.array(blocks)[random.integers(len(blocks), size=(1000, len(blocks)))].mean(axis=1)
    low, high = np.sqrt(np.quantile(drawn, [0.025, 0.975]))
    rmse = float(np.sqrt(squares.mean()))
    return rmse, float(low), float(high), float(np.sqrt(spreads.mean())) / rmse, inside


def row(name: str, run: Callable[[], Fields], test: xr.Dataset) -> None:
    began = time.perf_counter()
    fields = run()
    rate = test.sizes["time"] / (time.perf_counter() - began)
    rmse, low, high, spread, inside = summary(fields, test)
    print(
        f"{name:<16}{rmse:>9.4f}{f'{low:.4f} to {high:.4f}':>18}{spread:>8.2f}{inside:>9.1%}"
        f"{rate:>10.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
