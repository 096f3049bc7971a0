"""Where things lie: the table of layers is true, and no module hides a public name."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "xocean_ml"
COMMON = {"errors", "spec"}
ROOMS = ["chunked", "currents", "evaluate", "fields", "grid", "observations", "plot", "units"]
LOOKS_UP = {
    ("persist", each) for each in ("smoothing", "downscaling", "assimilation", "generative")
}
"""The registry of models: who is known to it registers when a file is loaded."""


def layers() -> list[list[str]]:
    """The table's rows, lowest first, each from left to right."""
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("## Layers")[2].partition("\n## ")[0]
    rows = [line.split("|")[2] for line in text.splitlines() if line.startswith("| ")]
    return [re.findall(r"`(\w+)(?:/|\.py)`", row) for row in reversed(rows[1:])]


def modules() -> list[str]:
    names = {path.stem for path in PACKAGE.glob("*.py")}
    names |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    return sorted(names - COMMON - {"__init__"})


def files(name: str) -> list[Path]:
    alone = PACKAGE / f"{name}.py"
    return [alone] if alone.exists() else sorted((PACKAGE / name).rglob("*.py"))


def known(path: Path) -> Iterator[str]:
    """Modules of the package's top level that a file imports, anywhere in it."""
    above = ["xocean_ml", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = above[: len(above) - node.level + 1] if node.level else []
            start = ".".join([*base, *filter(None, [node.module])])
            names = [f"{start}.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("xocean_ml."):
                yield name.split(".")[1]


def test_every_module_has_one_place_in_the_table() -> None:
    places = [name for row in layers() for name in row]
    assert len(places) == len(set(places))
    assert set(modules()) <= set(places)


@pytest.mark.parametrize("name", modules())
def test_each_knows_only_what_lies_under_it(name: str) -> None:
    order = [each for row in layers() for each in row]
    below = {*order[: order.index(name)], *COMMON, name}
    for path in files(name):
        for other in known(path):
            assert other in below or (name, other) in LOOKS_UP, f"{path.name} imports {other}"


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_hides_a_public_name(room: str) -> None:
    """`fields.table` is the function, whichever modules of the package were imported."""
    package = importlib.import_module(f"xocean_ml.{room}")
    assert not {each.name for each in pkgutil.iter_modules(package.__path__)} & {*package.__all__}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_s_map_names_its_modules(room: str) -> None:
    package = importlib.import_module(f"xocean_ml.{room}")
    told = set(re.findall(r"^`(\w+)`  ", package.__doc__ or "", re.M))
    assert told == {e.name for e in pkgutil.iter_modules(package.__path__) if e.name[0] != "_"}


@pytest.mark.parametrize("room", ROOMS)
def test_in_a_room_each_knows_only_those_above_it(room: str) -> None:
    package = importlib.import_module(f"xocean_ml.{room}")
    order = re.findall(r"^`(\w+)`  ", package.__doc__ or "", re.M)
    for k, name in enumerate(order):
        text = (PACKAGE / room / f"{name}.py").read_text()
        found = re.findall(rf"^ *from xocean_ml\.{room}\.([a-z]\w*) import", text, re.M)
        assert set(found) <= set(order[:k]), f"{room}/{name}.py"
