"""The CUDA kernels give the bits of the CPU: under numba's simulator, and on a device.

The simulator must be chosen before numba is imported: so a child process sums the cases on the
simulated device, and the tests compare its state with the CPU's.
"""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

FIELDS = ("bins", "limbs", "carries", "counts", "flags")


def wide(shape, seed=0):
    """Values and weights over forty powers of ten, a third of the values missing."""
    random = np.random.default_rng(seed)
    values = random.normal(size=shape) * 10.0 ** random.integers(-20, 20, shape)
    values[random.random(shape) < 0.3] = np.nan
    weights = random.normal(size=shape[1:])
    weights[..., 0] = 0
    return values, weights


def cases():
    """Return values, weights, segments, summed axes, absolute, by name."""
    cube, area = wide((3, 3, 50))
    extremes = cube.copy()
    extremes[0, 0, :3] = 1.7e308, -1.6e308, 1e-310
    extremes[1, 2, 4], extremes[2, 1, 7] = 5e-324, -np.inf
    long, _ = wide((2, 1, 700))
    return {
        "rows": (cube, area, [0, 1, 2], (1, 2), False),
        "rows of one weight": (cube, area[:, 1:2], [1, 0, 1], (1, 2), True),
        "single": (cube.astype("f4"), area, [0, -1, 0], (1, 2), False),
        "columns": (cube, area, [1, -1, 1], (), False),
        "columns over depth": (cube, None, [0, 1, 0], (1,), False),
        "extreme rows": (extremes, None, [0, 1, 0], (1, 2), False),
        "extreme columns": (extremes, None, [0, 0, 2], (1,), False),
        "many parts": (long, None, [0, 0], (1, 2), False),
        "transposed": (np.asfortranarray(cube), area, [0, 1, 1], (1,), False),
        "nothing": (cube[:, :0], None, [0, 1, 1], (1,), False),
    }


def simulate(path: str) -> None:
    """Sum every case with the CUDA kernels and save the states; runs in the child."""
    from xocean_ml.kernels import _cuda
    from xocean_ml.kernels._layout import Layout, pad_weights

    _cuda.THREADS, _cuda.BATCH, _cuda.MANY_BLOCKS = (
        8,
        4,
        4,
    )  # the simulator runs a Python thread for each CUDA thread
    states = {}
    for name, (values, weights, segments, reduce, absolute) in cases().items():
        padded = pad_weights(np.asarray(1.0 if weights is None else weights), values.shape)
        layout = Layout.of(values, padded, 0, reduce)
        steps, n = np.array(segments), max(segments) + 1
        sums = _cuda.sums(values, padded, steps, n, layout, absolute, xp=np)
        for each in FIELDS:
            states[f"{name}/{each}"] = getattr(sums, each)
    np.savez(path, **states)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """States that the simulated device gave."""
    path = tmp_path_factory.mktemp("cuda") / "states.npz"
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    subprocess.run([sys.executable, __file__, str(path)], env=environment, check=True)
    return np.load(path)


@pytest.mark.parametrize("name", cases())
def test_simulated_device_gives_the_bits_of_the_cpu(simulated, name):
    from xocean_ml.kernels import segment_sums

    values, weights, segments, reduce, absolute = cases()[name]
    cpu = segment_sums(values, weights, segments, reduce=reduce, absolute=absolute)
    for each in FIELDS:
        expect = getattr(cpu, each)
        np.testing.assert_array_equal(simulated[f"{name}/{each}"].reshape(expect.shape), expect)


@pytest.mark.gpu
@pytest.mark.parametrize("name", cases())
def test_device_gives_the_bits_of_the_cpu(name):
    cupy = pytest.importorskip("cupy")
    if not cupy.cuda.is_available():
        pytest.skip("no CUDA device")
    from xocean_ml.kernels import segment_sums

    values, weights, segments, reduce, absolute = cases()[name]
    options = {"reduce": reduce, "absolute": absolute}
    cpu = segment_sums(values, weights, segments, **options)
    gpu = segment_sums(cupy.asarray(values), weights, segments, **options)
    for each in FIELDS:
        np.testing.assert_array_equal(cupy.asnumpy(getattr(gpu, each)), getattr(cpu, each))
    np.testing.assert_array_equal(cupy.asnumpy(gpu.value()), cpu.value())


if __name__ == "__main__":
    simulate(sys.argv[1])
