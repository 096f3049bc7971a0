"""The loops behind `xocean_ml.kernels.kalman`, cell by cell; imported on first use."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_jit = numba.njit(nogil=True, cache=True, error_model="numpy")

KNOWN, LOST = 1, 2
STEP = 1e-5  # of a logarithm, for derivatives: rounding and curvature both cost some 1e-6


@_jit
def _over(law: Any, lengths: Any, table: Any) -> None:
    """What each length of step does: phi, rho, noise, shock, filter's growth."""
    for i in range(len(lengths)):
        dt = lengths[i]
        rho = np.exp(-dt * np.exp(-law[1]))
        table[i, 0] = np.exp(-dt * np.exp(-law[3]))
        table[i, 1] = rho
        table[i, 2] = np.exp(2 * law[2]) * dt
        table[i, 3] = np.exp(2 * law[0]) * (1 - rho * rho)
        table[i, 4] = np.exp(2 * law[5]) * dt


@_jit
def _gains(
    law: Any, table: Any, state: Any, counts: Any, spread: Any, kind: Any, loose: float,
    error: float, gain: Any, variance: Any, apart: Any, size: Any,
) -> None:  # fmt: skip
    """Run the filter that made the increments; `apart` is log(spread^2) less what it expects."""
    error2, ratio2 = np.exp(2 * law[4]), np.exp(2 * law[6])
    analysis = np.exp(2 * law[5] + law[3]) / 2
    for k in range(len(kind)):
        phi, growth = table[kind[k], 0], table[kind[k], 4]
        forecast = phi * phi * analysis + growth
        gain[k], variance[k], size[k] = 0.0, np.inf, 0.0
        analysis = forecast
        if state[k] == 0:
            continue
        assumed = error2 / counts[k]
        if spread[k] > 0:
            left = assumed / (forecast + assumed)
            apart[k] = 2 * np.log(spread[k] / forecast) + np.log(forecast + assumed)
            size[k] = (left * loose) ** 2 + error * error
            assumed *= np.exp(-left * loose * loose / size[k] * apart[k])
        gain[k] = forecast / (forecast + assumed)
        variance[k] = ratio2 * assumed
        analysis = (1 - gain[k]) * forecast


@_jit
def _start(law: Any) -> Any:
    """var(e), cov(e, b), var(b) of a model that has run freely for ever."""
    var_b = np.exp(2 * law[0])
    cov = var_b / (np.exp(-law[1]) + np.exp(-law[3]))
    return (2 * cov + np.exp(2 * law[2])) * np.exp(law[3]) / 2, cov, var_b


@_jit
def _innovations(
    law: Any, table: Any, lengths: Any, kind: Any, increment: Any, state: Any,
    gain: Any, variance: Any, surprise: Any, size: Any,
) -> None:  # fmt: skip
    """Increment less its forecast, and the variance of that, where the increment is known."""
    p_ee, p_eb, p_bb = _start(law)
    e = b = 0.0
    for k in range(len(kind)):
        dt = lengths[kind[k]]
        phi, rho, noise, shock = (
            table[kind[k], 0],
            table[kind[k], 1],
            table[kind[k], 2],
            table[kind[k], 3],
        )
        b = rho * b
        e = phi * e + dt * b
        p_bb = rho * rho * p_bb + shock
        p_eb = phi * rho * p_eb
        p_ee = phi * phi * p_ee + 2 * dt * p_eb + dt * dt * p_bb + noise
        p_eb = p_eb + dt * p_bb
        size[k] = 0.0
        if state[k] == KNOWN:
            total = p_ee + variance[k]
            innovation = increment[k] / gain[k] - e
            surprise[k] = gain[k] * innovation
            size[k] = gain[k] * gain[k] * total
            to_e, to_b = p_ee / total, p_eb / total
            e += to_e * innovation - increment[k]
            b += to_b * innovation
            p_bb -= to_b * p_eb
            p_ee, p_eb = (1 - to_e) * p_ee, (1 - to_e) * p_eb
        elif state[k] == LOST:
            left = 1 - gain[k]
            e *= left
            p_ee = left * left * p_ee + gain[k] * gain[k] * variance[k]
            p_eb *= left


@_jit
def all_gains(
    law: Any, increment: Any, state: Any, counts: Any, spread: Any, lengths: Any, kind: Any,
    loose: Any, error: Any, gain: Any, variance: Any,
) -> None:  # fmt: skip
    table = np.empty((len(lengths), 5))
    apart, size = np.empty(len(kind)), np.empty(len(kind))
    for c in range(len(law)):
        _over(law[c], lengths, table)
        _gains(law[c], table, state[c], counts[c], spread[c], kind, loose[c], error[c],
               gain[c], variance[c], apart, size)  # fmt: skip


@_jit
def score(
    law: Any, increment: Any, state: Any, counts: Any, spread: Any, lengths: Any, kind: Any,
    loose: Any, error: Any, active: Any,
    value: Any, gradient: Any, information: Any, misfit: Any,
) -> None:  # fmt: skip
    many, steps = len(active), len(kind)
    table = np.empty((len(lengths), 5))
    gain, variance = np.empty(steps), np.empty(steps)
    # Two measurements a step, each what it is less what was expected and the variance of that:
    # the increment, and the logarithm of its spread. A row for each shifted parameter.
    off, size = np.empty((2, many + 1, steps)), np.zeros((2, many + 1, steps))
    one = np.empty(law.shape[1])
    for c in range(len(law)):
        for i in range(many + 1):
            one[:] = law[c]
            if i > 0:
                one[active[i - 1]] += STEP
            _over(one, lengths, table)
            _gains(one, table, state[c], counts[c], spread[c], kind, loose[c], error[c],
                   gain, variance, off[1, i], size[1, i])  # fmt: skip
            _innovations(one, table, lengths, kind, increment[c], state[c],
                         gain, variance, off[0, i], size[0, i])  # fmt: skip
        for which in range(2):
            value[c] += _gaussian(off[which], size[which], gradient[c], information[c])
        misfit[c] = _mean_square(off[1, 0], size[1, 0])


@_jit
def _gaussian(off: Any, size: Any, gradient: Any, information: Any) -> float:
    """Log-density of `off`, of variances `size` (0: none); adds to gradient and information."""
    many = len(gradient)
    slope, slope2 = np.empty(many), np.empty(many)
    value = 0.0
    for k in range(off.shape[1]):
        g = size[0, k]
        if g == 0:
            continue
        u = off[0, k]
        value -= 0.5 * (np.log(2 * np.pi * g) + u * u / g)
        for i in range(many):
            slope[i] = (off[i + 1, k] - u) / STEP
            slope2[i] = (size[i + 1, k] / g - 1) / STEP
        for i in range(many):
            gradient[i] += 0.5 * (u * u / g - 1) * slope2[i] - u * slope[i] / g
            for j in range(many):
                information[i, j] += slope[i] * slope[j] / g + 0.5 * slope2[i] * slope2[j]
    return value


@_jit
def _mean_square(off: Any, size: Any) -> float:
    total, used = 0.0, 0
    for k in range(len(off)):
        if size[k] > 0:
            total += off[k] * off[k]
            used += 1
    return total / used if used else np.nan


@_jit
def smooth(
    law: Any, increment: Any, state: Any, counts: Any, spread: Any, lengths: Any, kind: Any,
    loose: Any, error: Any, mean: Any, deviation: Any,
) -> None:  # fmt: skip
    steps = len(kind)
    table = np.empty((len(lengths), 5))
    gain, variance, apart, size = np.empty((4, steps))
    for c in range(len(law)):
        _over(law[c], lengths, table)
        _gains(law[c], table, state[c], counts[c], spread[c], kind, loose[c], error[c],
               gain, variance, apart, size)  # fmt: skip
        _smooth(law[c], table, lengths, kind, increment[c], state[c], gain, variance,
                mean[c], deviation[c])  # fmt: skip


@_jit
def _smooth(
    law: Any, table: Any, lengths: Any, kind: Any, increment: Any, state: Any,
    gain: Any, variance: Any, mean: Any, deviation: Any,
) -> None:  # fmt: skip
    """Forward filter, then its adjoint backward: r and N of Durbin and Koopman, section 4.4."""
    steps = len(kind)
    kept = np.empty((steps, 6))  # cov(e, b), var(b), innovation / total, 1 / total, K_e, K_b
    p_ee, p_eb, p_bb = _start(law)
    e = b = 0.0
    for k in range(steps):
        dt = lengths[kind[k]]
        phi, rho, noise, shock = (
            table[kind[k], 0],
            table[kind[k], 1],
            table[kind[k], 2],
            table[kind[k], 3],
        )
        b = rho * b
        e = phi * e + dt * b
        p_bb = rho * rho * p_bb + shock
        p_eb = phi * rho * p_eb
        p_ee = phi * phi * p_ee + 2 * dt * p_eb + dt * dt * p_bb + noise
        p_eb = p_eb + dt * p_bb
        mean[k], kept[k, 0], kept[k, 1] = b, p_eb, p_bb
        if state[k] == KNOWN:
            innovation = increment[k] / gain[k] - e
            weight = 1 / (p_ee + variance[k])
            to_e, to_b = p_ee * weight, p_eb * weight
            kept[k, 2], kept[k, 3], kept[k, 4], kept[k, 5] = innovation * weight, weight, to_e, to_b
            e += to_e * innovation - increment[k]
            b += to_b * innovation
            p_bb -= to_b * p_eb
            p_ee, p_eb = (1 - to_e) * p_ee, (1 - to_e) * p_eb
        elif state[k] == LOST:
            left = 1 - gain[k]
            e *= left
            p_ee = left * left * p_ee + gain[k] * gain[k] * variance[k]
            p_eb *= left

    r_e = r_b = 0.0
    n_ee = n_eb = n_bb = 0.0
    for k in range(steps - 1, -1, -1):
        dt = lengths[kind[k]]
        phi, rho = table[kind[k], 0], table[kind[k], 1]
        if state[k] == KNOWN:
            to_e, to_b = kept[k, 4], kept[k, 5]
            left = 1 - to_e
            r_e = kept[k, 2] + left * r_e - to_b * r_b
            n_ee = kept[k, 3] + left * left * n_ee - 2 * left * to_b * n_eb + to_b * to_b * n_bb
            n_eb = left * n_eb - to_b * n_bb
        elif state[k] == LOST:
            left = 1 - gain[k]
            r_e *= left
            n_ee *= left * left
            n_eb *= left
        cov, var = kept[k, 0], kept[k, 1]
        mean[k] = dt * (mean[k] + cov * r_e + var * r_b)
        inside = var - (cov * cov * n_ee + 2 * cov * var * n_eb + var * var * n_bb)
        deviation[k] = dt * np.sqrt(max(inside, 0.0))
        # b reaches both e and itself over the step
        n_bb = rho * rho * (dt * dt * n_ee + 2 * dt * n_eb + n_bb)
        n_eb = phi * rho * (dt * n_ee + n_eb)
        n_ee = phi * phi * n_ee
        r_e, r_b = phi * r_e, rho * (dt * r_e + r_b)
