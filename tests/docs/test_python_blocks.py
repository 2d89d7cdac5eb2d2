"""Every Python block of the README and of docs/ runs: the blocks of a page in order, in one namespace."""

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.docs.pages import PAGES, ROOT, Block, blocks

WITH_PYTHON = [page for page in PAGES if any(block.language == "python" for block in blocks(page))]
SMALLER = {"decisions=500_000": "decisions=4_096, compile=False", ", 1000)": ", 50)"}
"""what a page writes for people, and what runs here instead of minutes"""


def run(block: Block, names: dict[str, object]) -> None:
    """Execute a block as if it stood in its page: a traceback shows the page's own lines."""
    text = block.text
    for number, less in SMALLER.items():
        text = text.replace(number, less)
    exec(compile("\n" * (block.line - 1) + text, str(block.page), "exec"), names)


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.name)
def test_python_blocks(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tests").symlink_to(ROOT / "tests")  # the recordings, where a page names them
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(builtins, "print", lambda *values, **options: None)
    names: dict[str, object] = {"__name__": "__page__"}
    for block in blocks(page):
        if block.language == "python":
            run(block, names)


def test_a_wrong_block_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A\n\n```python\nx = 1\n```\n\n```\nnot python\n```\n\n```python\nassert x == 2\n```\n")
    first, drawing, second = blocks(page)
    assert (first.line, drawing.language, second.line) == (4, "", 12)
    names: dict[str, object] = {}
    run(first, names)
    with pytest.raises(AssertionError) as error:
        run(second, names)
    assert error.traceback[-1].lineno == 11  # counted from 0


def test_every_game_of_the_first_example_ends_in_one_way() -> None:
    first = blocks(ROOT / "docs" / "decisions.md")[0]
    names: dict[str, Any] = {}
    run(first, names)
    ways = np.array([names["cleared"], names["top_out"], names["games"].truncated])
    assert (ways.sum(axis=0) == 1).all()
