"""The tour: what `python -m xocean_ml` prints and writes, and how it fails."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from compliance import findings
from laws import LATENT
from samples import clean_increments

from xocean_ml import tour
from xocean_ml.__main__ import main

BANDS = ["0-20 m", "20-300 m", "300-800 m", "800-2000 m", ">2000 m"]


@pytest.fixture(scope="module")
def toured(tmp_path_factory):
    """One run: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("tour") / "made" / "on the way"
    command = [sys.executable, "-m", "xocean_ml", "--output", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def _table(text: str) -> dict[tuple[str, str], list[str]]:
    """Scores by band and method."""
    found, band = {}, ""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("band"):
            break
    for line in lines:
        if line.startswith("What this shows"):
            break
        if line.strip():
            band = line[:10].strip() or band
            name, *scores = [cell for cell in line[10:].split("  ") if cell.strip()]
            found[band, name.strip()] = [cell.strip() for cell in scores]
    return found


def test_it_writes_a_file_and_a_figure_and_nothing_else(toured):
    folder, text = toured
    names = ["assimilated.nc", "assimilation.png", "downscaled.nc", "downscaling.png"]
    names += ["members.nc", "members.png", "smoothed.nc", "smoothing.png"]
    assert sorted(path.name for path in folder.iterdir()) == names
    for name in names:
        assert f"written: {folder / name}" in text
        if name.endswith("png"):
            assert (folder / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["smoothed.nc", "downscaled.nc", "assimilated.nc"])
def test_the_file_has_no_cf_finding(toured, name):
    found = findings(toured[0] / name)
    assert {each for each in found if not each.startswith(LATENT)} == set()


def test_the_networks_downscale_better_than_bicubic_and_know_how_well(toured):
    lines = toured[1].partition("guide=sst)")[2].splitlines()
    over = {}
    for name in ("bicubic", "bicubic, means kept", "network alone", "guided network"):
        (row,) = [line for line in lines if line.startswith(f"{name}  ")]
        over[name] = float(row[len(name) :].split()[1])
    ordered = list(over.values())
    assert ordered[0] == 1
    assert ordered == sorted(ordered, reverse=True)
    with xr.open_dataset(toured[0] / "downscaled.nc") as ds:
        assert ds["ssh"].sizes == {"time": 12, "latitude": 144, "longitude": 144}
        assert bool((ds["ssh_spread"].notnull() == ds["ssh"].notnull()).all())
    said = " ".join(toured[1].split())
    share = float(said.partition("how sure it is: ")[2].partition(" %")[0])
    assert 80 <= share <= 97


def test_the_file_keeps_its_sums_and_loses_its_noise(toured):
    with xr.open_dataset(toured[0] / "smoothed.nc") as ds:
        raw, smoothed = (
            ds[name].astype("f8") for name in ("raw_increment", "temperature_increment")
        )
        before, after = (x.resample(time="5YS").sum() for x in (raw, smoothed))
        sizes = np.abs(smoothed).resample(time="5YS").sum()
        assert float((np.abs(after - before) / sizes).max()) < 1e-6
        assert float(smoothed.diff("time").std()) < 0.2 * float(raw.diff("time").std())
        assert "ml_smooth" in ds.attrs["history"]


def test_the_file_is_itself_good_input(toured):
    with xr.open_dataset(toured[0] / "smoothed.nc", chunks={}) as ds:
        assert "temperature_increment" in str(ds.ml_smooth.plan("dong"))


def test_the_table_holds_each_method_in_each_band(toured):
    table = _table(toured[1])
    assert list(dict.fromkeys(band for band, _ in table)) == BANDS
    methods = [name for band, name in table if band == BANDS[0]]
    assert [name.partition(",")[0] for name in methods] == [
        *("raw", "running mean", "Dong", "learned", "learned", "optimum A")
    ]
    for band in BANDS:
        raw, mean, dong, free, closed, best = (table[band, name] for name in methods)
        assert raw[0] == "1.000"
        assert raw[-1] == "0"
        assert best[1] == "1.00"
        assert float(closed[0]) < 0.2
        errors = [float(row[1].split()[0]) for row in (free, mean, dong, raw)]
        assert 1 < errors[0] < min(errors[1:])
        assert errors[0] <= float(closed[1].split()[0]) < errors[3]
        # Closed five-year means are the raw ones.
        assert closed[2] == raw[2]
        assert float(closed[-1]) < 1e-5 < float(free[-1])


def test_what_it_says_is_what_the_table_shows(toured):
    table, words = _table(toured[1]), toured[1].partition("What this shows")[2]
    words = " ".join(words.split())
    methods = [name for band, name in table if band == BANDS[0]]
    for name in methods[:-1]:  # the last is the optimum, which all are measured by
        error = [float(table[band, name][1].split()[0]) for band in BANDS]
        assert f"{min(error):.2f} to {max(error):.2f}" in words
    noise = [table[b, "learned, closed 5YS"][0] for b in BANDS]
    assert f"{min(noise)} to {max(noise)}" in words


def test_the_same_seed_is_the_same_tour(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # the figure takes the longest
    texts = []
    for _ in range(2):
        tour.twin(tmp_path, columns=1, seed=7)
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]


# ---- a user's own file ---------------------------------------------------------------------


def _own(store: str, tmp_path) -> str:
    """Increments of temperature and, as rates, of salinity, without time bounds of even length."""
    ds = clean_increments(steps=240)
    salt = ds["increment"].isel(depth=0, drop=True) * 1e-8
    name = "tendency_of_sea_water_salinity"
    ds["dS"] = salt.assign_attrs(standard_name=name, units="1e-3 s-1", long_name="salt")
    del ds["dS"].attrs["units_metadata"]
    path = str(tmp_path / f"mine.{store}")
    ds.to_netcdf(path) if store == "nc" else ds.chunk(time=60).to_zarr(path)
    return path


@pytest.mark.parametrize("store", ["nc", "zarr"])
def test_own_increments(store, tmp_path, capsys):
    path, folder = _own(store, tmp_path), tmp_path / "out"
    assert main(["--input", path, "--output", str(folder)]) == 0
    text = capsys.readouterr().out
    assert sorted(each.name for each in folder.iterdir()) == [
        *("smoothed.nc", "smoothing_dS.png", "smoothing_increment.png")
    ]
    assert "found by standard_name" in text
    assert "1e-3 s-1, a rate" in text
    rows = [line.split() for line in text.splitlines() if line.startswith(("0-20 ", "all "))]
    assert len(rows) == 2  # a band of temperature; salinity has no depth
    for _, before, after, _, closure in rows:
        assert before == "1"
        assert float(after) < 1
        assert float(closure) < 1e-5
    with xr.open_dataset(folder / "smoothed.nc") as out:
        assert set(out["increment"].dims) == {"time", "depth", "lat", "lon"}


def test_own_file_written_adds_no_cf_finding(tmp_path):
    clean_increments(steps=72).to_netcdf(tmp_path / "in.nc")
    assert main(["--input", str(tmp_path / "in.nc"), "--output", str(tmp_path)]) == 0
    assert findings(tmp_path / "smoothed.nc") - findings(tmp_path / "in.nc") == set()


def test_without_matplotlib_it_says_how_to_get_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    clean_increments(steps=72).to_netcdf(tmp_path / "in.nc")
    folder = tmp_path / "out"
    assert main(["--input", str(tmp_path / "in.nc"), "--output", str(folder)]) == 0
    assert [path.name for path in folder.iterdir()] == ["smoothed.nc"]
    assert 'pip install "xocean_ml[plot]"' in capsys.readouterr().out


# ---- how it fails --------------------------------------------------------------------------


def _no_field(path):
    clean_increments().drop_vars(["increment", "spread"]).to_netcdf(path)


def _wrong_units(path):
    ds = clean_increments()
    ds["increment"].attrs["units"] = "m"
    ds.to_netcdf(path)


def _unsorted(path):
    clean_increments().isel(time=slice(None, None, -1)).to_netcdf(path)


def _infinite(path):
    ds = clean_increments()
    ds["increment"][3, 2, 1, 1] = np.inf
    ds.to_netcdf(path)


BAD = [
    (lambda path: None, "cannot be opened"),
    (lambda path: path.write_text("not a data set"), "cannot be opened"),
    (_no_field, "temperature_increment"),
    (_wrong_units, "units"),
    (_unsorted, "time"),
    (_infinite, "increment"),
]


@pytest.mark.parametrize(("make", "message"), BAD, ids=[name for _, name in BAD])
def test_bad_input_is_one_message_and_leaves_no_file(make, message, tmp_path, capsys):
    make(tmp_path / "in.nc")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "smoothed.nc").write_text("what was there")
    assert main(["--input", str(tmp_path / "in.nc"), "--output", str(folder)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("xocean_ml: ")
    assert message in said
    assert "Traceback" not in said
    assert [path.name for path in folder.iterdir()] == ["smoothed.nc"]
    assert (folder / "smoothed.nc").read_text() == "what was there"


def test_several_errors_are_told_together(tmp_path, capsys):
    ds = clean_increments()
    ds["increment"].attrs["units"] = "m"
    ds["dS"] = ds["increment"].assign_attrs(
        standard_name="change_over_time_in_sea_water_salinity", units="furlong"
    )
    ds.to_netcdf(tmp_path / "in.nc")
    assert main(["--input", str(tmp_path / "in.nc"), "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "increment" in said
    assert "dS" in said


def test_input_is_never_overwritten(tmp_path, capsys):
    clean_increments().to_netcdf(tmp_path / "smoothed.nc")
    before = (tmp_path / "smoothed.nc").read_bytes()
    assert main(["--input", str(tmp_path / "smoothed.nc"), "--output", str(tmp_path)]) == 2
    assert "overwritten" in capsys.readouterr().err
    assert (tmp_path / "smoothed.nc").read_bytes() == before


def test_output_that_is_a_file_is_told(tmp_path, capsys):
    (tmp_path / "taken").write_text("")
    assert main(["--output", str(tmp_path / "taken")]) == 2
    assert "taken" in capsys.readouterr().err


def test_help(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    assert "--input FILE" in capsys.readouterr().out
