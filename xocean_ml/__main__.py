"""`python -m xocean_ml`: a tour on data that it makes itself, or on a user's own file."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from xocean_ml.errors import XOceanError

__all__ = ["main"]

DESCRIPTION = """\
A tour of what xocean_ml does.

Without --input: a small reanalysis is simulated whose true increments are known, and smoothed;
coarse maps of a simulated surface are brought to a finer grid; and the fields of a simulated
climate are recovered from a part of two of them; members of an ocean's surface are drawn from what
satellites see of it. All are scored against the truth. With --input,
your own increments are smoothed. A NetCDF file and a figure of each, smoothed.nc and smoothing.png
and so on, are written to the output folder.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tour and return the exit code: 0, or 2 if the input or a folder is no good.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the command line by default.
    """
    options = _parser().parse_args(argv)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            _run(options.input, options.output)
        except (XOceanError, OSError) as error:
            print(f"xocean_ml: {_message(error)}", file=sys.stderr)
            return 2
    told = dict.fromkeys(str(each.message) for each in caught if each.category is UserWarning)
    for message in told:
        print(f"note: {message}", file=sys.stderr)
    return 0


def _run(path: str | None, output: Path) -> None:
    from xocean_ml import tour  # here, so that --help is at once

    output.mkdir(parents=True, exist_ok=True)
    if path is None:
        tour.twin(output)
        print("\n" + "-" * 96 + "\n")
        tour.surface(output)
        print("\n" + "-" * 96 + "\n")
        tour.climate(output)
        print("\n" + "-" * 96 + "\n")
        tour.ensemble(output)
    else:
        tour.own(path, output)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m xocean_ml",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--input", metavar="FILE", help="NetCDF file or Zarr store with your own increments"
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        default=Path("xocean_ml_tour"),
        help="folder to write to, made if need be (default: %(default)s)",
    )
    return parser


def _message(error: Exception) -> str:
    """All that went wrong, one line each."""
    if isinstance(error, ExceptionGroup):
        return "\n  - ".join([error.message, *map(str, error.exceptions)])
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
