"""Random numbers keyed by position (seed, step, member, ...), never by the order of calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["generator", "seeded"]


def generator(seed: int, *position: int) -> np.random.Generator:
    """A generator of its own for each position.

    Parameters
    ----------
    seed : int
        Not negative.
    *position : int
        Where in the run, as 64-bit integers: step, member, time value, ...

    Returns
    -------
    numpy.random.Generator
        The same numbers for the same key; independent ones for any other, of other length too.

    Examples
    --------
    >>> bool(generator(0, 7).random() == generator(0, 7).random())
    True
    >>> bool(generator(0, 7).random() == generator(0, 7, 0).random())
    False
    """
    return np.random.Generator(np.random.PCG64(_sequence(seed, position)))


@contextmanager
def seeded(seed: int, *position: int, device: str | torch.device = "cpu") -> Iterator[None]:
    """Within it, torch's own generators are keyed by position; after it, they are as before.

    Layers (dropout, initial weights) draw from torch's process-wide generators and take no other:
    meanwhile no other thread may draw from them.

    Parameters
    ----------
    seed, *position : int
        As in `generator`.
    device : str or torch.device
        A GPU whose generator is seeded too.

    Examples
    --------
    >>> with seeded(0):
    ...     first = torch.nn.Linear(2, 1)
    >>> with seeded(0):
    ...     again = torch.nn.Linear(2, 1)
    >>> bool((first.weight == again.weight).all())
    True
    """
    device = torch.device(device)
    word = int(_sequence(seed, position).generate_state(1, np.uint64)[0])
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.default_generator.manual_seed(word)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(word)
        yield


def _sequence(seed: int, position: tuple[int, ...]) -> np.random.SeedSequence:
    # Two words for each: numpy takes as many as an integer needs, and (2**32,) would be (0, 1).
    words = [word for each in position for word in divmod(int(each) % 2**64, 2**32)]
    return np.random.SeedSequence(int(seed), spawn_key=words)
