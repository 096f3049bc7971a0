"""The convolutional model: a latent whose decoder adds to the linear one what is not linear.

After Brohan's deep convolutional variational autoencoder, whose latent is searched for the state
that observations are of; with a prior fitted to encodings of withheld times, errors of the
observations and of what the latent cannot represent, and a posterior.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from xocean_ml import persist
from xocean_ml.assimilation.analysis import (
    Analysis,
    Background,
    Given,
    Seen,
    deviations,
    prior_draw,
    told,
)
from xocean_ml.assimilation.eof import Eof
from xocean_ml.assimilation.newton import Problem, Solution, adam, newton
from xocean_ml.assimilation.tables import PHASES, Moment
from xocean_ml.kernels.gaussian import Posterior
from xocean_ml.spec import Spec

__all__ = ["Dcvae"]

SOLVERS = ("newton", "adam")

PAIRS = 24
"""Draws about the solution, and their mirror images, that tell how the decoder bends there."""


@dataclass(frozen=True, eq=False)
class Bend:
    """What is expected of the decoder beyond its tangents at the solution.

    Rain that grows ever faster with temperature is more, in the mean of all that is possible, than
    that of the likeliest; where it can hardly grow any more it varies less than its tangent says.

    Parameters
    ----------
    mean, variance : array, (n,)
        Of what is the same on either side of the solution.
    stretch : array, (n,)
        Variance of what is not, over that of the tangents.
    """

    mean: np.ndarray
    variance: np.ndarray
    stretch: np.ndarray


@persist.register("dcvae")
@dataclass(frozen=True, eq=False, repr=False)
class Dcvae(Eof):
    """Model of a convolutional latent assimilation.

    Parameters
    ----------
    weights : mapping of str to array
        Of the decoder.
    prior : array, (latent + 1, latent)
        Mean of the latent, and the precision.

    Notes
    -----
    The rest as of `Eof`.
    """

    weights: Mapping[str, np.ndarray] = field(repr=False, kw_only=True)
    prior: np.ndarray = field(repr=False, kw_only=True)

    kind: ClassVar[str] = "dcvae"
    linear: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ("solver", "steps")

    def _background(self) -> Background:
        plain = super()._background()
        mean, precision = plain.mean.copy(), np.eye(len(plain.mean))
        mean[: self.latent] = self.prior[0]
        precision[: self.latent, : self.latent] = self.prior[1:]
        return replace(plain, mean=mean, precision=precision)

    @property
    def decoded(self) -> int:
        """Fields that the network has a part in: those that joined later have none."""
        return len(self.weights["last.conv.bias"])

    def _packed(self, fields: Any) -> np.ndarray:
        """Vectors (samples, n) of the network's fields (samples, fields, rows, columns)."""
        made = np.zeros((len(fields), *self.state.known.shape))
        made[:, : self.decoded] = fields.cpu().numpy()
        return self.state.pack(made)

    @cached_property
    def decoder(self) -> Any:
        """The network, ready to decode."""
        import torch

        from xocean_ml.networks.vae import Decoder

        sizes, fields = self.config["sizes"], self.decoded
        made = Decoder(self.latent, PHASES, fields, self.state.shape, self.state.wraps, **sizes)
        mine = {name: torch.from_numpy(np.array(w, np.float32)) for name, w in self.weights.items()}
        made.load_state_dict(mine)
        return made.eval().requires_grad_(False)

    def to(self, device: str) -> None:
        """Place the decoder."""
        self.decoder.to(device)

    def _placed(self, values: np.ndarray) -> Any:
        """A tensor where the decoder is."""
        import torch

        device = next(self.decoder.parameters()).device
        return torch.from_numpy(values.astype(np.float32)).to(device)

    # ---- decoding ----------------------------------------------------------------------------

    def decode(self, latent: np.ndarray, now: Moment) -> np.ndarray:
        """Normalised anomalies, (..., n), of latents (..., latent) of one time of the year."""
        flat = np.asarray(latent, np.float64).reshape(-1, self.latent)
        return super().decode(latent, now) + self._added(flat, now).reshape(*latent.shape[:-1], -1)

    def _added(self, latent: np.ndarray, now: Moment) -> np.ndarray:
        """What the network adds, (samples, n), for latents (samples, latent)."""
        import torch

        phase = np.broadcast_to(now.phase, (len(latent), len(now.phase)))
        with torch.no_grad():
            made = self.decoder(self._placed(latent), self._placed(phase))
        return self._packed(made)

    def _linearized(self, latent: np.ndarray, now: Moment) -> tuple[np.ndarray, np.ndarray]:
        """What the network adds, (n,), and what each number of the latent changes, (latent, n)."""
        import torch

        with torch.no_grad():
            made, tangents = self.decoder.linearized(self._placed(latent), self._placed(now.phase))
        return self._packed(made[None])[0], self._packed(tangents)

    def _bend(
        self, latent: np.ndarray, found: Posterior, tangents: np.ndarray, now: Moment
    ) -> Bend:
        """How the decoder bends over what the observations leave open.

        The draws are the same at all times, so that differences of two analyses are of the
        observations.
        """
        white = np.random.default_rng(0).standard_normal((len(found.factor), PAIRS))
        drawn = found.draw(white)
        straight, away = drawn.T @ self.known.patterns, drawn[: self.latent].T
        both = self._added(np.concatenate([latent + away, latent - away, latent[None]]), now)
        even = 0.5 * (both[:PAIRS] + both[PAIRS:-1]) - both[-1]
        odd = straight + 0.5 * (both[:PAIRS] - both[PAIRS:-1])
        plain = straight + away @ tangents
        stretch = (odd**2).mean(axis=0) / np.maximum((plain**2).mean(axis=0), 1e-12)
        return Bend(even.mean(axis=0), even.var(axis=0), stretch)

    def draw(self, random: np.random.Generator, now: Moment) -> np.ndarray:
        """A state that nothing is observed of, (n,), as normalised anomalies."""
        linear_part, coefficients = prior_draw(self.known, random)
        return linear_part + self._added(coefficients[None, : self.latent], now)[0]

    # ---- analysis ----------------------------------------------------------------------------

    def analyse(
        self,
        given: Given,
        *,
        residual: bool,
        solver: str = "newton",
        steps: int = 500,
        **options: Any,
    ) -> Analysis:
        """What observations of one time say of the state.

        Parameters
        ----------
        given : Given
        residual : bool
            Whether what is left is analysed too.
        solver : {"newton", "adam"}
            Gauss-Newton from the linear answer, or Adam from the prior's mean.
        steps : int
            Of Adam.
        """
        if solver not in SOLVERS:
            raise ValueError(f"solver={solver!r}: it is one of {', '.join(map(repr, SOLVERS))}")
        seen = Seen.of(self.known, given)
        found, added, tangents = self.solve(given, seen, solver, steps)
        z = found.coefficients[: self.latent]
        bend = self._bend(z, found.posterior, tangents, given.now)
        patterns = self.known.patterns.copy()
        patterns[: self.latent] += tangents
        left = (found.left - seen.rows.of(bend.mean))[:, None]
        made = told(
            self.known,
            given,
            seen,
            left,
            found.posterior,
            (patterns, seen.rows.weighted(patterns)),
            residual=residual,
            stretch=bend.stretch,
        )
        return replace(
            made,
            coefficients=found.coefficients[:, None],
            anomaly=made.anomaly + self.known.patterns.T @ found.coefficients + added + bend.mean,
            variance=made.variance + bend.variance,
            chi_square=np.array([2 * found.cost / max(len(given.rows), 1)]),
            iterations=found.iterations,
        )

    def solve(
        self, given: Given, seen: Seen, solver: str, steps: int
    ) -> tuple[Solution, np.ndarray, np.ndarray]:
        """Coefficients of one time; what the network adds there, (n,), and its tangents."""
        known, now = self.known, given.now
        assert known.precision is not None
        last: tuple[np.ndarray, np.ndarray]

        def added(z: np.ndarray) -> np.ndarray:
            return seen.rows.of(self._added(z[None], now)[0])

        def linearized(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            nonlocal last
            last = self._linearized(z, now)
            return seen.rows.of(last[0]), seen.rows.weighted(last[1])

        problem = Problem(
            seen.design,
            seen.innovations[:, 0],
            seen.variance,
            known.mean,
            known.precision,
            added,
            linearized,
            self.latent,
        )
        if solver == "newton":
            found = newton(problem, problem.linear_start())
        else:
            found = adam(problem, known.mean, self._pull(given), steps=steps)
        # both end with the tangents of their solution
        return found, *last

    def _pull(self, given: Given) -> Any:
        """Gradients of what the network adds to the observations, by one backward pass."""
        import torch

        state, rows, now = self.state, given.rows, given.now

        def pull(z: np.ndarray, weights: np.ndarray) -> np.ndarray:
            spread = np.zeros(state.size)
            for corner in range(rows.cell.shape[1]):
                np.add.at(spread, rows.cell[:, corner], rows.weight[:, corner] * weights)
            field = np.nan_to_num(state.unpack((spread * now.scale)[None]))[:, : self.decoded]
            latent = self._placed(z[None]).requires_grad_(True)
            made = self.decoder(latent, self._placed(now.phase[None]))
            product = (made * self._placed(field)).sum()
            (gradient,) = torch.autograd.grad(product, latent)
            return np.asarray(gradient[0].cpu().numpy(), np.float64)

        return pull

    def members(
        self,
        given: Given,
        made: Analysis,
        random: Sequence[Sequence[np.random.Generator]],
        *,
        residual: bool,
    ) -> np.ndarray:
        """Draws of the state, (1, draws, n), as normalised anomalies: decoded, not linearized."""
        z, now = made.coefficients[: self.latent, 0], given.now
        added, tangents = self._linearized(z, now)
        centre = added + self._bend(z, made.posterior, tangents, now).mean

        def change(away: np.ndarray) -> np.ndarray:
            bent = self._added(z + away[: self.latent].T, now) - centre
            return np.asarray(away.T @ self.known.patterns + bent)

        drawn = deviations(self.known, given, made, random[0], change, residual=residual)
        return np.asarray((made.anomaly + drawn)[None])

    # ---- files -------------------------------------------------------------------------------

    def tensors(self) -> Mapping[str, np.ndarray]:
        """Those of the linear model, of the network, and the latent's prior."""
        network = {f"decoder.{name}": each for name, each in self.weights.items()}
        return {**super().tensors(), **network, "prior": self.prior}

    @classmethod
    def build(cls, spec: Spec, tensors: Mapping[str, np.ndarray]) -> Dcvae:
        """Rebuild from a spec and tensors."""
        plain = Eof.build(spec, tensors)
        weights = {
            name.removeprefix("decoder."): each
            for name, each in tensors.items()
            if name.startswith("decoder.")
        }
        prior = tensors["prior"].astype(np.float64)
        made = cls(
            plain.state,
            plain.tables,
            plain.patterns,
            plain.rest,
            plain.config,
            weights=weights,
            prior=prior,
        )
        _ = made.decoder  # now: a file that does not fit is told where it is read
        return made
