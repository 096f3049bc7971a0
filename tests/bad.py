"""A row in a table of bad input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import xarray as xr


@dataclass(frozen=True)
class Bad:
    """One bad call.

    Parameters
    ----------
    ds : callable
        Makes the input.
    error : type
        What is raised: exactly this.
    says : tuple of str
        What the message names.
    options : dict
        Of the call; callables are given a folder.
    late : bool
        Whether it can be told only when a lazy result is computed.
    """

    ds: Callable[[], xr.Dataset]
    error: type[Exception]
    says: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    late: bool = False


def bad(
    name: str,
    ds: Callable[[], xr.Dataset],
    error: type[Exception],
    /,
    *says: str,
    late: bool = False,
    **options: Any,
) -> Any:
    return pytest.param(Bad(ds, error, says, options, late), id=name)
