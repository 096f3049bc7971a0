"""What compliance-checker says of a file, without network."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import xarray as xr


def findings(path: Path) -> set[str]:
    """Return the failed cf:1.11 checks of a NetCDF file, one string for each message.

    The standard-name table is the packaged one: a file that names another version in
    `standard_name_vocabulary` would have the checker download it.
    """
    from compliance_checker.cf import util
    from compliance_checker.runner import CheckSuite

    suite = CheckSuite()
    suite.load_all_available_checkers()
    offline = mock.patch.object(util, "download_cf_standard_name_table", side_effect=OSError)
    with suite.load_dataset(str(path)) as dataset, offline:
        groups = suite.run_all(dataset, ["cf:1.11"])
    results = [result for scores, _ in groups.values() for result in scores]
    return {message for result in results for message in _failures(result)}


def findings_of(ds: xr.Dataset, path: Path) -> set[str]:
    """Write a Dataset as it is, and return the findings."""
    ds.to_netcdf(path)
    return findings(path)


def _failures(result: Any) -> set[str]:
    value = result.value
    passed = value[0] == value[1] if isinstance(value, tuple) else bool(value)
    own = set() if passed else {f"{result.name}: {msg}" for msg in result.msgs or ["failed"]}
    return own.union(*(_failures(child) for child in result.children or []))
