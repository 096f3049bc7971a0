"""Draw the pictures of the documentation: `python docs/images/render.py --data DIR`.

DIR holds the Argo files that `benchmarks/smooth_argo.py` reads. The figures are made smaller, and
given a palette, so that a clone of the repository stays small. (`smooth_twin.png` takes minutes and
is written by its own benchmark, ``python benchmarks/smooth_twin.py --output docs/images``.)
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
WIDTH, COLOURS = 1200, 160


def main() -> None:
    """Run the tour and the Argo benchmark, and shrink their figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with argo/ and the atlas")
    data = parser.parse_args().data
    benchmark = HERE.parents[1] / "benchmarks" / "smooth_argo.py"
    with tempfile.TemporaryDirectory() as folder:
        argo = Path(folder, "smooth_argo.png")
        run("-m", "xocean_ml", "--output", folder)
        run(str(benchmark), "--data", str(data), "--output", str(argo))
        downscaled(Path(folder, "downscaling.png"))
        tour = ("smoothing.png", "downscaling.png", "assimilation.png", "members.png")
        for name in (*tour, "smooth_argo.png"):
            shrink(Path(folder, name), HERE / name)


def downscaled(path: Path) -> None:
    """Draw the packaged models of downscaling on the packaged sample."""
    import xocean_ml as xo
    from xocean_ml.downscaling.coarsen import coarsen

    truth = xo.tutorial.open_dataset("surface")
    coarse = coarsen(truth[["ssh"]], 9)
    models = {
        "bicubic": coarse.downscale("bicubic", like=truth).ssh,
        "alone": coarse.downscale(like=truth).ssh,
        "guided": coarse.downscale(like=truth, guide=truth[["sst"]]).ssh,
    }
    scores = {
        name: xo.metrics.downscaling(each, truth.ssh, baseline=models["bicubic"], bootstrap=0)
        for name, each in models.items()
    }
    shown = {"truth": truth.ssh, "guide": truth.sst, "scores": scores, "time": 5}
    xo.plot.downscaling(coarse.ssh, models, **shown).savefig(path)


def run(*command: str) -> None:
    """Run Python with these arguments."""
    subprocess.run([sys.executable, *command], check=True)


def shrink(source: Path, target: Path) -> None:
    """Copy a picture, narrower and with few colours."""
    with Image.open(source) as image:
        height = round(image.height * WIDTH / image.width)
        small = image.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
    # Lines are few pixels: a palette of the commonest colours alone would lose theirs.
    few = small.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=10, dither=Image.Dither.NONE)
    few.save(target, optimize=True)
    print(f"{target.name}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
