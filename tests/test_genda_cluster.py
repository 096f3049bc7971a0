"""Members on a cluster of processes, one of which is killed meanwhile: those of one process."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

import xocean_ml as xo
from xocean_ml.generative.fit import fit


def test_the_same_members_after_a_killed_worker():
    distributed = pytest.importorskip("distributed")
    truth = xo.tutorial.open_dataset("surface").isel(latitude=slice(24), longitude=slice(24))
    small = {"channels": [16, 16], "blocks": 1, "width": 16}
    prior = fit(truth, steps=2, patch=16, sizes=small, progress=False, device="cpu")
    days = truth.isel(time=slice(6))
    random = np.random.default_rng(0)
    seen = days[["sst"]].where(random.random(days.sst.shape) < 0.3)
    options = {"error": 0.3, "like": days, "members": 10, "steps": 8}
    here = seen.genda(prior, **options)
    lazy = seen.chunk(time=1).genda(prior, **options)
    workers = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(processes=True, **workers) as cluster,
        distributed.Client(cluster) as client,
    ):
        first = client.submit(lambda: 1)  # both are up
        assert first.result() == 1
        future = client.compute(lazy[["sst", "ssh"]])
        victim = next(iter(client.run(os.getpid).values()))
        os.kill(victim, signal.SIGKILL)
        there = future.result(timeout=100)
    for name in ("sst", "ssh"):
        scale = float(truth[name].std())
        np.testing.assert_allclose(there[name] / scale, here[name] / scale, atol=1e-4)
