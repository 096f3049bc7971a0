"""The twin's scalar state space on plain arrays: cycles of assimilation, and the best smoother.

Every array here is ``(n,)`` or ``(time, n)``: `n` cells (levels of columns) run side by side,
each with a scalar state of its own. The equations stand in `xocean_ml.simulate.increments`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cycles", "Law", "Observed", "gains", "run_cycles", "smooth"]

Array = NDArray[np.float64]


class Step(NamedTuple):
    """The law over one step: persistence of error and drift, variances that noise adds."""

    phi: Array
    rho: Array
    noise: Array  # K2
    shock: Array  # (K/year)2


@dataclass(frozen=True, eq=False)
class Law:
    """How the error of the model's state grows in each of `n` cells.

    Parameters
    ----------
    drift : array (n,)
        Standard deviation of the slow model error b, K/year.
    drift_time : array (n,)
        Its decorrelation time, years.
    noise : array (n,)
        Intensity of the fast model error, K/year^(1/2).
    restoring : array (n,)
        Time in which the model forgets an error, years.
    """

    drift: Array
    drift_time: Array
    noise: Array
    restoring: Array
    _steps: dict[float, Step] = field(default_factory=dict, init=False, repr=False)

    def over(self, dt: float) -> Step:
        """Return the law over `dt` years."""
        if dt not in self._steps:  # a calendar has a handful of step lengths
            rho = np.exp(-dt / self.drift_time)
            self._steps[dt] = Step(
                phi=np.exp(-dt / self.restoring),
                rho=rho,
                noise=self.noise**2 * dt,
                shock=self.drift**2 * (1 - rho**2),
            )
        return self._steps[dt]

    def stationary(self) -> tuple[Array, Array, Array]:
        """Return var(e), cov(e, b), var(b) of a model that has run freely for ever."""
        var_b = self.drift**2
        cov = var_b / (1 / self.drift_time + 1 / self.restoring)
        return (2 * cov + self.noise**2) * self.restoring / 2, cov, var_b


class Observed(NamedTuple):
    """Means of a step's observations, as errors: zero, with infinite variance, where none.

    `equal` weighs all observations alike, as the assimilation does; `best` by their precision.
    """

    equal: Array  # (time, n), K
    equal_variance: Array  # (time, n), K2
    best: Array
    best_variance: Array


class Cycles(NamedTuple):
    """What the cycles leave behind, each ``(time, n)``, K."""

    increment: Array
    true: Array  # b dt
    free: Array  # z: the truth minus a model run without assimilation
    forecast_error: Array  # e: the truth minus the forecast


def gains(law: Law, dt: Array, variance: Array, assumed: Array) -> tuple[Array, Array]:
    """Gain of a scalar Kalman filter that knows of no drift.

    Parameters
    ----------
    law : Law
        Only its restoring time is used.
    dt : array (time,)
        Length of each step, years.
    variance : array (time, n)
        Error variance of the mean observation that the assimilation assumes, K2; infinite where
        there is none.
    assumed : array (n,)
        Error variance that the assimilation assumes its model to gain, K2/year.

    Returns
    -------
    gain : array (time, n)
        Zero where nothing is observed.
    spread : array (time, n)
        Standard deviation of the increment in the filter's own statistics, K.
    """
    gain, spread = np.empty_like(variance), np.empty_like(variance)
    analysis = assumed * law.restoring / 2  # the stationary variance: nothing was observed before
    for k, length in enumerate(dt):
        forecast = law.over(float(length)).phi ** 2 * analysis + assumed * length
        gain[k] = forecast / (forecast + variance[k])
        spread[k] = np.sqrt(gain[k] * forecast)  # = K sqrt(P + R)
        analysis = (1 - gain[k]) * forecast
    return gain, spread


def run_cycles(
    law: Law, dt: Array, gain: Array, observed: Observed, noise: dict[str, Array]
) -> Cycles:
    """Run forecast and analysis in turn.

    Parameters
    ----------
    law : Law
        Of the cells.
    dt : array (time,)
        Length of each step, years.
    gain : array (time, n)
        From `gains`.
    observed : Observed
        Observation errors; `equal` is what the assimilation takes.
    noise : dict of array
        Standard normal ``"start"`` (2, n), ``"shock"`` (time, n) and ``"noise"`` (time, n).
    """
    var_e, cov, var_b = law.stationary()
    b = np.sqrt(var_b) * noise["start"][0]
    z = cov / var_b * b + np.sqrt(var_e - cov**2 / var_b) * noise["start"][1]
    out = Cycles(*(np.empty_like(gain) for _ in Cycles._fields))
    e, d = z, 0.0 * z
    for k, length in enumerate(dt):
        step = law.over(float(length))
        b = step.rho * b + np.sqrt(step.shock) * noise["shock"][k]
        pushed = b * length + np.sqrt(step.noise) * noise["noise"][k]
        z = step.phi * z + pushed
        e = step.phi * (e - d) + pushed
        d = gain[k] * (e + observed.equal[k])
        out.increment[k], out.true[k], out.free[k], out.forecast_error[k] = d, b * length, z, e
    return out


def smooth(law: Law, dt: Array, y: Array, variance: Array, increment: Any = 0.0) -> Array:
    """Best estimate of the true increment from all observations, earlier and later.

    Rauch-Tung-Striebel smoother of the state (e, b), in the form of Bryson and Frazier, which
    inverts no covariance: a Kalman filter forward, then its adjoint backward.

    Parameters
    ----------
    law : Law
        The true one.
    dt : array (time,)
        Length of each step, years.
    y : array (time, n)
        Observations of e, K; finite everywhere.
    variance : array (time, n)
        Their error variance, K2; infinite where there is none.
    increment : array (time, n) or 0
        What was taken off e after each observation, K.

    Returns
    -------
    array (time, n)
        E[b dt | all y], K.

    References
    ----------
    Rauch, Tung & Striebel 1965, AIAA J. 3, 1445-1450; Bryson & Frazier 1963, Proc. Optimum
    System Synthesis Conf. The recursions: Durbin & Koopman 2012, Time Series Analysis by State
    Space Methods, section 4.4.
    """
    increment = np.broadcast_to(increment, y.shape)
    guess, cov, var, surprise, to_e, to_b = (np.empty_like(y) for _ in range(6))
    p_ee, p_eb, p_bb = law.stationary()
    e = b = np.zeros(y.shape[1])
    for k, length in enumerate(dt):
        phi, rho, noise, shock = law.over(float(length))
        b = rho * b
        e = phi * e + length * b
        p_bb = rho**2 * p_bb + shock
        p_eb = phi * rho * p_eb
        p_ee = phi**2 * p_ee + 2 * length * p_eb + length**2 * p_bb + noise
        p_eb = p_eb + length * p_bb
        guess[k], cov[k], var[k] = b, p_eb, p_bb

        weight = 1 / (p_ee + variance[k])
        innovation = y[k] - e
        surprise[k] = innovation * weight
        to_e[k], to_b[k] = p_ee * weight, p_eb * weight
        e = e + to_e[k] * innovation - increment[k]
        b = b + to_b[k] * innovation
        p_bb = p_bb - to_b[k] * p_eb
        p_ee, p_eb = (1 - to_e[k]) * p_ee, (1 - to_e[k]) * p_eb

    r_e = r_b = np.zeros(y.shape[1])
    for k in range(len(dt) - 1, -1, -1):
        phi, rho, _, _ = law.over(float(dt[k]))
        r_e = surprise[k] + (1 - to_e[k]) * r_e - to_b[k] * r_b
        guess[k] += cov[k] * r_e + var[k] * r_b
        guess[k] *= dt[k]
        r_e, r_b = phi * r_e, rho * (dt[k] * r_e + r_b)
    return guess
