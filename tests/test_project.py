"""The files around the package say the same as each other, and what they say is true."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import xocean_ml

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
HEAVY = {"cupy", "dask", "gsw", "numba", "pandas", "pint", "scipy", "torch"}

CONDA = {"dask": "dask-core", "torch": "pytorch", "cf-xarray": "cf_xarray"}
CONDA |= {"matplotlib": "matplotlib-base"}
"""Names at conda-forge, where they differ."""

MODULES = {
    "netcdf4": "netCDF4",
    "pyyaml": "yaml",
    "pint-xarray": "pint_xarray",
    "pyqg-jax": "pyqg_jax",
    "iris-sample-data": "iris_sample_data",
}
MODULES |= {"cf-xarray": "cf_xarray"}
"""Names to import, where they differ from those to install."""


def requirements(*extras: str) -> dict[str, Requirement]:
    """Requirements of the core and of extras, by name; extras of extras unfolded."""
    lines = list(PROJECT["dependencies"])
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    found = {}
    for line in lines:
        each = Requirement(line)
        if each.name == PROJECT["name"]:
            found |= requirements(*each.extras)
        else:
            found[canonicalize_name(each.name)] = each
    return found


def pins() -> dict[str, str]:
    """Versions of constraints.txt, by name."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def run(code: str) -> str:
    """Run code in a fresh interpreter and return what it printed."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


# ---- commands and versions -----------------------------------------------------------------


def commands() -> list[list[str]]:
    """The README's commands that make an environment: the parts that ``&&`` joins."""
    text = README.replace(" &&\n", " && ")
    lines = (line.strip() for line in text.splitlines())
    return [re.split(r" && +", line) for line in lines if line.startswith("python3 -m venv")]


def test_ci_runs_the_readme_s_test_command():
    (test,) = [parts for parts in commands() if "pytest" in parts[-1]]
    script = iter((ROOT / ".ci" / "run").read_text().splitlines())
    for part in test:
        assert part in script, f"{part!r} is not a line of .ci/run, or not in this order"


def test_the_readme_s_commands_install_with_constraints_and_extras_that_exist():
    tour, test = commands()
    assert tour[-1].endswith("python -m xocean_ml")
    for _, install, _ in (tour, test):
        assert "pip install -c constraints.txt" in install
        (extras,) = re.findall(r'"\.\[(.*)\]"', install)
        assert {*extras.split(",")} <= PROJECT["optional-dependencies"].keys()


def test_every_requirement_is_pinned_to_a_version_that_it_allows():
    pinned = pins()
    for name, each in requirements("test", "docs").items():
        assert each.specifier.contains(pinned[name]), f"{each} but {name}=={pinned[name]}"


def test_pins_can_be_installed_from_any_index():
    assert not [f"{n}=={v}" for n, v in pins().items() if Version(v).local]


def test_conda_environment_is_the_test_command_s():
    lines = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = {each.name: each.specifier for each in map(Requirement, lines)}
    assert str(conda.pop("python")) == PROJECT["requires-python"]
    conda.pop("pip")
    ours = {CONDA.get(n, n): each.specifier for n, each in requirements("test").items()}
    assert conda == ours


def test_versions_agree():
    found = re.search(r'^__version__ = "(.*)"', (ROOT / "xocean_ml/__init__.py").read_text(), re.M)
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    assert found is not None
    assert found[1] == cited == PROJECT["version"]
    assert f"[{PROJECT['version']}]" in (ROOT / "CHANGELOG.md").read_text()


# ---- what is imported, and what it costs ---------------------------------------------------


def test_importing_loads_nothing_that_xarray_does_not():
    show = "; import sys, json; print(json.dumps(sorted(sys.modules)))"
    alone = {*json.loads(run("import xarray" + show))}
    ours = {*json.loads(run("import xocean_ml" + show))}
    new = {name.partition(".")[0] for name in ours - alone} - sys.stdlib_module_names
    assert new == {"xocean_ml"}
    # The comparison above would see nothing if xarray itself came with all of these.
    assert not HEAVY - {"pandas"} & {name.partition(".")[0] for name in alone}


def test_everything_imported_is_declared():
    # Extras that only tests and builders need are no excuse for the package's own imports.
    declared = requirements("cuda12", "distributed", "plot", "spectra", "io", "simulate", "sample")
    modules = {MODULES.get(name, name) for name in declared} | {"cupy", "mpl_toolkits"}
    for path in sorted((ROOT / "xocean_ml").rglob("*.py")):
        for name in imports(path) - sys.stdlib_module_names - {"xocean_ml"}:
            assert name in modules, f"{path.relative_to(ROOT)} imports {name}"


def imports(path: Path) -> set[str]:
    """Top-level names of all absolute imports in a file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return {name.partition(".")[0] for name in found}


PLUGIN = """
from dataclasses import dataclass
from xocean_ml import persist
from xocean_ml.spec import Spec

@dataclass(frozen=True)
class Elsewhere:
    spec = Spec("elsewhere", (), ())

    @classmethod
    def build(cls, spec, tensors):
        return cls()

    def tensors(self):
        return {}

    def save(self, path):
        persist.save(self, path)
"""


def test_a_model_of_another_package_joins_by_its_entry_point(tmp_path, monkeypatch):
    (group,) = PROJECT["entry-points"]
    about = tmp_path / "elsewhere-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{group}]\nelsewhere = elsewhere:Elsewhere\n")
    (tmp_path / "elsewhere.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    model = importlib.import_module("elsewhere").Elsewhere()
    model.save(tmp_path / "model.safetensors")
    assert xocean_ml.load(tmp_path / "model.safetensors") == model


# ---- what is written -----------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_between_files_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_benchmark_is_told_of():
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    for path in sorted((ROOT / "benchmarks").glob("[!_]*.py")):
        assert f"`benchmarks/{path.name}`" in page


def test_every_module_says_what_it_is():
    for path in sorted((ROOT / "xocean_ml").rglob("*.py")):
        assert ast.get_docstring(ast.parse(path.read_text())), path.relative_to(ROOT)


def test_no_path_of_anybody_s_machine():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    machine = re.compile(rb"(?<![\w.:/}-])/(?:work|farm|root|tmp|home/\w+)/")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and name != ".gitignore":
            found = machine.search(path.read_bytes())
            assert not found, f"{name}: {found}"


# ---- what is shipped -----------------------------------------------------------------------


def test_wheel_holds_the_whole_package(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    no_caches = shutil.ignore_patterns("__pycache__")
    package = shutil.copytree(ROOT / "xocean_ml", source / "xocean_ml", ignore=no_caches)
    wanted = {p.relative_to(source).as_posix() for p in package.rglob("*") if p.is_file()}
    build = "from setuptools.build_meta import build_wheel; build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (wheel,) = source.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {*archive.namelist()}
    assert "xocean_ml/py.typed" in wanted
    assert wanted <= held
    assert any(name.endswith("LICENSE") for name in held)
