"""Every python block of README.md and docs/*.md runs, in order per page, in an empty folder.

A block with prompts is a doctest, one without is a script; all of a page share their names. A block
fenced as ``python no-run`` is not run.
"""

from __future__ import annotations

import doctest
import re
import struct
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```python *(no-run)? *\n(.*?)^```", re.M | re.S)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def blocks(text: str) -> list[tuple[int, str]]:
    """First line number and text of each block that is to be run."""
    found = []
    for match in FENCE.finditer(text):
        skip, code = match.groups()
        if not skip:
            found.append((text.count("\n", 0, match.start(2)) + 1, code))
    return found


def run(page: Path) -> list[str]:
    """Run a page's blocks; what went wrong."""
    names: dict = {"__name__": page.stem}
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for line, code in blocks(page.read_text()):
        if ">>> " in code:
            # The name of a page must not look like a doctest's own source file.
            test = doctest.DocTestParser().get_doctest(code, names, page.name, None, line - 1)
            runner.run(test, out=said.append, clear_globs=False)
            names = test.globs
        else:
            exec(compile("\n" * (line - 1) + code, str(page), "exec"), names)
    return said


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_examples_run_and_print_what_they_say(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = run(page)
    assert not said, "".join(said)


def test_a_wrong_example_is_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nx = 2\n```\n```python no-run\nx = 3\n```\n```python\n>>> x\n3\n```\n"
    )
    (told,) = [part for part in run(page) if "Expected" in part]
    assert "Got:\n    2" in told


def test_every_fenced_block_of_python_is_one_of_these():
    for page in PAGES:
        fences = re.findall(r"^```\{?(?:code-block\} )?(?:py\w*)", page.read_text(), re.M)
        assert len(fences) == len(FENCE.findall(page.read_text())), page.name


def test_pictures_are_small_and_shown():
    shown = " ".join(page.read_text() for page in PAGES)
    pictures = sorted((ROOT / "docs" / "images").glob("*.png"))
    assert pictures
    for path in pictures:
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG")
        assert len(data) < 200_000, path.name
        width, height = struct.unpack(">II", data[16:24])
        assert 600 <= width <= 1600, path.name
        assert height >= 200, path.name
        assert f"images/{path.name}" in shown
