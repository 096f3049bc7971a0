"""Laws of model files: what is saved is what is loaded, and nothing else is."""

from __future__ import annotations

import importlib.metadata
import json
import os
import pickle
import stat
import struct
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import xocean_ml as xo
from xocean_ml import persist
from xocean_ml.errors import ModelFileError
from xocean_ml.persist import Reference
from xocean_ml.smoothing import Dong
from xocean_ml.spec import FieldSpec, Spec

SETTINGS = settings(max_examples=60, deadline=None)


@persist.register("xocean-test")
@dataclass(frozen=True)
class Weighted:
    """A small model with weights."""

    weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    config: Mapping[str, object] = field(default_factory=dict)
    name: str = "xocean-test"

    @property
    def spec(self) -> Spec:
        reads = (FieldSpec("sea_surface_height", "state", "m"),)
        return Spec(self.name, reads, reads, reach={"Y": 3}, config=self.config)

    @classmethod
    def build(cls, spec: Spec, tensors: Mapping[str, np.ndarray]) -> Weighted:
        BUILT.append(spec.name)
        return cls(dict(tensors), spec.config, spec.name)

    def tensors(self) -> Mapping[str, np.ndarray]:
        return self.weights

    def save(self, path: str | os.PathLike[str]) -> None:
        persist.save(self, path)


BUILT: list[str] = []

SMALL = Weighted({"w": np.arange(6, dtype="f4").reshape(2, 3), "b": np.array(0.5)}, {"depth": 3})


def _same(one: persist.Model, two: persist.Model) -> bool:
    """Equal specs; equal names, shapes, dtypes and bits of weights."""
    a, b = one.tensors(), two.tensors()
    return (
        one.spec == two.spec
        and a.keys() == b.keys()
        and all(
            a[n].shape == b[n].shape
            and a[n].dtype.newbyteorder("=") == b[n].dtype
            and a[n].astype(b[n].dtype).tobytes() == b[n].tobytes()
            for n in a
        )
    )


DTYPES = st.sampled_from(["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "?", ">f4", ">i8"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def arrays(draw):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    array = draw(hnp.arrays(np.dtype(draw(DTYPES)), shape))
    turn = draw(st.sampled_from(["as it is", "flipped", "transposed"]))
    if turn == "flipped" and array.ndim:
        return array[::-1]
    return array.T if turn == "transposed" else array


@SETTINGS
@given(
    st.dictionaries(st.text(st.characters(codec="ascii"), min_size=1, max_size=6), arrays()),
    st.dictionaries(st.text(max_size=5), JSON, max_size=4),
)
def test_what_is_saved_is_what_is_loaded(weights, config):
    weights = {name: value for name, value in weights.items() if name != "__metadata__"}
    model = Weighted(weights, config)
    again = persist.decode(persist.encode(model))
    assert _same(model, again)
    assert persist.digest(again) == persist.digest(model)
    assert persist.encode(again) == persist.encode(model)


def test_a_file_whose_header_has_any_length_is_read():
    """A header of 640 bytes begins like a pickle, one of 19280 like a zip file."""
    lengths = set()
    for size in [*range(0, 1500, 8), *range(18500, 19300, 8)]:
        data = persist.encode(Weighted(config={"note": "x" * size}))
        lengths.add(struct.unpack("<Q", data[:8])[0])
        assert persist.decode(data).spec.config["note"] == "x" * size
    assert {640, 896, 1152, 1408, 19280} <= lengths


def test_a_file_on_disk(tmp_path):
    SMALL.save(tmp_path / "model.safetensors")
    assert _same(SMALL, xo.load(tmp_path / "model.safetensors"))
    assert _same(SMALL, xo.load(str(tmp_path / "model.safetensors")))
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_file_has_the_permissions_of_any_new_file(tmp_path):
    SMALL.save(tmp_path / "model.safetensors")
    (tmp_path / "other").write_text("")
    modes = {stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("model.safetensors", "other")}
    assert len(modes) == 1


def test_another_spec_or_weight_has_another_digest():
    others = [
        Weighted(SMALL.weights, {"depth": 4}),
        Weighted({**SMALL.weights, "w": SMALL.weights["w"] + 1}, SMALL.config),
        Weighted({**SMALL.weights, "w": SMALL.weights["w"].reshape(3, 2)}, SMALL.config),
        Weighted({**SMALL.weights, "w": SMALL.weights["w"].view("i4")}, SMALL.config),
        Weighted({"v": SMALL.weights["w"], "b": SMALL.weights["b"]}, SMALL.config),
    ]
    assert len({persist.digest(model) for model in [SMALL, *others]}) == 1 + len(others)


# ---- damaged files -------------------------------------------------------------------------

DATA = persist.encode(SMALL)


def test_every_truncation_is_told():
    for length in range(len(DATA)):
        with pytest.raises(ModelFileError, match="here"):
            persist.decode(DATA[:length], "here")


def test_more_bytes_are_told():
    with pytest.raises(ModelFileError):
        persist.decode(DATA + b"\0")


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_every_changed_byte_is_told(at, change):
    """An altered file is refused; it may be accepted only where spec and weights are the same.

    That is so for white space between JSON tokens alone.
    """
    data = bytearray(DATA)
    data[at] ^= change
    try:
        got = persist.decode(bytes(data))
    except ModelFileError:
        return
    assert _same(SMALL, got)
    assert chr(data[at]).isspace()


@SETTINGS
@given(st.binary(max_size=200))
def test_any_bytes_are_no_model(data):
    for each in (data, struct.pack("<Q", len(data)) + data):
        with pytest.raises(ModelFileError):
            persist.decode(each)


def _with_header(change) -> bytes:
    """A file like `DATA` with another xocean_ml header."""
    (length,) = struct.unpack("<Q", DATA[:8])
    outer = json.loads(DATA[8 : 8 + length])
    header = json.loads(outer["__metadata__"]["xocean_ml"])
    header = change(header)
    outer["__metadata__"]["xocean_ml"] = json.dumps(header)
    text = json.dumps(outer).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + DATA[8 + length :]


def test_the_header_can_be_rewritten():
    """The tests below change what they mean to change."""
    assert _same(SMALL, persist.decode(_with_header(dict)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda h: h | {"format": 2}, "newer.*upgrade", id="newer"),
        pytest.param(lambda h: {"format": 99}, "newer.*upgrade", id="newer, other layout"),
        pytest.param(lambda h: h | {"format": "2"}, "altered", id="format no number"),
        pytest.param(lambda h: h | {"format": 0}, "altered", id="format too old"),
        pytest.param(lambda h: {k: v for k, v in h.items() if k != "sha256"}, "alter", id="no sha"),
        pytest.param(
            lambda h: {k: v for k, v in h.items() if k != "spec"}, "altered", id="no spec"
        ),
        pytest.param(lambda h: h | {"spec": []}, "altered", id="spec no object"),
        pytest.param(lambda h: [h], "no xocean_ml model file", id="header no object"),
        pytest.param(
            lambda h: h | {"spec": h["spec"] | {"config": {}}}, "altered", id="other spec"
        ),
    ],
)
def test_a_header_that_is_not_ours_is_told(change, said):
    with pytest.raises(ModelFileError, match=f"^mine: .*{said}"):
        persist.decode(_with_header(change), "mine")


def test_a_layout_that_the_kind_does_not_know_is_told():
    """A newer xocean_ml may write specs with more fields, or configurations with more settings."""

    @dataclass(frozen=True)
    class Newer(Weighted):
        @property
        def spec(self) -> Spec:
            return Spec("dong", (), (), version=2, config={"decay_days": 3.0, "sharpness": 2})

    with pytest.raises(ModelFileError, match=r"sharpness.*upgrade"):
        persist.decode(persist.encode(Newer()), "mine")


def test_another_safetensors_file_is_told(tmp_path):
    from safetensors.numpy import save_file

    save_file({"w": np.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelFileError, match="no xocean_ml model file"):
        xo.load(tmp_path / "other.safetensors")


@pytest.mark.parametrize("ending", [".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".PT"])
def test_pickles_are_refused_by_name(ending, tmp_path):
    """Whatever is in them, and whether they are there or not."""
    with pytest.raises(ModelFileError, match=r"pickled.*refused"):
        xo.load(tmp_path / f"model{ending}")


class Trap:
    """Its pickle would make a folder when it is read."""

    def __init__(self, folder) -> None:
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_are_refused_by_content(protocol, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung"), protocol))
    with pytest.raises(ModelFileError, match="pickle" if protocol >= 2 else "no xocean_ml model"):
        xo.load(path)
    assert not (tmp_path / "sprung").exists()


def test_torch_files_are_refused_by_content(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "model.safetensors"
    torch.save({"w": torch.zeros(3)}, path)
    with pytest.raises(ModelFileError, match="pickle"):
        xo.load(path)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("no-such-model", "'no-such-model'; known: .*dong"),
        ("missing.safetensors", r"missing\.safetensors: cannot be read .*No such file"),
        ("memory://missing.safetensors", r"memory://missing\.safetensors: cannot be read"),
        ("nowhere://missing.safetensors", r"nowhere://missing\.safetensors: cannot be read"),
        ("model.h5", r"'model\.h5'; known"),
    ],
)
def test_what_is_not_there_is_told(source, said):
    with pytest.raises(ModelFileError, match=said):
        xo.load(source)


def test_an_unknown_kind_is_told_with_those_known():
    data = persist.encode(Weighted(name="no-such-kind"))
    with pytest.raises(ModelFileError, match=r"mine: .*'no-such-kind'; known: .*dong"):
        persist.decode(data, "mine")


def test_only_safetensors_are_written(tmp_path):
    with pytest.raises(ModelFileError, match=r"\.safetensors"):
        SMALL.save(tmp_path / "model.pt")
    assert not list(tmp_path.iterdir())


# ---- writing whole or not at all -----------------------------------------------------------


@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failed_write_leaves_what_was_there(failure, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"before")

    def fail(partial):
        partial.write_bytes(b"half")
        raise failure

    with pytest.raises(type(failure)):
        persist.write_atomically(path, fail)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_before_it_began_leaves_nothing(tmp_path):
    def fail(partial):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        persist.write_atomically(tmp_path / "a.nc", fail)
    assert not list(tmp_path.iterdir())


def test_readers_see_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "a.nc"
    path.write_bytes(b"before")

    def write(partial):
        partial.write_bytes(b"after")
        assert path.read_bytes() == b"before"
        assert partial.suffix == ".nc"

    persist.write_atomically(path, write)
    assert path.read_bytes() == b"after"


# ---- plug-ins ------------------------------------------------------------------------------


@pytest.fixture
def plugin(monkeypatch):
    """Entry points of other packages, as an installed distribution would bring them."""
    found = [
        importlib.metadata.EntryPoint(name, value, "xocean_ml.models")
        for name, value in {"theirs": f"{__name__}:Theirs", "broken": "no_such_module:X"}.items()
    ]

    def entry_points(*, group):
        return importlib.metadata.EntryPoints(found).select(group=group)

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)


class Theirs(Weighted):
    """A third-party model; only its entry point makes it known."""


def test_a_third_party_model_is_found_by_its_entry_point(plugin):
    model = Theirs(SMALL.weights, {"depth": 1}, "theirs")
    again = persist.decode(persist.encode(model))
    assert isinstance(again, Theirs)
    assert _same(model, again)
    assert isinstance(xo.load("theirs"), Theirs)


def test_a_broken_plugin_breaks_only_itself(plugin):
    assert xo.load("dong").spec.name == "dong"
    with pytest.raises(ModelFileError, match="plug-in 'broken' = no_such_module:X cannot be load"):
        xo.load("broken")
    with pytest.raises(ModelFileError, match=r"known: .*broken, .*theirs"):
        xo.load("no-such-model")


def test_the_protocol_is_what_our_models_are():
    assert isinstance(SMALL, persist.Model)
    assert isinstance(xo.load("dong"), persist.Model)
    assert not isinstance(object(), persist.Model)


# ---- travelling ----------------------------------------------------------------------------


def _unlike_any_other(name: str) -> Weighted:
    return Weighted({"w": np.ones(3)}, {"test": name, "process": os.getpid()})


def test_a_parcel_is_opened_once_per_process():
    parcel = persist.parcel(_unlike_any_other("bytes"))
    assert isinstance(parcel, bytes)
    BUILT.clear()
    with ThreadPoolExecutor(8) as threads:
        models = list(threads.map(lambda _: persist.revive(bytes(bytearray(parcel))), range(32)))
    assert BUILT == ["xocean-test"]
    assert len({id(model) for model in models}) == 1


def test_a_model_that_needs_no_delivery_is_itself():
    assert persist.revive(SMALL) is SMALL


@pytest.mark.parametrize("source", [None, "mine.safetensors", "file:///mine.safetensors"])
def test_a_model_that_only_this_machine_has_travels_as_bytes(source):
    assert persist.parcel(SMALL, source) == persist.encode(SMALL)


@pytest.fixture
def remote():
    """A URL that any process of this test can write to and read from."""
    fsspec = pytest.importorskip("fsspec")
    url = "memory://xocean-test/model.safetensors"

    def put(model):
        with fsspec.open(url, "wb") as file:
            file.write(persist.encode(model))
        return url

    yield put
    fsspec.filesystem("memory").rm("/xocean-test", recursive=True)


def test_a_remote_model_travels_by_reference_and_is_fetched_once(remote):
    model = _unlike_any_other("remote")
    url = remote(model)
    assert _same(model, xo.load(url))
    parcel = persist.parcel(model, url)
    assert parcel == Reference(url, persist.digest(model))
    BUILT.clear()
    assert _same(model, persist.revive(parcel))
    assert persist.revive(Reference(url, persist.digest(model))) is persist.revive(parcel)
    assert BUILT == ["xocean-test"]


def test_a_remote_model_that_has_changed_is_told(remote):
    parcel = persist.parcel(_unlike_any_other("before"), remote(_unlike_any_other("before")))
    remote(_unlike_any_other("after"))
    with pytest.raises(ModelFileError, match=r"model\.safetensors: has changed"):
        persist.revive(parcel)


def test_a_remote_model_smooths(remote):
    """What a call decides for itself (which ends are repaired) is no change of the file."""
    time = xr.date_range("2000-01-01", periods=30)
    attrs = {"standard_name": "change_over_time_in_sea_water_temperature", "units": "K"}
    ds = xr.Dataset({"d": ("time", np.arange(30.0), attrs)}, {"time": time})
    url = remote(Dong(30.0))
    got = ds.chunk().ml_smooth(url, conserve=None).compute()
    np.testing.assert_array_equal(got.d, ds.ml_smooth(Dong(30.0), conserve=None).d)
    xr.testing.assert_identical(ds.ml_smooth(url, decay="9D").d, ds.ml_smooth("dong", decay="9D").d)
