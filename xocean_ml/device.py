"""Hand-over between numpy, cupy and torch, safe for every stride, byte order and read-only flag.

torch reads memory as it lies: a flipped latitude (negative stride) aborts, a netCDF3 field
(big-endian) raises, and a read-only array comes in as writable. So arrays are handed over without
a copy only where all three are harmless.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = [
    "choose",
    "is_cuda",
    "namespace",
    "native",
    "on_device",
    "to_like",
    "to_numpy",
    "to_torch",
]


def is_cuda(array: Any) -> bool:
    """Whether an array (or a dask array's meta) lives on a CUDA device."""
    return hasattr(array, "__cuda_array_interface__")


def namespace(array: Any) -> ModuleType:
    """The array module, numpy or cupy, that computes on `array`.

    Examples
    --------
    >>> namespace(np.zeros(2)).__name__
    'numpy'
    """
    if is_cuda(array):
        import cupy

        return cupy
    return np


def native(array: np.ndarray) -> np.ndarray:
    """The same values in this machine's byte order, with strides that torch and CUDA can take.

    A view where it already is so, else a copy.
    """
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    # Not ascontiguousarray: an axis of length one counts as contiguous whatever its stride.
    return array.copy() if _odd(array) else array


def to_numpy(array: Any) -> np.ndarray:
    """A numpy array with the values of a numpy, cupy or torch array, on the CPU.

    Parameters
    ----------
    array : array
        Of any shape. numpy arrays pass as they are.
    """
    if isinstance(array, np.ndarray):
        return array
    if _is_torch(array):
        return array.detach().cpu().numpy()
    if is_cuda(array):
        return array.get() if hasattr(array, "get") else array.copy_to_host()
    return np.asarray(array)


def to_torch(array: Any, device: str | None = None, *, writable: bool = False) -> torch.Tensor:
    """A tensor with the values of a numpy or cupy array.

    Memory is shared where that is safe: native byte order, no negative stride, and (since torch
    would let a read-only array be written to) a writable source unless nobody will write.

    Parameters
    ----------
    array : array
        Numpy or cupy array of any shape, stride and byte order.
    device : str, optional
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``; None leaves the data where they are.
    writable : bool
        Promise of the caller to write into the tensor: then it never shares memory.

    Returns
    -------
    torch.Tensor
        Same shape and values.
    """
    import torch

    if isinstance(array, torch.Tensor):
        tensor = array.clone() if writable else array
    elif is_cuda(array):
        if _odd(array):
            array = array.copy()
        tensor = torch.from_dlpack(array)
        tensor = tensor.clone() if writable else tensor
    else:
        source = native(np.asarray(array))
        if writable or not source.flags.writeable:
            source = source.copy()
        tensor = torch.from_numpy(source)
    return tensor if device is None else tensor.to(device)


def to_like(result: Any, like: Any) -> Any:
    """`result` (torch, numpy or cupy) as the kind of array that `like` is, on its device."""
    if is_cuda(like):
        cupy = namespace(like)
        return cupy.from_dlpack(result) if _is_torch(result) else cupy.asarray(result)
    return to_numpy(result)


def on_device(array: Any, device: str) -> Any:
    """A numpy or cupy array on the device where it is to be computed on.

    Examples
    --------
    >>> on_device(np.arange(3)[::-1], "cpu")
    array([2, 1, 0])
    """
    if device == "cpu":
        return to_numpy(array) if is_cuda(array) else array
    if is_cuda(array):
        return array
    import cupy

    _, _, number = device.partition(":")
    with cupy.cuda.Device(int(number or 0)):
        return cupy.asarray(native(array))


def choose(device: str | None, data: Any = None) -> str:
    """Where to compute: where the user says, else where the data are, else CUDA if there is one.

    Parameters
    ----------
    device : str or None
        The user's word: ``"cpu"``, ``"cuda"``, ``"cuda:N"``.
    data : array, optional
        The data, or a dask array's meta.

    Raises
    ------
    ValueError
        If the device is unknown, or CUDA is asked for and there is none.

    Examples
    --------
    >>> choose("cpu")
    'cpu'
    >>> choose("gpu")
    Traceback (most recent call last):
    ...
    ValueError: device='gpu' is not known; use None, 'cpu', 'cuda' or 'cuda:N'
    """
    if device is None:
        if is_cuda(data):
            return "cuda"
        return "cuda" if _cuda_available() else "cpu"
    device = str(device)
    kind, _, number = device.partition(":")
    if device != "cpu" and (kind != "cuda" or (number and not number.isdigit())):
        raise ValueError(f"device={device!r} is not known; use None, 'cpu', 'cuda' or 'cuda:N'")
    if kind == "cuda" and not _cuda_available():
        raise ValueError(f"device={device!r}: no CUDA device (or no cupy) on this machine")
    return device


def _odd(array: Any) -> bool:
    """Whether a stride is negative (flipped) or goes over parts of values (field of a record)."""
    return any(stride < 0 or stride % array.itemsize for stride in array.strides)


def _is_torch(array: Any) -> bool:
    # Without torch imported nothing can be a tensor, and importing it costs more than a second.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def _cuda_available() -> bool:
    try:
        import cupy

        return bool(cupy.cuda.runtime.getDeviceCount())
    except Exception:  # a cupy without a driver raises its own errors
        return False
