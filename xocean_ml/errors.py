"""Typed errors, and warnings: each says what was looked for, what was found, and what to do.

Failures of several variables are raised as one error (`raise_all`), so that a user mends a file
in one go instead of one message at a time.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from types import FrameType

__all__ = [
    "AmbiguousField",
    "FieldNotFound",
    "GridError",
    "ModelFileError",
    "UnitsError",
    "ValuesError",
    "XOceanError",
    "XOceanErrorGroup",
    "raise_all",
    "warn",
]


class XOceanError(Exception):
    """Base of every error that xocean_ml raises about its input."""


class FieldNotFound(XOceanError, LookupError):
    """No variable of the Dataset is the field that was looked for."""


class AmbiguousField(XOceanError, LookupError):
    """Several variables are the field that was looked for."""


class UnitsError(XOceanError, ValueError):
    """Units that cannot be read, or cannot be converted to what the field needs."""


class GridError(XOceanError, ValueError):
    """Coordinates or dimensions that do not fit: no time axis, unsorted times, other shapes."""


class ValuesError(XOceanError, ValueError):
    """Values that cannot be right (infinite, negative spread), raised at compute with the place."""


class ModelFileError(XOceanError, ValueError):
    """A model file that is truncated, altered, of a newer version, or of a refused format."""


class XOceanErrorGroup(XOceanError, ExceptionGroup):
    """Errors of different kinds about several variables of one Dataset."""


def raise_all(errors: Sequence[XOceanError], about: str) -> None:
    """Raise `errors` as one: nothing if there is none, the error itself if it is alone.

    Parameters
    ----------
    errors : sequence of XOceanError
        What went wrong, one for each variable.
    about : str
        What was being done, the first line of a grouped message.

    Raises
    ------
    XOceanError
        The only error; or one of the same type whose message joins all; or, where types differ,
        an `XOceanErrorGroup`.

    Examples
    --------
    >>> raise_all([UnitsError("sst: no units"), UnitsError("tas: no units")], "2 variables")
    Traceback (most recent call last):
    ...
    xocean_ml.errors.UnitsError: 2 variables
      - sst: no units
      - tas: no units
    """
    if not errors:
        return
    if len(errors) == 1:
        raise errors[0]
    kinds = {type(error) for error in errors}
    if len(kinds) > 1:
        raise XOceanErrorGroup(about, list(errors))
    lines = "\n".join(f"  - {error}" for error in errors)
    raise kinds.pop()(f"{about}\n{lines}")


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn, at the line outside the package that made the call.

    How deep that lies differs between the functions, the accessors and their plans.
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == "xocean_ml"
