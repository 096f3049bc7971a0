"""Model files: safetensors with the spec as JSON in the header. Never pickle.

A file is read with checks: format, version, and a sha256 over the spec and the weights.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from xocean_ml.device import native
from xocean_ml.errors import ModelFileError
from xocean_ml.spec import Spec

__all__ = [
    "Model",
    "Reference",
    "called",
    "decode",
    "digest",
    "encode",
    "load",
    "loaded",
    "parcel",
    "register",
    "revive",
    "save",
    "write_atomically",
]

FORMAT = 1
HEADER = "xocean_ml"
WEIGHTS = Path(__file__).parent / "weights"
"""Packaged models: ``NAME.safetensors``."""
REFUSED = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")

Tensors = Mapping[str, np.ndarray]


@runtime_checkable
class Model(Protocol):
    """What every model is: a frozen spec and weights. Third-party models satisfy this too."""

    @property
    def spec(self) -> Spec:
        """What it reads and writes."""

    def tensors(self) -> Tensors:
        """Weights by name; empty if there are none."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file."""


_builders: dict[str, Callable[[Spec, Tensors], Model]] = {}


def register(name: str) -> Callable[[Any], Any]:
    """Class decorator: models whose ``spec.name`` is `name` are rebuilt by ``cls.build``."""

    def add(cls: Any) -> Any:
        _builders[name] = cls.build
        return cls

    return add


def encode(model: Model) -> bytes:
    """Bytes of the model file.

    Parameters
    ----------
    model : Model
        Any model.
    """
    from safetensors.numpy import save as pack

    tensors = _tensors(model)
    spec = json.dumps(model.spec.to_json(), sort_keys=True)
    header = {"format": FORMAT, "spec": json.loads(spec), "sha256": _sha256(spec, tensors)}
    return pack(tensors, metadata={HEADER: json.dumps(header, sort_keys=True)})


def digest(model: Model) -> str:
    """The model's sha256 over spec and weights, as its file would bear it."""
    spec = json.dumps(model.spec.to_json(), sort_keys=True)
    return _sha256(spec, _tensors(model))


def decode(data: bytes, where: str = "model file") -> Model:
    """Rebuild a model from the bytes of its file.

    Parameters
    ----------
    data : bytes
        Whole file.
    where : str
        Its name, for messages.

    Raises
    ------
    ModelFileError
        If the file is truncated, altered, of a newer format, a pickle, of an unknown kind, or of
        a layout that its kind does not know.
    """
    from safetensors.numpy import load as unpack

    header = _header(data, where)
    try:
        tensors = unpack(data)
    except Exception as error:
        raise ModelFileError(f"{where}: weights cannot be read, truncated? ({error})") from error
    spec_text = json.dumps(header["spec"], sort_keys=True)
    if _sha256(spec_text, tensors) != header["sha256"]:
        raise ModelFileError(f"{where}: altered, its sha256 does not match the header's")
    try:
        spec = Spec.from_json(header["spec"])
        return _builder(spec.name, where)(spec, tensors)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(
            f"{where}: its layout is not one that this xocean_ml knows ({error}); upgrade xocean_ml"
        ) from error


def save(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model file, whole or not at all.

    Parameters
    ----------
    model : Model
        Any model.
    path : path
        Ending in ``.safetensors``.

    Raises
    ------
    ModelFileError
        If the path has another ending.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ModelFileError(f"{path}: model files end in .safetensors")
    data = encode(model)
    write_atomically(path, lambda partial: partial.write_bytes(data))


def load(source: str | os.PathLike[str]) -> Model:
    """Read a model back: from a path, a URL (through fsspec), or a packaged name.

    Parameters
    ----------
    source : str or path
        ``"mine.safetensors"``, ``"s3://bucket/mine.safetensors"``, or a built-in name (``"dong"``).

    Returns
    -------
    Model
        The model, with its spec checked.

    Raises
    ------
    ModelFileError
        If there is no such file or name, or the file does not pass its checks.

    Examples
    --------
    >>> load("dong").spec.name
    'dong'
    """
    name = os.fspath(source)
    if name.lower().endswith(REFUSED):
        raise ModelFileError(
            f"{name}: pickled models can run any code and are refused; "
            "save as .safetensors with model.save(path)"
        )
    if not name.endswith(".safetensors"):
        return builtin(name)
    return decode(_read(name), name)


def loaded(given: Any) -> tuple[Any, str | None]:
    """What is given for a model, loaded if it is a name or a path, and then from where."""
    if isinstance(given, (str, os.PathLike)):
        return load(given), os.fspath(given)
    return given, None


def called(model: Model, origin: str | None) -> str:
    """What to call a model: the name it is packaged under, by which it can be had again."""
    packaged = origin is not None and not origin.endswith(".safetensors")
    return str(origin) if packaged else model.spec.name


def builtin(name: str) -> Model:
    """A model that ships with xocean_ml or a plug-in: with packaged weights, or with none."""
    weights = WEIGHTS / f"{name}.safetensors"
    if weights.is_file():
        return decode(weights.read_bytes(), name)
    builder = _builder(name, "built-in models")
    return builder(Spec(name, (), ()), {})


def write_atomically(path: str | os.PathLike[str], write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in place in one step.

    If `write` fails nothing is left behind, and what was at `path` is untouched.
    """
    path = Path(path)
    # Not tempfile: its files are for their owner's eyes only, and would stay so.
    partial = path.with_name(f".{path.stem}.{secrets.token_hex(8)}{path.suffix}")
    try:
        write(partial)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


# ---- how models travel ---------------------------------------------------------------------


@dataclass(frozen=True)
class Reference:
    """A model that every worker can fetch for itself: a built-in name or a remote URL."""

    source: str
    sha256: str


def parcel(model: Model, source: str | None = None) -> bytes | Reference:
    """What goes into a dask graph for a model: a reference where that is enough, else its bytes.

    Parameters
    ----------
    model : Model
        Any model.
    source : str, optional
        Where it was loaded from.
    """
    remote = source is not None and "://" in source and not source.startswith("file:")
    packaged = source is not None and (WEIGHTS / f"{source}.safetensors").is_file()
    if source is not None and (remote or packaged):
        return Reference(source, digest(model))
    return encode(model)


_lock = threading.Lock()


@lru_cache(maxsize=8)
def _cached(parcel: bytes | Reference) -> Model:
    if isinstance(parcel, bytes):
        return decode(parcel)
    model = load(parcel.source)
    if digest(model) != parcel.sha256:
        raise ModelFileError(f"{parcel.source}: has changed since the graph was made")
    return model


def revive(parcel: bytes | Reference | Model) -> Model:
    """The model of a `parcel`, decoded or fetched once per process."""
    if not isinstance(parcel, (bytes, Reference)):
        return parcel
    with _lock:
        return _cached(parcel)


# ---- helpers -------------------------------------------------------------------------------


def _builder(name: str, where: str) -> Callable[[Spec, Tensors], Model]:
    """How models of a kind are rebuilt: our own first, then a plug-in's, loaded only if asked."""
    from importlib.metadata import entry_points

    import xocean_ml.assimilation.dcvae
    import xocean_ml.assimilation.impact
    import xocean_ml.downscaling.bicubic
    import xocean_ml.downscaling.learned
    import xocean_ml.generative.diffusion
    import xocean_ml.generative.oi
    import xocean_ml.generative.unet
    import xocean_ml.smoothing  # noqa: F401  they register the built-in models

    if name in _builders:
        return _builders[name]
    plugins = {entry.name: entry for entry in entry_points(group="xocean_ml.models")}
    if name not in plugins:
        known = ", ".join(sorted({*_builders, *plugins}))
        raise ModelFileError(f"{where}: no model is called {name!r}; known: {known}")
    try:
        return plugins[name].load().build
    except Exception as error:
        found = f"{name!r} = {plugins[name].value}"
        raise ModelFileError(f"{where}: the plug-in {found} cannot be loaded ({error})") from error


def _read(name: str) -> bytes:
    try:
        if "://" not in name:
            return Path(name).read_bytes()
        import fsspec

        with fsspec.open(name, "rb") as file:
            return file.read()
    except Exception as error:  # every remote file system raises its own
        raise ModelFileError(f"{name}: cannot be read ({error})") from error


def _header(data: bytes, where: str) -> dict[str, Any]:
    """The header that `encode` wrote, its entries there and of their kinds, its format known."""
    try:
        (length,) = struct.unpack("<Q", data[:8])
        outer = json.loads(data[8 : 8 + length])
        header = json.loads(outer["__metadata__"][HEADER])
        kinds = [type(header.get(name)) for name in ("format", "spec", "sha256")]
    except (struct.error, ValueError, LookupError, TypeError, AttributeError) as error:
        # Only now: the length of a good file's header may look like a pickle's first bytes.
        if data[:1] == b"\x80" or data[:2] == b"PK":
            what = "a pickle, which can run any code, is refused"
        else:
            what = "no xocean_ml model file (safetensors with a spec), or truncated"
        raise ModelFileError(f"{where}: {what}") from error
    if kinds[0] is int and header["format"] > FORMAT:
        raise ModelFileError(
            f"{where}: format {header['format']} is newer than this xocean_ml reads ({FORMAT}); "
            "upgrade xocean_ml"
        )
    if kinds != [int, dict, str] or header["format"] < 1:
        raise ModelFileError(f"{where}: altered, its header makes no sense")
    return header


def _tensors(model: Model) -> dict[str, np.ndarray]:
    """The weights as they lie in a file: contiguous, in this machine's byte order."""
    return {
        name: np.asarray(native(np.asarray(value)), order="C")
        for name, value in model.tensors().items()
    }


def _sha256(spec: str, tensors: Tensors) -> str:
    whole = hashlib.sha256(spec.encode())
    for name in sorted(tensors):
        value = tensors[name]
        whole.update(f"{name} {value.dtype.str} {value.shape}".encode())
        whole.update(value.tobytes())
    return whole.hexdigest()
