"""What `import xocean_ml` costs on top of `import xarray`; the bar is 0.1 s.

    python benchmarks/import_time.py

Each import is timed inside a fresh interpreter, the two in turn, so that a busy machine slows both;
the median of ten pairs is told. `dask.array` stands for what is not imported.
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median, quantiles

RUNS = 10
BAR = 0.1  # s
CODE = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
MODULES = ("xarray", "xocean_ml", "dask.array")


def seconds(module: str) -> float:
    """Time of one import in a fresh interpreter."""
    command = [sys.executable, "-c", CODE.format(module)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Time the imports and print the table."""
    for module in MODULES:
        seconds(module)  # the first reads from disk and compiles
    runs = [{module: seconds(module) for module in MODULES} for _ in range(RUNS)]
    print(f"{'import':<20} {'median s':>9} {'quartiles s':>15}")
    columns = {module: [run[module] for run in runs] for module in MODULES}
    columns["xocean_ml - xarray"] = [run["xocean_ml"] - run["xarray"] for run in runs]
    for name, times in columns.items():
        low, _, high = quantiles(times, n=4)
        print(f"{name:<20} {median(times):9.3f} {low:7.3f} {high:7.3f}")
    cost = median(columns["xocean_ml - xarray"])
    print(f"\nbar: at most {BAR} s; {'kept' if cost <= BAR else 'MISSED'}")


if __name__ == "__main__":
    main()
