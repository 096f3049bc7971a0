"""Single passes over columns: what runs once per value when a record is smoothed.

Arrays are (time, reduced, kept): `reduced` cells share a sum, `kept` cells do not, and lie
innermost, so that loops over them are vectorised. On the CPU each pass is one compiled loop that
releases the GIL; cupy arrays take the same sums as whole-array expressions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from xocean_ml.device import namespace, native

__all__ = ["amounts", "backward", "corrected", "scaled", "settle", "steady", "window_sums"]


def amounts(values: Any, scale: Any) -> tuple[Any, Any, bool]:
    """Increments as float64 amounts, 0 where missing.

    Parameters
    ----------
    values : array, (time, reduced, kept)
        Floats or integers of any kind.
    scale : array, (time,)
        What turns an increment into an amount.

    Returns
    -------
    amounts : array, (time, reduced, kept)
    valid : array of bool
        False where missing (NaN).
    infinite : bool
        Whether any value is infinite.
    """
    xp = namespace(values)
    if xp is np:
        values = native(values)
        if values.dtype not in (np.float32, np.float64):
            values = values.astype(np.float64)
        found, valid = np.empty(values.shape), np.empty(values.shape, np.bool_)
        return found, valid, bool(_compiled("amounts")(values, scale, found, valid))
    values = values.astype(xp.float64)
    valid = ~xp.isnan(values)
    found = xp.where(valid, values, 0.0) * scale[:, None, None]
    return found, valid, bool(xp.isinf(found).any())


def scaled(values: Any, scale: Any) -> tuple[Any, bool]:
    """Values that cannot be negative, in float64 and times a scale; NaN stays.

    Parameters
    ----------
    values : array, (time, reduced, kept)
    scale : array, (time,)

    Returns
    -------
    found : array, (time, reduced, kept)
    bad : bool
        Whether any value is negative or infinite.
    """
    xp = namespace(values)
    if xp is np:
        values = native(values)
        if values.dtype not in (np.float32, np.float64):
            values = values.astype(np.float64)
        found = np.empty(values.shape)
        return found, bool(_compiled("scaled")(values, scale, found))
    bad = bool(((values < 0) | xp.isinf(values)).any())
    return values.astype(xp.float64) * scale[:, None, None], bad


def backward(amounts: Any, valid: Any, passed: Any, inflow: Any) -> tuple[Any, Any, Any]:
    """Hand a share of what each step holds to the step before, from the last to the first.

    Parameters
    ----------
    amounts : array, (time, reduced, kept)
        What each step has of its own.
    valid : array of bool, (time, reduced, kept)
        A step that is not valid hands on all it gets.
    passed : array, (time,)
        Share that is handed on.
    inflow : array, (reduced, kept)
        What the last step gets.

    Returns
    -------
    kept, flux : array, (time, reduced, kept)
        What each step keeps, and what it got.
    outflow : array, (reduced, kept)
        What the first step hands on.
    """
    xp = namespace(amounts)
    kept, flux = xp.empty_like(amounts), xp.empty_like(amounts)
    if xp is np:
        now = np.array(inflow, dtype=np.float64)
        _compiled("backward")(amounts, valid, np.asarray(passed), now, kept, flux)
        return kept, flux, now
    now = inflow
    for k in reversed(range(amounts.shape[0])):
        flux[k] = now
        held = amounts[k] + now
        now = xp.where(valid[k], passed[k], 1.0) * held
        kept[k] = held - now
    return kept, flux, now


def window_sums(one: Any, other: Any, weights: Any, segments: np.ndarray) -> Any:
    """Weighted sums of a difference over the reduced cells and each window.

    Parameters
    ----------
    one, other : array, (time, reduced, kept)
        What is subtracted from what.
    weights : array, (time or 1, reduced, kept), broadcast where need be
        Weights.
    segments : array of int, (time,)
        Window of each step, from 0.

    Returns
    -------
    array, (windows, kept)
    """
    xp = namespace(one)
    shape = (weights.shape[0], *one.shape[1:])
    weights = xp.broadcast_to(weights, shape)
    found = xp.zeros((int(segments[-1]) + 1, one.shape[2]))
    if xp is np:
        _compiled("window_sums")(one, other, weights, segments, found)
        return found
    lacks = ((one - other) * weights).sum(axis=1)
    for window in range(found.shape[0]):
        found[window] = lacks[xp.asarray(segments == window)].sum(axis=0)
    return found


def steady(valid: Any) -> Any:
    """Which columns have the same cells missing at all steps, (kept,) of bool."""
    xp = namespace(valid)
    if xp is np:
        found = np.ones(valid.shape[2], np.bool_)
        _compiled("steady")(valid, found)
        return found
    return (valid == valid[:1]).all(axis=(0, 1))


def corrected(smoothed: Any, per: Any, extra: Any, share: Any, valid: Any, out: Any) -> None:
    """Write ``smoothed / per + extra * share`` in the units and dtype of `out`, NaN where missing.

    Parameters
    ----------
    smoothed : array, (time, reduced, kept)
        Amounts.
    per : array, (time,)
        What turns an increment into an amount.
    extra : array, (time, kept) or None
        Correction, of increments and per unit of share.
    share : array, (reduced, kept)
        How corrections are shared between reduced cells, in the units of `out`.
    valid : array of bool, (time, reduced, kept)
        Where there is a value.
    out : array, (time, reduced, kept)
        Is written to.
    """
    xp = namespace(smoothed)
    if xp is np:
        none = extra is None
        extra = np.zeros((0, 0)) if none else extra
        _compiled("corrected")(smoothed, 1.0 / per, extra, share, valid, none, out)
        return
    result = smoothed / per[:, None, None]
    if extra is not None:
        result = result + extra[:, None] * share
    out[...] = xp.where(valid, result, xp.nan)


def settle(
    out: Any, amounts: Any, valid: Any, weights: Any, units: Any, segments: np.ndarray
) -> None:
    """Give what rounding took from the sum of a window to its smallest value.

    Smoothed values may be a thousand times the raw ones of a window that is barely observed, and
    so is their rounding; the smallest value is written finely enough to take it up.

    Parameters
    ----------
    out : array, (time, reduced, kept)
        Is changed.
    amounts : array, (time, reduced, kept)
        Raw amounts, whose weighted sums are to be kept.
    valid : array of bool, (time, reduced, kept)
        Where there is a value.
    weights : array, (time or 1, reduced, kept), broadcast where need be
        Weights of the sum.
    units : array, (time,)
        What turns `out` into an amount.
    segments : array of int, (time,)
        Window of each step, ascending; -1 for one that is not settled.
    """
    xp = namespace(out)
    weights = xp.broadcast_to(weights, (weights.shape[0], *out.shape[1:]))
    if xp is np:
        _compiled("settle")(out, amounts, valid, weights, units, segments)
        return
    units = xp.asarray(units)[:, None, None]
    for window in np.unique(segments[segments >= 0]):
        at = np.flatnonzero(segments == window)
        part = slice(int(at[0]), int(at[-1]) + 1)
        cells = weights if weights.shape[0] == 1 else weights[part]
        now = xp.where(valid[part], out[part], 0.0).astype(np.float64)
        lack = ((amounts[part] - now * units[part]) * cells).sum(axis=(0, 1))
        size = xp.where(valid[part] & (cells > 0), xp.abs(now), np.inf)
        flat = size.reshape(-1, size.shape[2])
        least = flat.argmin(axis=0)
        k = xp.flatnonzero(xp.isfinite(flat.min(axis=0)))
        t, r = xp.unravel_index(least[k], size.shape[:2])
        lever = xp.broadcast_to(cells * units[part], size.shape)
        out[part][t, r, k] = (now[t, r, k] + lack[k] / lever[t, r, k]).astype(out.dtype)


@cache
def _compiled(name: str) -> Callable[..., Any]:
    import numba

    return numba.njit(nogil=True, cache=True)(_LOOPS[name])


def _amounts(values: Any, scale: Any, found: Any, valid: Any) -> bool:
    infinite = False
    for t in range(values.shape[0]):
        for r in range(values.shape[1]):
            bad = 0
            for k in range(values.shape[2]):
                x = np.float64(values[t, r, k])
                ok = x == x
                y = x * scale[t] if ok else 0.0
                found[t, r, k] = y
                valid[t, r, k] = ok
                bad += y - y != 0.0
            infinite = infinite or bad > 0
    return infinite


def _scaled(values: Any, scale: Any, found: Any) -> bool:
    wrong = False
    for t in range(values.shape[0]):
        for r in range(values.shape[1]):
            bad = 0
            for k in range(values.shape[2]):
                x = np.float64(values[t, r, k])
                found[t, r, k] = x * scale[t]
                # Infinity minus itself is not a number, but unlike a NaN it equals itself.
                bad += int(x < 0.0 or (x == x and x - x != 0.0))
            wrong = wrong or bad > 0
    return wrong


def _backward(amounts: Any, valid: Any, passed: Any, now: Any, kept: Any, flux: Any) -> None:
    for back in range(amounts.shape[0]):
        t = amounts.shape[0] - 1 - back
        share = passed[t]
        for r in range(amounts.shape[1]):
            for k in range(amounts.shape[2]):
                inflow = now[r, k]
                held = amounts[t, r, k] + inflow
                handed = share * held if valid[t, r, k] else held
                flux[t, r, k] = inflow
                kept[t, r, k] = held - handed
                now[r, k] = handed


def _window_sums(one: Any, other: Any, weights: Any, segments: Any, found: Any) -> None:
    moving = weights.shape[0] > 1
    for t in range(one.shape[0]):
        w = segments[t]
        at = t if moving else 0
        for r in range(one.shape[1]):
            for k in range(one.shape[2]):
                found[w, k] += (one[t, r, k] - other[t, r, k]) * weights[at, r, k]


def _steady(valid: Any, found: Any) -> None:
    for t in range(1, valid.shape[0]):
        for r in range(valid.shape[1]):
            for k in range(valid.shape[2]):
                found[k] &= valid[t, r, k] == valid[0, r, k]


def _corrected(
    smoothed: Any, scale: Any, extra: Any, share: Any, valid: Any, none: bool, out: Any
) -> None:
    for t in range(smoothed.shape[0]):
        for r in range(smoothed.shape[1]):
            for k in range(smoothed.shape[2]):
                x = smoothed[t, r, k] * scale[t]
                if not none:
                    x += extra[t, k] * share[r, k]
                out[t, r, k] = x if valid[t, r, k] else np.nan


def _settle(out: Any, amounts: Any, valid: Any, weights: Any, units: Any, segments: Any) -> None:
    steps, reduced, kept = out.shape
    moving = weights.shape[0] > 1
    total, rest = np.zeros(kept), np.zeros(kept)
    least, at_t, at_r = np.empty(kept), np.empty(kept, np.int64), np.empty(kept, np.int64)
    start = 0
    while start < steps:
        stop = start
        while stop < steps and segments[stop] == segments[start]:
            stop += 1
        if segments[start] >= 0:
            total[:] = 0.0
            rest[:] = 0.0
            least[:] = np.inf
            for t in range(start, stop):
                front = t if moving else 0
                for r in range(reduced):
                    for k in range(kept):
                        w = weights[front, r, k]
                        if not valid[t, r, k] or not w > 0.0:
                            continue
                        x = np.float64(out[t, r, k])
                        # Neumaier's sum: the rounding of sums must not be taken for that of values.
                        for term in (amounts[t, r, k] * w, -x * units[t] * w):
                            new = total[k] + term
                            if abs(total[k]) >= abs(term):
                                rest[k] += (total[k] - new) + term
                            else:
                                rest[k] += (term - new) + total[k]
                            total[k] = new
                        if abs(x) < least[k]:
                            least[k] = abs(x)
                            at_t[k] = t
                            at_r[k] = r
            for k in range(kept):
                if least[k] < np.inf:
                    t, r = at_t[k], at_r[k]
                    w = weights[t if moving else 0, r, k]
                    x = np.float64(out[t, r, k])
                    out[t, r, k] = x + (total[k] + rest[k]) / (units[t] * w)
        start = stop


_LOOPS: dict[str, Callable[..., Any]] = {
    "amounts": _amounts,
    "backward": _backward,
    "window_sums": _window_sums,
    "scaled": _scaled,
    "settle": _settle,
    "steady": _steady,
    "corrected": _corrected,
}
