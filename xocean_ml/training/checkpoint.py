"""Checkpoints: a safetensors file with JSON in its header, whole at every moment. Never pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from xocean_ml.errors import ModelFileError
from xocean_ml.persist import write_atomically

__all__ = ["check_path", "read", "write"]

FORMAT = 1
HEADER = "xocean_ml.training"

Tensors = dict[str, torch.Tensor]


def check_path(path: Path) -> None:
    """Refuse a path that no checkpoint could be written to, before hours are spent.

    Raises
    ------
    ModelFileError
        If the path has another ending than ``.safetensors``, or its folder does not exist.
    """
    if path.suffix != ".safetensors":
        raise ModelFileError(f"{path}: checkpoints end in .safetensors")
    if not path.parent.is_dir():
        raise ModelFileError(f"{path}: there is no folder {path.parent}; make it first")


def write(
    path: Path, config: Mapping[str, Any], state: Mapping[str, Any], tensors: Tensors
) -> None:
    """Put a checkpoint in place of the last one; a kill at any moment leaves either.

    Parameters
    ----------
    path : Path
        Ending in ``.safetensors``.
    config : mapping
        What decides the outcome of the run, as plain JSON values.
    state : mapping
        Where the run is, as plain JSON values.
    tensors : dict of str to torch.Tensor
        The rest of where it is.
    """
    from safetensors.torch import save_file

    # Copies: safetensors refuses tensors that share memory, and 'best' may be 'average'.
    tensors = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    text = json.dumps({"format": FORMAT, "config": config, "state": state}, sort_keys=True)
    header = {HEADER: text, "sha256": _sha256(text, tensors)}
    write_atomically(path, lambda partial: save_file(tensors, partial, metadata=header))


def read(path: Path, config: Mapping[str, Any]) -> tuple[dict[str, Any], Tensors]:
    """State and tensors of a checkpoint, if it is of a run of the same configuration.

    Parameters
    ----------
    path : Path
        File that `write` wrote.
    config : mapping
        As given to `write`.

    Raises
    ------
    ModelFileError
        If the file is truncated, altered, no checkpoint, or of another configuration.
    """
    from safetensors import SafetensorError, safe_open

    advice = "remove it to start anew, or give another path"
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        text = metadata[HEADER]
        found = json.loads(text)
    except (SafetensorError, OSError, ValueError, LookupError, TypeError) as error:
        raise ModelFileError(f"{path}: no checkpoint, or truncated ({error}); {advice}") from error
    if _sha256(text, tensors) != metadata.get("sha256"):
        raise ModelFileError(f"{path}: altered, its sha256 does not match; {advice}")
    if found["format"] != FORMAT:
        raise ModelFileError(
            f"{path}: checkpoint of format {found['format']}, not {FORMAT}; {advice}"
        )
    differences = _differences(found["config"], json.loads(json.dumps(config)))
    if differences:
        raise ModelFileError(f"{path}: checkpoint of another run ({differences}); {advice}")
    return found["state"], tensors


def _differences(there: Any, here: Any, most: int = 5) -> str:
    """What differs between two configurations, the first few; empty if they are the same."""
    there, here = dict(_leaves(there)), dict(_leaves(here))
    lines = [
        f"{name}: {there.get(name, 'nothing')} there, {here.get(name, 'nothing')} here"
        for name in sorted({*there, *here})
        if there.get(name) != here.get(name)
    ]
    return "; ".join(lines[:most]) + ("; ..." if len(lines) > most else "")


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _leaves(each, f"{name}.{key}" if name else key)
    else:
        yield name, json.dumps(value)


def _sha256(text: str, tensors: Tensors) -> str:
    whole = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        whole.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        # As bytes: numpy knows no bfloat16.
        whole.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()
