"""Downscaling of real fields: altimetry of the Mediterranean, sea surface temperature of the globe.

    python benchmarks/downscale_real.py --data DIR                       # trains: an hour or so
    python benchmarks/downscale_real.py --data DIR --parts anomaly --steps 500

DIR holds ``ssh_med_2005.nc`` and ``sst_cobe_1950_1989.nc``. Each part trains on the first times,
leaves a gap, and tests on the last. Errors are over all sea cells, coast included, as a ratio to
bicubic on the same coarse field (area means over the sea); 95 % intervals are by bootstrap of
blocks of times. "closed" is bicubic led back to the coarse means. "bicubic + mean error" takes off
the mean error that bicubic made in training: what memory of the basin alone gives (nothing, for
anomalies). "conservative" is a field linear within each coarse cell with central differences as
slopes, which keeps cell means (second-order conservative regridding, Jones 1999).

anomaly   height less its mean over the training times, x4; and x2, x8 with the same weights
full      absolute height, x4
withheld  anomaly, x4, trained west of 15 degrees east and tested east of it
sst       monthly sea surface temperature, x4
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import xarray as xr

import xocean_ml  # noqa: F401
from xocean_ml.downscaling.coarsen import coarsen

PARTS = ("anomaly", "full", "withheld", "sst")
KINDS = ("liif", "glio")
BLOCK = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--parts", nargs="*", default=list(PARTS), choices=PARTS)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--checkpoint", type=Path, default=None, help="folder")
    options = parser.parse_args()
    for part in options.parts:
        train, test, scales = cases(options.data, part)
        for kind in options.kinds:
            kept = options.checkpoint and options.checkpoint / f"{part}-{kind}.safetensors"
            model = train.downscale.fit(
                kind, factor=(2, 8), fields=key(train), steps=options.steps, checkpoint=kept
            )
            for scale in scales:
                print(f"{part:<9} x{scale:<3} {kind:<5}", score(model, train, test, scale))


def key(ds: xr.Dataset) -> dict[str, str]:
    names = {"sst": "sea_surface_temperature", "sla": "sea_level_anomaly"}
    (name,) = ds.data_vars
    return {names.get(str(name), "sea_surface_height_above_geoid"): str(name)}


def cases(data: Path, part: str) -> tuple[xr.Dataset, xr.Dataset, tuple[int, ...]]:
    """What is trained on, what is tested on, and at which scales."""
    if part == "sst":
        ds = xr.open_dataset(data / "sst_cobe_1950_1989.nc")[["sst"]].load()
        ds = ds.assign(sst=ds["sst"].where(ds["sst"] > -5).astype("f4"))
        ds["sst"].attrs = {"standard_name": "sea_surface_temperature", "units": "degC"}
        return ds.isel(time=slice(0, 360)), ds.isel(time=slice(372, None, 6)), (4,)
    ds = xr.open_dataset(data / "ssh_med_2005.nc")[["adt"]].load()
    ds = ds.assign(adt=ds["adt"].astype("f4").assign_attrs(units="m"))
    first, last = slice(0, 60), slice(76, 91)
    if part == "full":
        return ds.isel(time=first), ds.isel(time=last), (4,)
    ds = ds.rename(adt="sla")
    ds["sla"] = (ds["sla"] - ds["sla"].isel(time=first).mean("time")).assign_attrs(units="m")
    train, test = ds.isel(time=first), ds.isel(time=last)
    if part == "withheld":
        return train.sel(longitude=slice(None, 15)), test.sel(longitude=slice(15, None)), (4,)
    return train, test, (4, 2, 8)


def score(model, train: xr.Dataset, test: xr.Dataset, scale: int) -> str:
    """Ratios to bicubic, with the rivals'."""
    (name,) = test.data_vars
    trained, tested = (trimmed(each, scale) for each in (train, test))
    errors = {}
    for label, ds in (("train", trained), ("test", tested)):
        out = coarsen(ds, scale).downscale("bicubic", like=ds, fields={"field": name})
        errors[label] = (out[name].transpose(*ds[name].dims) - ds[name]).astype("f8")
    base = errors["test"]
    coarse = coarsen(tested, scale)
    made = coarse.downscale(model, like=tested, fields=key(tested))[name]
    closed = coarse.downscale("bicubic", like=tested, fields={"field": name}, conserve=True)[name]
    dims = tested[name].dims
    told = {
        "conservative": conservative(coarse[name], tested[name], scale) - tested[name],
        "model": made.transpose(*dims) - tested[name],
        "bicubic closed": closed.transpose(*dims) - tested[name],
    }
    if trained.sizes == {**tested.sizes, "time": trained.sizes["time"]}:
        told["bicubic + mean error"] = base - errors["train"].mean("time")
    return ", ".join(f"{label} {ratio(each, base)}" for label, each in told.items())


def conservative(coarse: xr.DataArray, like: xr.DataArray, scale: int) -> xr.DataArray:
    """Linear within each coarse cell, by central differences; no slope beside land."""
    for dim in like.dims[-2:]:
        coarse = coarse.sortby(dim, ascending=bool(like[dim][1] > like[dim][0]))
    values = coarse.transpose(*like.dims).values.astype("f8")
    fine = values.repeat(scale, -1).repeat(scale, -2)
    places = (np.arange(scale) + 0.5) / scale - 0.5
    for axis in (-1, -2):
        slope = np.nan_to_num(np.roll(values, -1, axis) - np.roll(values, 1, axis)) / 2
        slope.swapaxes(axis, -1)[..., [0, -1]] = 0.0
        slope = slope.repeat(scale, -1).repeat(scale, -2).swapaxes(axis, -1)
        fine += (slope * np.tile(places, values.shape[axis])).swapaxes(axis, -1)
    return like.copy(data=fine)


def trimmed(ds: xr.Dataset, scale: int) -> xr.Dataset:
    """Whole coarse cells only."""
    dims = {d: n - n % scale for d, n in ds.sizes.items() if d != "time"}
    return ds.isel({d: slice(0, n) for d, n in dims.items()})


def ratio(error: xr.DataArray, base: xr.DataArray, samples: int = 500) -> str:
    """Pooled ratio of root mean squares, and its interval over blocks of times."""
    both = np.isfinite(error) & np.isfinite(base)
    sums = np.stack(
        [
            ((e**2).where(both))
            .sum(("latitude", "longitude") if "latitude" in e.dims else ("lat", "lon"))
            .values
            for e in (error, base)
        ],
        1,
    )
    number = -(-len(sums) // BLOCK)
    blocks = np.stack([sums[i * BLOCK : (i + 1) * BLOCK].sum(0) for i in range(number)])
    rng = np.random.default_rng(0)
    drawn = blocks[rng.integers(number, size=(samples, number))].sum(1)
    low, high = np.quantile(np.sqrt(drawn[:, 0] / drawn[:, 1]), [0.025, 0.975])
    total = sums.sum(0)
    return f"{np.sqrt(total[0] / total[1]):.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
