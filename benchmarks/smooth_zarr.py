"""Smooth a large Zarr store to Zarr on a small dask cluster: memory, time, a killed worker.

    python benchmarks/smooth_zarr.py --size 10            # GB, both chunkings
    python benchmarks/smooth_zarr.py --size 1 --kill      # a worker dies on the way

Peak memory is the largest resident size of any worker, sampled ten times a second. The killed run
is compared bit by bit with an unkilled one. "copy" writes the store unchanged: what reading and
writing alone cost.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import psutil
import xarray as xr

import xocean_ml  # noqa: F401

LAT, LON = 360, 720


def make(path: Path, gigabytes: float, chunks: dict[str, int]) -> None:
    """Write increments of noise as float32; only one block is in memory at a time."""
    levels = 8
    steps = max(24, round(gigabytes * 1e9 / (4 * levels * LAT * LON)))
    sizes = {"time": steps, "depth": levels, "lat": LAT, "lon": LON}
    block = {name: min(chunks.get(name, size), size) for name, size in sizes.items()}
    times = xr.date_range("1960-01-01", periods=steps, freq="MS")
    rng = da.random.default_rng(0)
    noise = rng.standard_normal(tuple(sizes.values()), chunks=tuple(block.values()), dtype="f4")
    ds = xr.Dataset(
        {"dT": (tuple(sizes), noise)},
        {
            "time": times,
            "depth": (
                "depth",
                np.linspace(5.0, 1500.0, levels),
                {"units": "m", "positive": "down"},
            ),
            "lat": ("lat", np.linspace(-89.75, 89.75, LAT), {"units": "degrees_north"}),
            "lon": ("lon", np.arange(LON) * 360 / LON, {"units": "degrees_east"}),
        },
    )
    ds.depth.attrs |= {"standard_name": "depth", "positive": "down"}
    ds.dT.attrs = {
        "standard_name": "change_over_time_in_sea_water_potential_temperature",
        "units": "K",
    }
    # Noise does not compress: storing it raw keeps the benchmark about us.
    ds.to_zarr(path, mode="w", encoding={"dT": {"compressors": None}}, consolidated=False)


class Watch:
    """Largest resident size of any worker process while the block runs."""

    def __init__(self, cluster) -> None:
        self.cluster, self.peak, self.done = cluster, 0, threading.Event()

    def __enter__(self) -> Watch:
        self.thread = threading.Thread(target=self._sample, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error) -> None:
        self.done.set()
        self.thread.join()

    def _sample(self) -> None:
        while not self.done.wait(0.1):
            for pid in pids(self.cluster):
                try:
                    self.peak = max(self.peak, psutil.Process(pid).memory_info().rss)
                except psutil.Error:
                    continue


def pids(cluster) -> list[int]:
    """Process numbers of the workers."""
    nannies = cluster.workers.values()
    return [n.process.pid for n in nannies if getattr(n, "process", None) and n.process.pid]


def run(source: Path, target: Path, over: str, model: dict, kill_after: float | None = None):
    """Smooth a store to a store on two workers; seconds, peak memory, deaths."""
    from distributed import Client, LocalCluster

    shutil.rmtree(target, ignore_errors=True)
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, memory_limit="2GB", dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
        Watch(cluster) as watch,
    ):
        ds = xr.open_zarr(source, consolidated=False)
        if over != "copy":
            ds = ds.ml_smooth(conserve="5YS", conserve_over=over, **model)
        write = ds.drop_attrs().to_zarr(target, compute=False, consolidated=False)
        start = time.perf_counter()
        future = client.compute(write)
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(pids(cluster)[0], signal.SIGKILL)
        future.result()
        seconds = time.perf_counter() - start
        tasks = len(dict(write.__dask_graph__()))
    return seconds, watch.peak, tasks, ds.dT.data.npartitions


def fingerprint(store: Path) -> str:
    """sha256 of all chunks of the result.

    A writer that is killed may leave a file behind that was to be renamed: no part of the store.
    """
    whole = hashlib.sha256()
    for file in sorted((store / "dT" / "c").rglob("*")):
        if file.is_file() and file.suffix != ".partial":
            whole.update(str(file.relative_to(store)).encode())
            whole.update(file.read_bytes())
    return whole.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=float, default=10.0, help="GB of float32 increments")
    parser.add_argument(
        "--over", nargs="*", default=["copy", "cell"], help="copy, cell, column, global"
    )
    parser.add_argument("--chunks", nargs="*", default=["space", "step"])
    parser.add_argument("--model", default="dong", help='"dong" (decay 90 days) or "tcn"')
    parser.add_argument("--kill", action="store_true", help="kill a worker on the way")
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    dask.config.set({"distributed.scheduler.allowed-failures": 10})
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    model = {"model": options.model} | ({"decay": "90D"} if options.model == "dong" else {})
    layouts = {"space": {"lat": 36, "lon": 72}, "step": {"time": 1}}
    print(f"{options.size:g} GB float32, 2 workers of 1 thread and 2 GB (limit)")
    heads = ("seconds", 9), ("GB/s", 7), ("peak GB", 9), ("tasks/chunk", 13)
    print(f"{'chunks':<8}{'over':<8}" + "".join(f"{h:>{w}}" for h, w in heads) + "  result")
    try:
        for layout in options.chunks:
            source = folder / f"{layout}.zarr"
            make(source, options.size, layouts[layout])
            for over in options.over:
                seconds, peak, tasks, chunks = run(source, folder / "out.zarr", over, model)
                word = "written"
                if options.kill:
                    print_row(layout, over, options.size, seconds, peak, tasks / chunks, word)
                    before = fingerprint(folder / "out.zarr")
                    seconds, peak, tasks, chunks = run(
                        source, folder / "out.zarr", over, model, kill_after=seconds * 0.4
                    )
                    same = fingerprint(folder / "out.zarr") == before
                    word = "killed one: " + ("bit-identical" if same else "DIFFERS")
                print_row(layout, over, options.size, seconds, peak, tasks / chunks, word)
            shutil.rmtree(source)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def print_row(layout, over, size, seconds, peak, tasks, word) -> None:
    row = (
        f"{layout:<8}{over:<8}{seconds:>9.1f}{size / seconds:>7.2f}{peak / 1e9:>9.2f}{tasks:>13.2f}"
    )
    print(f"{row}  {word}", flush=True)


if __name__ == "__main__":
    main()
