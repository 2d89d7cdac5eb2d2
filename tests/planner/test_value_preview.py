"""What a board offers the next capsule: each feature counted by hand on a drawn bottle, all by a slow count."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario.positions import Position

Y, R, B = 0, 1, 2
DRAWN: list[tuple[str, str, tuple[int, int], int]] = [
    # feature, bottle (bottom rows), next capsule, count
    ("first_top_one", "y..r.... Y.YR...y", (Y, R), 3),
    ("first_top_two", "y..r.... Y.YR...y", (Y, R), 1),
    ("first_top_three", "y.....y. y.y..... Y.Y...y.", (Y, B), 1),
    ("first_virus_one", "Y.y..... y.Y.Y...", (Y, B), 2),
    ("first_virus_two", "Y.y.y... y.Y.y...", (Y, B), 2),
    ("first_virus_three", "y.y.y... y.y.y... y.Y.b... Y.......", (Y, B), 1),
    ("second_top_one", "y..r.... Y.YR...y", (Y, R), 1),
    ("second_top_two", "y..r.... Y.YR...y", (B, R), 1),
    ("second_top_three", "y.....y. y.y..... Y.Y...y.", (B, Y), 1),
    ("second_virus_one", "Y.y..... y.Y.Y...", (B, Y), 2),
    ("second_virus_two", "Y.y.y... y.Y.y...", (B, Y), 2),
    ("second_virus_three", "y.y.y... y.y.y... y.Y.b... Y.......", (B, Y), 1),
    ("pair_one", "..by.... yb..yb.y", (Y, B), 3),
    ("pair_two", "yb.yb..r bb.yY..R", (Y, B), 2),
    ("pair_both", "yb.yb..r yb.bb..R", (B, Y), 1),
    ("pair_three", "yb.yb.by yb.yb.by yr.ry.ry", (B, Y), 2),
]


def counts(cells: NDArray[np.uint8], preview: Any) -> dict[str, int]:
    found = dm.preview_features(cells.reshape(1, 128), np.array([preview]))
    return dict(zip(dm.preview_feature_names(), found[0].tolist(), strict=True))


@pytest.mark.parametrize(("name", "bottle", "preview", "expected"), DRAWN)
def test_drawn(name: str, bottle: str, preview: tuple[int, int], expected: int) -> None:
    assert counts(Position("drawn", bottle).cells(), preview)[name] == expected


def test_every_feature_is_drawn() -> None:
    assert {name for name, *_ in DRAWN} == set(dm.preview_feature_names())


def slow_counts(cells: NDArray[np.uint8], preview: tuple[int, int]) -> dict[str, int]:
    """The definitions of docs/search.md, column by column."""
    board = cells.reshape(16, 8)
    tops: list[tuple[int, int, int, int]] = []  # row, colour, length of the run, rows down to its first virus
    for column in board.T:
        rows = np.flatnonzero(column != 0xFF)
        if not len(rows):
            tops.append((16, 9, 0, 9))
            continue
        top, color = int(rows[0]), int(column[rows[0]]) & 15
        run = 1
        while top + run < 16 and column[top + run] & 15 == color and column[top + run] != 0xFF:
            run += 1
        viruses = np.flatnonzero((column[top : top + run] & 0xF0) == 0xD0)
        tops.append((top, color, run, int(viruses[0]) if len(viruses) else 9))
    out: dict[str, int] = {}
    for half, color in zip(("first", "second"), preview, strict=True):
        for length, word in ((1, "one"), (2, "two"), (3, "three")):
            mine = [top for top in tops if top[1] == color and top[2] >= length]
            out[f"{half}_top_{word}"] = len(mine)
            out[f"{half}_virus_{word}"] = sum(top[3] < length for top in mine)
    pairs = [
        (a[2], b[2])
        for a, b in itertools.pairwise(tops)
        if a[0] == b[0] < 16 and (a[1], b[1]) in (preview, preview[::-1])
    ]
    out["pair_one"] = len(pairs)
    out["pair_two"] = sum(max(pair) >= 2 for pair in pairs)
    out["pair_both"] = sum(min(pair) >= 2 for pair in pairs)
    out["pair_three"] = sum(max(pair) >= 3 for pair in pairs)
    return out


@given(st.integers(0, 2**32 - 1))
def test_all_against_the_slow_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = np.full((16, 8), 0xFF, np.uint8)
    colors = rng.choice([1, 2, 3])
    for row in range(rng.integers(0, 14), 16):
        taken = rng.random(8) < rng.choice([0.3, 0.7, 0.95])
        cells[row] = np.where(taken, rng.choice([0x80, 0xD0], 8) + rng.integers(0, colors, 8), 0xFF)
    preview = (int(rng.integers(3)), int(rng.integers(3)))
    assert counts(cells, preview) == slow_counts(cells, preview)


def test_errors() -> None:
    bottles = np.full((2, 128), 0xFF, np.uint8)
    with pytest.raises(ValueError, match=r"preview\[1, 0\] is 3, allowed are 0..2"):
        dm.preview_features(bottles, np.array([[0, 0], [3, 0]]))
    with pytest.raises(ValueError, match="preview"):
        dm.preview_features(bottles, np.zeros((3, 2), np.uint8))
