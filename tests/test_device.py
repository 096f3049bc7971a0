"""Hand-over laws: the same values through every kind of array, and sources stay as they are."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from numpy.lib.stride_tricks import as_strided
from samples import clean_increments

from xocean_ml import device

DTYPES = ["f4", "f8", "i2", "?", ">f4", ">f8", ">i2", "f2", "u1", "i8"]


def _in_record(base):
    """A field of packed records: strides are no multiple of the item's size."""
    kind = np.dtype(
        {"names": ["v"], "formats": [base.dtype], "offsets": [1], "itemsize": base.itemsize + 1}
    )
    records = np.zeros(base.shape, kind)
    records["v"] = base
    return records["v"]


STRIDES = {
    "as it is": lambda a: a,
    "flipped": lambda a: a[:, ::-1],
    "flipped thrice": lambda a: a[::-1, ::-1, ::-1],
    "flipped, one row": lambda a: a[:, ::-1][:, 1:2],
    "one value, flipped": lambda a: a[::-1, ::-1, ::-1][:1, :1, :1],
    "transposed": lambda a: a.T,
    "fortran": np.asfortranarray,
    "every second": lambda a: a[:, ::2, 1::2],
    "every second, backwards": lambda a: a[:, ::-2],
    "broadcast": lambda a: np.broadcast_to(a[:1], (5, *a.shape[1:])),
    "broadcast, writable": lambda a: as_strided(a, (5, 3), (0, a.strides[1])),
    "field of a record": _in_record,
    "unaligned": lambda a: np.frombuffer(b"\0" + a.tobytes(), np.uint8)[1:].view(a.dtype),
    "no values": lambda a: a[:0, ::-1],
    "scalar": lambda a: a[1, 1, 1, ...],
}


@pytest.fixture(params=DTYPES)
def base(request):
    values = np.random.default_rng(0).integers(-5, 5, (4, 3, 6))
    return values.astype(request.param)


@pytest.fixture(params=STRIDES)
def array(request, base):
    return STRIDES[request.param](base)


@pytest.fixture(params=[False, True], ids=["writable", "read-only"])
def source(request, array):
    if request.param:
        array = array.view()
        array.flags.writeable = False
    return array


def test_values_go_to_torch_and_back(source):
    torch = pytest.importorskip("torch")
    tensor = device.to_torch(source)
    assert isinstance(tensor, torch.Tensor)
    back = device.to_numpy(tensor)
    assert back.dtype == source.dtype.newbyteorder("=")
    np.testing.assert_array_equal(back, source)
    assert back.shape == source.shape


def test_writing_never_reaches_a_read_only_source(array):
    before = array.copy()
    array = array.view()
    array.flags.writeable = False
    device.to_torch(array)[...] = 1
    np.testing.assert_array_equal(array, before)


def test_a_writable_tensor_shares_nothing(array):
    torch = pytest.importorskip("torch")
    before = array.copy()
    tensor = device.to_torch(array, writable=True)
    tensor[...] = 1
    np.testing.assert_array_equal(array, before)
    again = device.to_torch(tensor, writable=True)
    again[...] = 0
    assert bool((tensor == torch.ones((), dtype=tensor.dtype)).all())


def test_harmless_memory_is_shared():
    pytest.importorskip("torch")
    array = np.zeros((3, 4))
    device.to_torch(array.T)[...] = 1
    assert array.all()


def test_native_has_the_values_in_this_order_with_tame_strides(source):
    before = source.copy()
    got = device.native(source)
    assert got.dtype.isnative
    assert all(stride >= 0 and stride % got.itemsize == 0 for stride in got.strides)
    np.testing.assert_array_equal(got, before)
    assert got.shape == source.shape


def test_native_copies_only_what_needs_it():
    array = np.zeros((3, 4), "f4")
    for tame in (array, array.T, array[:, ::2], np.broadcast_to(array, (2, 3, 4))):
        assert np.shares_memory(device.native(tame), tame)


def test_tensors_are_left_where_they_are_or_moved():
    torch = pytest.importorskip("torch")
    tensor = torch.arange(3)
    assert device.to_torch(tensor) is tensor
    assert device.to_torch(np.arange(3), "cpu").device.type == "cpu"
    np.testing.assert_array_equal(device.to_numpy(torch.ones(2, requires_grad=True)), [1, 1])


def test_results_become_the_kind_that_is_wanted():
    torch = pytest.importorskip("torch")
    for result in (torch.arange(3), np.arange(3)):
        got = device.to_like(result, np.zeros(1))
        assert isinstance(got, np.ndarray)
        np.testing.assert_array_equal(got, [0, 1, 2])


def test_on_the_cpu_nothing_moves(source):
    assert device.on_device(source, "cpu") is source
    assert device.on_device(None, "cpu") is None
    assert device.namespace(source) is np
    assert not device.is_cuda(source)


def test_arrays_pass_without_torch():
    """Asking what an array is must not import torch, which takes more than a second."""
    code = (
        "import sys, numpy as np; from xocean_ml import device; a = np.zeros(2);"
        "assert device.to_like(device.to_numpy(a), a) is a;"
        "device.on_device(device.native(a), device.choose('cpu'));"
        "assert 'torch' not in sys.modules and 'cupy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- choosing ------------------------------------------------------------------------------


class OnCuda:
    """What is asked of an array to know where it is."""

    __cuda_array_interface__ = {}  # noqa: RUF012


@pytest.fixture(params=[False, True], ids=["no CUDA", "CUDA"])
def machine(request, monkeypatch):
    monkeypatch.setattr(device, "_cuda_available", lambda: request.param)
    return request.param


def test_none_is_where_the_data_are_else_the_best_there_is(machine):
    assert device.choose(None, OnCuda()) == "cuda"
    assert device.choose(None, np.zeros(1)) == ("cuda" if machine else "cpu")
    assert device.choose("cpu") == "cpu"


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:3"])
def test_cuda_is_taken_if_there_is_one_and_else_told(name, machine):
    if machine:
        assert device.choose(name) == name
    else:
        with pytest.raises(ValueError, match=f"device='{name}': no CUDA device"):
            device.choose(name)


@pytest.mark.parametrize("name", ["gpu", "", "CPU", "cpu:0", "cuda:one", "cuda:-1", 0, "mps"])
def test_other_names_are_told_with_those_known(name, machine):
    with pytest.raises(ValueError, match=f"device='{name}' is not known; .*'cpu'.*'cuda'"):
        device.choose(name)


def test_a_torch_device_is_a_name_too(machine):
    torch = pytest.importorskip("torch")
    assert device.choose(torch.device("cpu")) == "cpu"


# ---- with a GPU ----------------------------------------------------------------------------


@pytest.fixture
def cupy():
    return pytest.importorskip("cupy")


@pytest.mark.gpu
@pytest.mark.parametrize("turn", ["as it is", "flipped", "flipped, one row", "transposed"])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "?"])
def test_values_go_from_cupy_to_torch_and_back(cupy, turn, dtype):
    source = STRIDES[turn](cupy.arange(72).reshape(4, 3, 6).astype(dtype))
    tensor = device.to_torch(source)
    assert tensor.is_cuda
    back = device.to_like(tensor, source)
    assert isinstance(back, cupy.ndarray)
    assert back.dtype == source.dtype
    np.testing.assert_array_equal(back.get(), source.get())
    np.testing.assert_array_equal(device.to_numpy(tensor), device.to_numpy(source))


@pytest.mark.gpu
def test_a_writable_tensor_shares_nothing_with_cupy(cupy):
    source = cupy.zeros(3)
    device.to_torch(source, writable=True)[...] = 1
    assert not source.any()


@pytest.mark.gpu
def test_arrays_are_put_on_the_device_and_stay_there(cupy):
    for array in (np.arange(6.0)[::-1], np.arange(6, dtype=">f4")):
        got = device.on_device(array, "cuda:0")
        assert isinstance(got, cupy.ndarray)
        np.testing.assert_array_equal(got.get(), array)
        assert device.on_device(got, "cuda") is got
        assert device.namespace(got) is cupy
    assert device.choose(None, got) == "cuda"


@pytest.mark.gpu
@pytest.mark.parametrize("over", ["cell", "column", "global"])
@pytest.mark.parametrize("chunks", [None, {"time": 7}, {"lat": 2}])
@pytest.mark.parametrize("spread", [None, "spread"])
@pytest.mark.filterwarnings("ignore:.*rechunked")
def test_what_is_on_the_gpu_is_smoothed_there(cupy, over, chunks, spread):
    ds = clean_increments(steps=36)
    ds = ds.assign({name: ds[name].astype("f8") for name in ("increment", "spread")})
    options = {"conserve": "YS", "conserve_over": over, "spread": spread}
    wanted = ds.ml_smooth("dong", device="cpu", **options).increment
    names = ("increment", "spread")
    there = ds.assign({n: ds[n].copy(data=cupy.asarray(ds[n].values)) for n in names})
    if chunks is not None:
        there = there.assign({n: there[n].chunk(chunks) for n in names})
    got = there.ml_smooth("dong", **options).increment.compute()
    assert isinstance(got.data, cupy.ndarray)
    assert all(isinstance(coord.data, np.ndarray) for coord in got.coords.values())
    scale = float(np.nanmax(np.abs(wanted)))
    np.testing.assert_allclose(got.data.get(), wanted.values, rtol=0, atol=1e-12 * scale)


@pytest.mark.gpu
def test_what_is_on_the_cpu_comes_back_to_it(cupy):
    ds = clean_increments(steps=36)
    got = ds.ml_smooth("dong", device="cuda", conserve="YS")
    assert isinstance(got.increment.data, np.ndarray)
    xr.testing.assert_allclose(got.increment, ds.ml_smooth("dong", conserve="YS").increment)
