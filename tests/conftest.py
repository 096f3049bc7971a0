"""Shared fixtures. Real data are never needed: tests that use them skip where they are missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REALDATA = Path(os.environ.get("XOCEAN_ML_REALDATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Folder of real files; skips the test where it is missing."""
    if not REALDATA.is_dir():
        pytest.skip(f"real data not found at {REALDATA}")
    return REALDATA
