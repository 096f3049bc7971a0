r"""Two-layer quasi-geostrophic turbulence and the tracers it stirs, on a doubly periodic square.

The dynamics are pyqg-jax's; tracers are stepped beside it, with the same exponential filter. A
tracer is the anomaly :math:`c` about a mean field of constant gradient :math:`G`:

.. math:: \partial_t c + (u + U) \cdot \nabla c = - u \cdot G - c / \tau + F ,

with :math:`F` a large-scale forcing that moves on slowly. It is stepped by a third-order
Adams-Bashforth scheme, like the potential vorticity.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

__all__ = ["Flow", "Tracer", "run"]

DAY = 86400.0


@dataclass(frozen=True)
class Flow:
    """A turbulent world.

    Parameters
    ----------
    side : float
        Of the domain, m.
    radius : float
        Deformation radius, m.
    shear : float
        Of the mean flow between the layers, m s-1.
    beta : float
        m-1 s-1.
    drag : float
        s-1.
    ratio : float
        Depth of the upper layer over the lower one's.
    upper : float
        Depth of the upper layer, m.
    """

    side: float
    radius: float
    shear: float
    beta: float
    drag: float
    ratio: float
    upper: float

    def model(self, cells: int) -> Any:
        """pyqg-jax's model on a grid of `cells` squared."""
        import pyqg_jax

        return pyqg_jax.qg_model.QGModel(
            nx=cells,
            L=self.side,
            rd=self.radius,
            U1=self.shear,
            U2=0.0,
            beta=self.beta,
            rek=self.drag,
            delta=self.ratio,
            H1=self.upper,
            precision=pyqg_jax.state.Precision.SINGLE,
        )


@dataclass(frozen=True)
class Tracer:
    """A stirred field.

    Parameters
    ----------
    gradient : (float, float)
        Of the mean, eastward and northward, per m.
    memory : float
        s.
    forcing : array, (2, rows, columns)
        Two patterns on the coarse grid, units of the tracer; they turn into each other.
    turn : float
        Period of that, s.
    """

    gradient: tuple[float, float]
    memory: float
    forcing: np.ndarray
    turn: float


def run(
    flow: Flow, tracers: tuple[Tracer, ...], start: np.ndarray, days: tuple[float, float, float]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Run a world and give its days, without end.

    Parameters
    ----------
    flow, tracers
        The world.
    start : array, (2, cells, cells)
        Stream function of both layers at the start, m2 s-1, on the coarse grid.
    days : (float, float, float)
        Length of the spin-up on the coarse grid and on the fine one, days; and how many cells the
        fine grid has.

    Yields
    ------
    stream : array, (cells, cells)
        Stream function of the upper layer, m2 s-1, each day.
    fields : array, (tracers, cells, cells)
        Anomalies of the tracers.
    """
    spin_up, refine, fine = days
    with warnings.catch_warnings():
        # pyqg-jax asks for double precision where single is meant.
        warnings.filterwarnings("ignore", message="Explicitly requested dtype")
        coarse = _Stepper(flow, tracers, start.shape[-1])
        state = coarse.advance(coarse.begin(start), spin_up)
        stepper = _Stepper(flow, tracers, int(fine))
        state = stepper.advance(stepper.moved(coarse, state), refine)
        while True:
            yield stepper.seen(state)
            state = stepper.advance(state, 1.0)


class _Stepper:
    """A world on one grid."""

    def __init__(self, flow: Flow, tracers: tuple[Tracer, ...], cells: int) -> None:
        import jax
        import jax.numpy as jnp
        import pyqg_jax

        self.flow, self.tracers, self.cells = flow, tracers, cells
        self.model = flow.model(cells)
        # A quarter of a cell a step at twelve times the shear, as fast as the fastest eddies get.
        longest = 0.25 * flow.side / cells / (12 * flow.shear)
        self.per_day = int(np.ceil(DAY / min(longest, 7200.0)))
        self.dt = DAY / self.per_day
        self.stepped = pyqg_jax.steppers.SteppedModel(
            self.model, pyqg_jax.steppers.AB3Stepper(dt=self.dt)
        )
        k = 2 * np.pi * np.fft.rfftfreq(cells, flow.side / cells)
        self.k = jnp.asarray(k)
        self.m = jnp.asarray(2 * np.pi * np.fft.fftfreq(cells, flow.side / cells)[:, None])
        self.forcing = [jnp.asarray(_finer(each.forcing, cells)) for each in tracers]
        # Not a loop within jax: on few cores its transforms of large grids then wait for ever.
        self._next = jax.jit(self._step)

    def begin(self, start: np.ndarray) -> Any:
        """The state of a stream function; tracers begin as nothing."""
        import jax
        import jax.numpy as jnp

        base = self.model.create_initial_state(jax.random.key(0))
        vorticity = jnp.asarray(self._vorticity(start))
        state = self.stepped.initialize_stepper_state(base.update(q=vorticity))
        none = jnp.zeros((len(self.tracers), self.cells, self.cells // 2 + 1), jnp.complex64)
        return state, none, (none, none), jnp.zeros((), jnp.int32)

    def _vorticity(self, stream: np.ndarray) -> np.ndarray:
        """Potential vorticity anomaly of both layers, s-1."""
        flow = self.flow
        square = np.asarray(self.k) ** 2 + np.asarray(self.m) ** 2
        hats = np.fft.rfft2(stream)
        first = flow.radius**-2 / (1 + flow.ratio)
        second = flow.ratio * first
        between = hats[1] - hats[0]
        q = np.stack([first * between, -second * between]) - square * hats
        return np.fft.irfft2(q, s=stream.shape[1:]).astype(np.float32)

    def moved(self, other: _Stepper, state: Any) -> Any:
        """Another grid's state on this one: Fourier modes are padded or cut."""
        import jax.numpy as jnp

        base, tracers, _, step = state
        q = _resized(np.asarray(base.state.qh), self.cells)
        fresh = self.begin(np.zeros((2, self.cells, self.cells)))[0]
        new = self.stepped.initialize_stepper_state(fresh.state.update(qh=jnp.asarray(q)))
        moved = jnp.asarray(_resized(np.asarray(tracers), self.cells))
        day = int(step) // other.per_day
        return new, moved, (moved * 0, moved * 0), jnp.asarray(day * self.per_day, jnp.int32)

    def advance(self, state: Any, days: float) -> Any:
        """Go on by so many days."""
        for _ in range(round(days * self.per_day)):
            state = self._next(state)
        return state

    def seen(self, state: Any) -> tuple[np.ndarray, np.ndarray]:
        """Stream function of the upper layer, and tracers."""
        base, tracers, _, _ = state
        hats = np.asarray(self.model.get_full_state(base.state).ph)[0]
        shape = (self.cells, self.cells)
        return np.fft.irfft2(hats, s=shape), np.fft.irfft2(np.asarray(tracers), s=shape)

    def _step(self, state: Any) -> Any:
        import jax.numpy as jnp

        base, tracers, (before, earlier), step = state
        full = self.model.get_full_state(base.state)
        v = full.v[0]
        slope = partial(self._tendency, full.u[0], v, step)
        every = zip(self.tracers, self.forcing, tracers, strict=True)
        here = jnp.stack([slope(*each) for each in every])
        # The first steps have no past, nor has the first on a finer grid: as little as that matters
        # after a spin-up.
        known = (step > 2).astype(here.dtype)
        past = (11 / 12) * here - (16 / 12) * before + (5 / 12) * earlier
        change = here + known * past
        tracers = self.model.filtr * (tracers + self.dt * change)
        return self.stepped.step_model(base), tracers, (here, before), step + 1

    def _tendency(self, u: Any, v: Any, step: Any, tracer: Tracer, forcing: Any, hat: Any) -> Any:
        import jax.numpy as jnp

        shape = (self.cells, self.cells)
        east = jnp.fft.irfft2(1j * self.k * hat, s=shape)
        north = jnp.fft.irfft2(1j * self.m * hat, s=shape)
        phase = 2 * jnp.pi * step * (self.dt / tracer.turn)
        pattern = forcing[0] * jnp.cos(phase) + forcing[1] * jnp.sin(phase)
        eastward, northward = tracer.gradient
        made = pattern / tracer.memory - u * eastward - v * northward
        stirred = (u + self.flow.shear) * east + v * north
        return jnp.fft.rfft2(made - stirred) - hat / tracer.memory


def _resized(hats: np.ndarray, cells: int) -> np.ndarray:
    """Fourier modes (..., rows, columns / 2 + 1) of another grid, values kept."""
    old = hats.shape[-2]
    few = min(old, cells) // 2
    out = np.zeros((*hats.shape[:-2], cells, cells // 2 + 1), hats.dtype)
    out[..., :few, :few] = hats[..., :few, :few]
    out[..., -few + 1 :, :few] = hats[..., -few + 1 :, :few]
    return out * (cells / old) ** 2


def _finer(fields: np.ndarray, cells: int) -> np.ndarray:
    """Periodic fields on another grid, by their Fourier modes."""
    hats = _resized(np.fft.rfft2(fields), cells)
    return np.fft.irfft2(hats, s=(cells, cells)).astype(np.float32)
