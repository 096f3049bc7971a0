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
from xocean_ml.spec import Spec

__all__ = ["Dcvae"]

SOLVERS = ("newton", "adam")


@persist.register("dcvae")
@dataclass(frozen=True, eq=False)
class Dcvae(Eof):
    """Model of a convolutional latent assimilation.

    Parameters
    ----------
    weights : mapping of str to array
        Of the decoder, and of the encoder that it was trained with.
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

    @cached_property
    def known(self) -> Background:
        """What is known before anything is observed."""
        plain = super().known
        mean, precision = plain.mean.copy(), np.eye(len(plain.mean))
        mean[: self.latent] = self.prior[0]
        precision[: self.latent, : self.latent] = self.prior[1:]
        return replace(plain, mean=mean, precision=precision)

    @cached_property
    def decoder(self) -> Any:
        """The network, ready to decode."""
        import torch

        from xocean_ml.networks.vae import Decoder

        sizes, fields = self.config["sizes"]["decoder"], len(self.state.known)
        made = Decoder(self.latent, fields, self.state.shape, self.state.wraps, **sizes)
        mine = {
            name.removeprefix("decoder."): torch.from_numpy(np.array(each, np.float32))
            for name, each in self.weights.items()
            if name.startswith("decoder.")
        }
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

    def decode(self, latent: np.ndarray) -> np.ndarray:
        """Normalised anomalies, (..., n), of latents (..., latent)."""
        flat = np.asarray(latent, np.float64).reshape(-1, self.latent)
        return super().decode(latent) + self._added(flat).reshape(*latent.shape[:-1], -1)

    def _added(self, latent: np.ndarray) -> np.ndarray:
        """What the network adds, (samples, n), for latents (samples, latent)."""
        import torch

        with torch.no_grad():
            made = self.decoder(self._placed(latent))
        return np.asarray(self.state.pack(made.cpu().numpy()), np.float64)

    def _linearized(self, latent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the network adds, (n,), and what each number of the latent changes, (latent, n)."""
        import torch

        with torch.no_grad():
            made, tangents = self.decoder.linearized(self._placed(latent))
        return tuple(  # type: ignore[return-value]
            np.asarray(self.state.pack(each.cpu().numpy()), np.float64) for each in (made, tangents)
        )

    def draw(self, random: np.random.Generator) -> np.ndarray:
        """A state that nothing is observed of, (n,), as normalised anomalies."""
        linear_part, coefficients = prior_draw(self.known, random)
        return linear_part + self._added(coefficients[None, : self.latent])[0]

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
        found = self.solve(given, seen, solver, steps)
        z = found.coefficients[: self.latent]
        added, tangents = self._linearized(z)
        patterns = self.known.patterns.copy()
        patterns[: self.latent] += tangents
        left = found.left[:, None]
        change = patterns, seen.rows.weighted(patterns)
        made = told(self.known, given, seen, left, found.posterior, change, residual=residual)
        return replace(
            made,
            coefficients=found.coefficients[:, None],
            anomaly=made.anomaly + self.known.patterns.T @ found.coefficients + added,
            chi_square=np.array([2 * found.cost / max(len(given.rows), 1)]),
            iterations=found.iterations,
        )

    def solve(self, given: Given, seen: Seen, solver: str, steps: int) -> Solution:
        """Coefficients of one time."""
        known, now, rows = self.known, given.now, given.rows
        assert known.precision is not None
        scale = now.scale

        def added(z: np.ndarray) -> np.ndarray:
            return rows.of(scale * self._added(z[None])[0])

        def linearized(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            one, tangents = self._linearized(z)
            return rows.of(scale * one), rows.weighted(scale * tangents)

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
            return newton(problem, problem.linear_start())
        return adam(problem, known.mean, self._pull(given), steps=steps)

    def _pull(self, given: Given) -> Any:
        """Gradients of what the network adds to the observations, by one backward pass."""
        import torch

        state, rows, scale = self.state, given.rows, given.now.scale

        def pull(z: np.ndarray, weights: np.ndarray) -> np.ndarray:
            spread = np.zeros(state.size)
            for corner in range(rows.cell.shape[1]):
                np.add.at(spread, rows.cell[:, corner], rows.weight[:, corner] * weights)
            field = np.nan_to_num(state.unpack((spread * scale)[None]))
            latent = self._placed(z[None]).requires_grad_(True)
            product = (self.decoder(latent) * self._placed(field)).sum()
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
        z = made.coefficients[: self.latent, 0]

        def change(away: np.ndarray) -> np.ndarray:
            added = self._added(z + away[: self.latent].T) - self._added(z[None])
            return np.asarray(away.T @ self.known.patterns + added)

        drawn = deviations(self.known, given, made, random[0], change, residual=residual)
        return np.asarray((made.anomaly + drawn)[None])

    # ---- files -------------------------------------------------------------------------------

    def tensors(self) -> Mapping[str, np.ndarray]:
        """Those of the linear model, of the networks, and the latent's prior."""
        networks = {f"network.{name}": each for name, each in self.weights.items()}
        return {**super().tensors(), **networks, "prior": self.prior}

    @classmethod
    def build(cls, spec: Spec, tensors: Mapping[str, np.ndarray]) -> Dcvae:
        """Rebuild from a spec and tensors."""
        plain = Eof.build(spec, tensors)
        weights = {
            name.removeprefix("network."): each
            for name, each in tensors.items()
            if name.startswith("network.")
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
