"""What downscaling costs: LIIF folded and plain, the accessor over the network, a global field.

    python benchmarks/downscale_speed.py            # one thread
    python benchmarks/downscale_speed.py --globe    # 1/4 to 1/12 degree, in a process of its own

The plain formula of LIIF is that of the tests (``tests/plain_liif.py``): the same weights, features
gathered for each output cell. Times are the best of several; cells are those of the output.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from smooth_overhead import best

import xocean_ml as xo
from xocean_ml.downscaling.learned import Learned
from xocean_ml.kernels.lattice import regular
from xocean_ml.networks.liif import LIIF
from xocean_ml.networks.where import where

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--globe", action="store_true")
    parser.add_argument("--model", default="glio")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.globe:
        globe(options.model)
        return
    folding()
    overhead(options.model)


def folding() -> None:
    """LIIF of the paper's size, 16 x 16 to 432 x 432."""
    from plain_liif import plain

    torch.manual_seed(0)
    network = LIIF(1).eval()
    torch.nn.init.normal_(network.leave.weight, std=0.1)
    lattice, coarse = regular((16, 16), 27), torch.randn(1, 2, 16, 16)
    with torch.inference_mode():
        first = best(lambda: plain(network, coarse, lattice), 3)
        second = best(lambda: network(coarse, None, where(lattice)), 3)
        # The plain formula's features are large: band by band they stay in the cache, as ours do.
        parts = [lattice.window(slice(i, i + 18), slice(None)) for i in range(0, 432, 18)]
        third = best(lambda: [plain(network, coarse, part) for part in parts], 3)
    cells = 432 * 432
    print("LIIF 64 x 16 encoder, 4 x 256 perceptron, 16 x 16 to 432 x 432, one thread")
    for name, spent in {"plain": first, "plain, in bands": third, "folded": second}.items():
        told = f"{spent:7.2f} s {cells / spent:12,.0f} cells/s"
        print(f"{name:<16}{told}, {spent / second:.2f} of the folded")


def overhead(name: str) -> None:
    """The accessor on numpy data over the network's forward pass on the same tensors."""
    model = xo.load(name)
    assert isinstance(model, Learned)
    times, side, factor = 8, 48, 6
    ds = ocean(times, side, side, 0.5)
    guide = ocean(times, side * factor, side * factor, 0.5 / factor, "sst")
    given = {"guide": guide} if model.guided else {}
    coarse = torch.from_numpy(model.coarse(ds["sla"].values[:, None]))
    fine = torch.from_numpy(model.guide(guide["sst"].values[:, None])) if model.guided else None
    places = where(regular((side, side), factor))

    def bare() -> None:
        with torch.inference_mode():
            for k in range(times):
                pick = None if fine is None else fine[k : k + 1]
                model.network(coarse[k : k + 1], pick, places)

    import dask

    with dask.config.set(num_workers=1):
        one, two = best(bare, 3), best(lambda: ds.downscale(model, factor=factor, **given), 3)
    cells = times * (side * factor) ** 2
    print(f"\n{model!r}, {times} x {side} x {side} to x{factor}, one thread")
    print(f"network  {one:6.2f} s {cells / one:12,.0f} cells/s")
    print(f"accessor {two:6.2f} s {cells / two:12,.0f} cells/s, {two / one:.3f} of the network")


def globe(name: str) -> None:
    """One global field at a quarter of a degree to a twelfth, and the memory it takes."""
    ds = ocean(1, 720, 1440, 0.25)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    start = time.perf_counter()
    ds.downscale(name, factor=3)
    spent = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    sizes = "720 x 1440 to 2160 x 4320"
    print(f"{name}: {sizes} in {spent:.0f} s, peak {peak:.2f} GB ({before:.2f} before)")


def ocean(times: int, rows: int, columns: int, step: float, name: str = "sla") -> xr.Dataset:
    """Noise with the right names."""
    told = {
        "sla": {"standard_name": "sea_surface_height_above_mean_sea_level", "units": "m"},
        "sst": {"standard_name": "sea_surface_temperature", "units": "degC"},
    }
    values = np.random.default_rng(0).normal(size=(times, rows, columns)).astype("f4")
    lat = (np.arange(rows) - (rows - 1) / 2) * step
    lon = (np.arange(columns) - (columns - 1) / 2) * step
    return xr.Dataset(
        {name: (("time", "lat", "lon"), values, told[name])},
        {
            "time": xr.date_range("2000-01-01", periods=times),
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
    )


if __name__ == "__main__":
    main()
