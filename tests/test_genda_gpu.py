"""Members on a GPU are those of the CPU, to rounding."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import xocean_ml as xo
from xocean_ml.generative.fit import fit

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.mark.parametrize("kind", ["oi", "diffusion"])
def test_members_are_those_of_the_cpu(kind):
    truth = xo.tutorial.open_dataset("surface").isel(latitude=slice(32), longitude=slice(32))
    small = {"steps": 2, "patch": 16, "sizes": {"channels": [16, 16], "blocks": 1, "width": 16}}
    options = {} if kind == "oi" else {**small, "progress": False, "device": "cpu"}
    prior = fit(truth, kind, **options)
    one = truth.isel(time=[0])
    tracks, *others = xo.simulate.observe(one, nadirs=6, seed=2).values()
    cpu, cuda = (
        tracks.genda(prior, also=others, members=3, like=one, device=device)
        for device in ("cpu", "cuda")
    )
    for name in ("ssh", "sst", "sss", "u", "v"):
        scale = float(truth[name].std())
        np.testing.assert_allclose(cuda[name] / scale, cpu[name] / scale, atol=5e-3)
