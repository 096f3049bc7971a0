"""Training: one loop for every network, with what it needs around it.

Importing this package imports torch. Nothing here sets process-wide state: how many threads torch
computes with is the caller's business (``torch.set_num_threads``, once in a process).
"""

from __future__ import annotations

from xocean_ml.training.blocks import Split, withheld_blocks
from xocean_ml.training.loop import Fitted, fit
from xocean_ml.training.losses import filled, masked_mean
from xocean_ml.training.schedule import Schedule
from xocean_ml.training.seeds import generator, seeded

__all__ = [
    "Fitted",
    "Schedule",
    "Split",
    "filled",
    "fit",
    "generator",
    "masked_mean",
    "seeded",
    "withheld_blocks",
]
