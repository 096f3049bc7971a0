"""Conservation sums beside what a user would pick instead: time and error of each.

    python benchmarks/sums.py [--gpu] [--small]

Times are the best of several runs in one process; errors are relative to the sum of |w x|, against
`math.fsum` of the float64 products. Ratios are to xarray's weighted sum in the same run.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numpy as np
import xarray as xr

from xocean_ml.kernels import segment_sums


def best(call: Callable[[], object], runs: int = 7) -> float:
    """Least seconds of several calls, after one to warm up."""
    call()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def fields(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Float32 values, a third of them on land, and float64 cell areas."""
    random = np.random.default_rng(0)
    values = random.normal(size=shape).astype("f4")
    values[:, random.random(shape[1:]) < 1 / 3] = np.nan
    latitude = np.linspace(-89.9, 89.9, shape[1])[:, None]
    return values, np.cos(np.deg2rad(latitude)) * random.uniform(0.9, 1.1, shape[1:])


def reference(values: np.ndarray, area: np.ndarray) -> tuple[list[float], list[float]]:
    """Sums of w x and of |w x| for each time."""
    sums, scales = [], []
    for field in values:
        terms = (field * area)[np.isfinite(field)].tolist()
        sums.append(math.fsum(terms))
        scales.append(math.fsum(map(abs, terms)))
    return sums, scales


def maps(shape: tuple[int, int, int]) -> None:
    """One number for each time."""
    values, area = fields(shape)
    expect, scale = reference(values, area)
    array = xr.DataArray(values, dims=("time", "lat", "lon"))
    weights = xr.DataArray(area, dims=("lat", "lon"))
    single = area.astype("f4")
    contenders = {
        "xarray weighted.sum": lambda: array.weighted(weights).sum(("lat", "lon")).values,
        "segment_sums, 1 thread": lambda: segment_sums(values, area, reduce=(1, 2)).value(),
        "segment_sums, 2 threads": lambda: segment_sums(
            values, area, reduce=(1, 2), threads=2
        ).value(),
        "np.nansum, float64": lambda: np.nansum(values * area, axis=(1, 2)),
        "np.nansum, float32": lambda: np.nansum(values * single, axis=(1, 2)),
        "np.einsum, float64": lambda: np.einsum(
            "tyx,yx->t", np.where(np.isnan(values), 0, values), area
        ),
    }
    print(f"\n{shape} float32 with NaN, float64 area -> one number a time")
    print(f"{'':26}{'ms':>9}{'ratio':>8}{'error':>10}")
    base = 0.0
    for name, call in contenders.items():
        seconds = best(call)
        base = base or seconds
        error = np.max(np.abs(call() - np.array(expect)) / scale)
        print(f"{name:26}{1e3 * seconds:9.1f}{base / seconds:8.1f}{error:10.1e}")


def cells(shape: tuple[int, int], dtype: str, n_segments: int = 20) -> None:
    """Sums over time windows of every cell."""
    values = np.random.default_rng(0).normal(size=shape).astype(dtype)
    segments = np.arange(shape[0]) * n_segments // shape[0]
    each = shape[0] // n_segments
    whole = each * n_segments == shape[0]
    contenders = {
        "segment_sums, 1 thread": lambda: segment_sums(values, None, segments),
        "segment_sums, 2 threads": lambda: segment_sums(values, None, segments, threads=2),
        "... and value()": lambda: segment_sums(values, None, segments, threads=2).value(),
    }
    if whole:
        contenders["np.nansum, float64"] = lambda: np.nansum(
            values.reshape(n_segments, each, -1), axis=1, dtype="f8"
        )
    print(f"\n{shape} {dtype} -> {n_segments} time windows of every cell")
    print(f"{'':26}{'ms':>9}{'ns/value':>10}")
    for name, call in contenders.items():
        seconds = best(call, 3)
        print(f"{name:26}{1e3 * seconds:9.1f}{1e9 * seconds / values.size:10.2f}")


def device(shape: tuple[int, int, int]) -> None:
    """Share of the bandwidth of a device copy; values are repeated to outlast the launches."""
    import cupy

    values, area = (cupy.asarray(each) for each in fields(shape))
    values = cupy.tile(values, (16, 1, 1))
    copy = cupy.empty_like(values)

    def timed(call: Callable[[], object]) -> float:
        def run() -> None:
            call()
            cupy.cuda.Device().synchronize()

        return best(run)

    moved = 2 * values.nbytes / timed(lambda: cupy.copyto(copy, values))
    print(f"\n{values.shape} float32 on the device; copy {moved / 1e9:.0f} GB/s")
    print(f"{'':26}{'ms':>9}{'GB/s':>8}{'share':>8}")
    depth = cupy.ascontiguousarray(values.reshape(values.shape[0], -1))
    windows = np.arange(values.shape[0]) // 12
    for name, call in {
        "rows": lambda: segment_sums(values, area, reduce=(1, 2)),
        "columns": lambda: segment_sums(depth, None, windows),
    }.items():
        seconds = timed(call)
        speed = values.nbytes / seconds
        print(f"{name:26}{1e3 * seconds:9.2f}{speed / 1e9:8.0f}{speed / moved:8.0%}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gpu", action="store_true", help="also on the device, with cupy")
    parser.add_argument("--small", action="store_true", help="a sixteenth of the size")
    options = parser.parse_args()
    cut = 4 if options.small else 1
    shape = (12, 1080 // cut, 2160 // cut)
    maps(shape)
    for dtype in ("f4", "f8"):
        cells((1200, 100_000 // cut**2), dtype)
    if options.gpu:
        device(shape)


if __name__ == "__main__":
    main()
