"""Trains the convolutional model, and measures on withheld times what it knows and what it leaves.

The latent is of the fields that are nearly normal; rain, where there are others, is what the
decoder makes of them: a latent that held rain of its own would be unknown where none is observed.
The linear path stays what the EOFs of the training times are; encoder and decoder begin as it and
learn what they can add, by the evidence lower bound, until withheld times tell that they learn no
more. Errors of the reconstruction go together over large areas: their squares count as so many
independent ones as the spectrum beyond as many patterns of all fields has (Bretherton et al. 1999),
not as there are cells. (What the latent leaves has fewer; with that number networks learn worse.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from xocean_ml.assimilation.climate import Climate
from xocean_ml.assimilation.fit_eof import correlation_length, eofs, met, smooth
from xocean_ml.assimilation.state import State
from xocean_ml.assimilation.tables import PHASES, Tables
from xocean_ml.networks.vae import Decoder, Encoder
from xocean_ml.training import Schedule, fit, generator, seeded

__all__ = ["Learned", "Samples", "Vae", "sizes_of", "teach"]

SCHEDULE = Schedule(
    steps=2000,
    rate=2e-3,
    warmup=100,
    batch=64,
    ema=0.995,
    check_every=100,
    patience=8,
    optimizer="adam",
)

WARMUP = 0.3
"""Share of the steps over which the divergence from the prior gains its weight."""

CELLS = 3000
"""Cells of the finest level of the networks, at most; what is finer is interpolated."""

SMALLEST = 4
"""Cells of the shorter side of the coarsest level, at least."""

WIDTHS = (16, 32, 48, 64)
"""Channels of the levels, finest first."""


def sizes_of(shape: tuple[int, int]) -> dict[str, dict[str, Any]]:
    """Sizes of decoder and encoder for a grid."""
    halved = 0
    while shape[0] * shape[1] / 4**halved > CELLS:
        halved += 1
    side, levels = min(shape) / 2**halved, 1
    while side / 2 ** (levels + 1) >= SMALLEST and levels < len(WIDTHS) - 1:
        levels += 1
    widths = list(WIDTHS[: levels + 1])
    return {
        "decoder": {"channels": widths[::-1], "halved": halved},
        "encoder": {"channels": widths[1:], "halved": halved},
    }


class Vae(torch.nn.Module):
    """Encoder and decoder, each beside its linear path.

    Parameters
    ----------
    state : State
    patterns : array, (latent, n)
        Of coefficients of unit variance, orthogonal in the product with `weight`.
    weight : array, (n,)
        Zero for what the encoder is not shown.
    sizes : mapping
        As `sizes_of` gives them.
    """

    def __init__(
        self, state: State, patterns: np.ndarray, weight: np.ndarray, sizes: Mapping[str, Any]
    ) -> None:
        super().__init__()
        latent, fields = len(patterns), len(state.known)
        self.shape = state.known.shape
        self.decoder = Decoder(latent, PHASES, fields, state.shape, state.wraps, **sizes["decoder"])
        self.encoder = Encoder(latent, fields, state.shape, state.wraps, **sizes["encoder"])
        squares = (patterns**2 * weight).sum(axis=1)
        back = (patterns * weight / squares[:, None]).T
        shown = torch.from_numpy(weight > 0)
        places = torch.from_numpy(np.flatnonzero(state.known))
        for name, each in (("patterns", patterns), ("back", back)):
            self.register_buffer(name, torch.from_numpy(each.astype(np.float32)), persistent=False)
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("shown", shown, persistent=False)

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Means and logarithms of variances of the latent, of anomalies with gaps."""
        there = torch.isfinite(x) & self.tensor("shown")
        filled = torch.where(there, x, 0.0)
        mean, log_variance = self.encoder(self._grid(filled), self._grid(there.to(x.dtype)))
        return mean + filled @ self.tensor("back"), log_variance

    def decode(self, z: torch.Tensor, phase: torch.Tensor) -> torch.Tensor:
        """Anomalies, (samples, n)."""
        added = self.decoder(z, phase).flatten(1).index_select(1, self.tensor("places"))
        return z @ self.tensor("patterns") + added

    def _grid(self, x: torch.Tensor) -> torch.Tensor:
        made = x.new_zeros((len(x), int(np.prod(self.shape))))
        return made.index_copy(1, self.tensor("places"), x).unflatten(1, self.shape)

    def tensor(self, name: str) -> torch.Tensor:
        """What does not change in training."""
        made = getattr(self, name)
        assert isinstance(made, torch.Tensor)
        return made


@dataclass(frozen=True, eq=False)
class Samples:
    """States to learn from.

    Parameters
    ----------
    anomaly : array of float32, (samples, n)
        Normalised, NaN where missing.
    phase : array of float32, (samples, PHASES)
        Where in the year each is.
    """

    anomaly: np.ndarray
    phase: np.ndarray

    @classmethod
    def of(cls, tables: Tables, anomaly: np.ndarray, season: np.ndarray) -> Samples:
        """Samples at times of the year, as the climatology tells them apart."""
        return cls(anomaly, tables.phases(season).astype(np.float32))

    def split(self, many: int = 64) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Some at a time."""
        return zip(
            torch.from_numpy(self.anomaly).split(many),
            torch.from_numpy(self.phase).split(many),
            strict=True,
        )


@dataclass(frozen=True, eq=False)
class Learned:
    """What the convolutional model consists of.

    Parameters
    ----------
    patterns : array of float32, (K, n)
        The latent's, then those that it cannot represent.
    rest : array of float32, (n,)
    lengths : tuple of float
    weights : mapping of str to array
        Of the decoder.
    prior : array, (latent + 1, latent)
        Mean and precision.
    sizes : mapping
        Of the decoder.
    gain : float
        By what share the network makes the squared error of withheld samples smaller than it is
        with the linear path alone.
    """

    patterns: np.ndarray
    rest: np.ndarray
    lengths: tuple[float, ...]
    weights: Mapping[str, np.ndarray]
    prior: np.ndarray
    sizes: Mapping[str, Any]
    gain: float


def teach(
    known: Climate,
    train: Samples,
    withheld: Samples,
    latent: int,
    rank: int,
    schedule: Schedule,
    progress: bool | None = None,
) -> Learned:
    """Train on some samples, measure on others.

    Parameters
    ----------
    known : Climate
        Grid and weights.
    train, withheld : Samples
    latent, rank : int
    schedule : Schedule
    progress : bool, optional
    """
    filled, weight = np.nan_to_num(train.anomaly), _latent_weight(known)
    patterns = eofs(filled, weight, latent)[0]
    sizes = sizes_of(known.state.shape)
    with seeded(schedule.seed):
        network = Vae(known.state, patterns, weight, sizes)
    spectrum = eofs(filled, known.weight, rank)[1]
    codes = filled @ network.tensor("back").numpy()
    loss = _Loss(known, filled - codes @ patterns, spectrum[latent:], latent)
    many = len(train.anomaly)

    def batch(step: int) -> Any:
        chosen = generator(schedule.seed, 0, step).integers(many, size=schedule.batch)
        share = min(1.0, (step + 1) / (WARMUP * schedule.steps))
        return train.anomaly[chosen], train.phase[chosen], np.array([share], np.float32)

    fitted = fit(
        network,
        batch,
        lambda each, given: loss.bound(each, *given),
        schedule=schedule,
        validate=lambda each: loss.score(each, withheld),
        config={"data": _digest(train, withheld)},
        progress=progress,
    )
    made = fitted.network.to("cpu").eval()
    return _measured(known, made, patterns, train, withheld, rank, sizes["decoder"], schedule.seed)


def _digest(*samples: Samples) -> str:
    """Of the data: a checkpoint of others is refused."""
    made = hashlib.sha256()
    for each in samples:
        made.update(np.ascontiguousarray(each.anomaly).data)
        made.update(np.ascontiguousarray(each.phase).data)
    return made.hexdigest()


def _latent_weight(known: Climate) -> np.ndarray:
    """Weights by which the linear path is chosen: none for skewed fields if there are others."""
    weight = known.weight.copy()
    if len(set(known.power)) > 1:
        for part, power in zip(known.state.parts, known.power, strict=True):
            if power > 1:
                weight[part] = 0
    return weight


class _Loss:
    """Less the evidence lower bound, per number of the latent."""

    def __init__(
        self,
        known: Climate,
        left: np.ndarray,
        beyond: np.ndarray,
        latent: int,
    ) -> None:
        precision = np.empty(known.state.size)
        # as many independent errors as the spectrum beyond the latent's size has
        count = beyond.sum() ** 2 / (beyond**2).sum() if beyond.size else 1.0
        for part in known.state.parts:
            weight = known.weight[part]
            variance = ((left[:, part] ** 2).mean(axis=0) * weight).sum()
            precision[part] = count / len(known.state.parts) * weight / max(variance, 1e-6)
        self.precision = torch.from_numpy(precision.astype(np.float32))
        self.latent = latent

    def bound(
        self, network: Vae, x: torch.Tensor, phase: torch.Tensor, share: torch.Tensor
    ) -> torch.Tensor:
        """Of samples (samples, n), with a share (1,) of the divergence from the prior."""
        mean, log_variance = network.encode(x)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        fit_ = 0.5 * self.squares(x - network.decode(z, phase))
        away = 0.5 * (mean**2 + torch.exp(log_variance) - 1 - log_variance).sum(dim=1)
        return ((fit_ + share * away) / self.latent).mean()

    def squares(self, error: torch.Tensor) -> torch.Tensor:
        """Weighted squares of errors (samples, n), NaN where missing: (samples,)."""
        return (torch.nan_to_num(error) ** 2 * self.precision.to(error.device)).sum(dim=1)

    def score(self, network: Vae, held: Samples) -> float:
        """The bound of withheld samples."""
        device = next(network.parameters()).device
        every = [
            float(self.bound(network, x.to(device), phase.to(device), torch.ones(1, device=device)))
            for x, phase in held.split()
        ]
        return float(np.mean(every))


def _measured(
    known: Climate,
    network: Vae,
    patterns: np.ndarray,
    train: Samples,
    withheld: Samples,
    rank: int,
    sizes: Mapping[str, Any],
    seed: int,
) -> Learned:
    """Prior, patterns of what is not represented, and what is left, of a trained network."""
    learnt, _, taught = _run(network, train)
    mean, variance, left = _run(network, withheld)
    beyond, values = eofs(np.nan_to_num(taught), known.weight, rank - len(patterns))
    ratio, remains = met(np.nan_to_num(left), beyond, values, known.weight)
    there = np.isfinite(withheld.anomaly)
    remains = np.where(there, remains, np.nan)
    rest = np.sqrt(np.nan_to_num(np.nansum(remains**2, axis=0) / np.maximum(there.sum(axis=0), 1)))
    for part in known.state.parts:  # where withheld samples have nothing
        never = ~there[:, part].any(axis=0)
        rest[part][never] = rest[part][~never].mean() if not never.all() else 1.0
    lengths = tuple(
        correlation_length(known.state.points[p], remains[:, p] / np.maximum(rest[p], 1e-6), seed)
        for p in known.state.parts
    )
    every = np.concatenate([patterns, beyond * np.sqrt(smooth(ratio))[:, None]])
    weights = {name: each.numpy() for name, each in network.decoder.state_dict().items()}
    return Learned(
        every.astype(np.float32),
        rest.astype(np.float32),
        lengths,
        weights,
        _prior(learnt, mean, variance),
        sizes,
        _gain(known, network, withheld, left),
    )


def _gain(known: Climate, network: Vae, withheld: Samples, left: np.ndarray) -> float:
    """By what share the squares of what is left are smaller than those of the linear path."""
    filled = np.nan_to_num(withheld.anomaly)
    plain = filled @ network.tensor("back").numpy() @ network.tensor("patterns").numpy()
    plain = withheld.anomaly - plain
    squares = [float((np.nan_to_num(each) ** 2 @ known.weight).sum()) for each in (left, plain)]
    return 1 - squares[0] / max(squares[1], 1e-30)


def _run(network: Vae, samples: Samples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, variances and what is left of samples."""
    means, variances, left = [], [], []
    with torch.inference_mode():
        for x, phase in samples.split():
            mean, log_variance = network.encode(x)
            means.append(mean.numpy())
            variances.append(torch.exp(log_variance).numpy())
            left.append((x - network.decode(mean, phase)).numpy())
    return np.concatenate(means), np.concatenate(variances), np.concatenate(left)


def _prior(learnt: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Mean and precision of the latent: the aggregate posterior is no standard normal.

    Parameters
    ----------
    learnt : array, (samples, latent)
        Encodings of what was trained on: there are many, which tell correlations.
    mean, variance : array, (others, latent)
        Encodings of what was withheld: how much of each number is met there.
    """
    centre, size = learnt.mean(axis=0), learnt.shape[1]
    correlation = np.corrcoef(learnt.T).reshape(size, size)
    share = min(1.0, size / len(learnt))
    correlation = (1 - share) * correlation + share * np.eye(size)
    met_there = np.sqrt(smooth(((mean - centre) ** 2).mean(axis=0)))
    covariance = correlation * met_there * met_there[:, None] + np.diag(variance.mean(axis=0))
    return np.concatenate([centre[None], np.linalg.inv(covariance)]).astype(np.float64)
