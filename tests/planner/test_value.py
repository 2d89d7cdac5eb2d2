"""Features of the value function: each counted by hand on a drawn bottle, all by a slow count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlx_drmario as dm
from mlx_drmario.positions import Position

DRAWN = [
    # feature, bottle (bottom rows), count
    ("viruses_0_7", "R....... " + "........ " * 8 + "B.......", 1),
    ("viruses_8_11", "R....... ........ ........ ........ B.......", 1),
    ("viruses_12_15", "R....... ........ ........ ........ B.B..y..", 2),
    ("halves_0_1", "r....... r....... " + "Y....... " * 14, 2),
    ("halves_2_3", "r....... r....... " + "Y....... " * 12, 2),
    ("halves_4_5", "r....... r....... " + "Y....... " * 10, 2),
    ("halves_6_9", "r....... ........ b....... y....... r....... " + "Y....... " * 5, 3),
    ("halves_10_15", "r....... y....... Y......y", 3),
    ("filled", "..y..... ........ ..Y....r", 4),
    ("center_0_1", "..yyr... ..yR.... " + "..YY.... " * 14, 3),
    ("center_2_3", "..yyr... ..yR.... " + "..YY.... " * 12, 3),
    ("center_4_5", "..yyr... ..yR.... " + "..YY.... " * 10, 3),
    ("holes", "..y..y.. .....r.. ..Y....r", 2),
    ("steps", "y....... y.....b. YR....br", 2 + 1 + 2 + 1),
    ("mixed", "y....... r..y.... Y..y...b", 2),
    ("mixed_on_virus", "y....... r..y..B. Y..Y...b", 1),
    ("mixed_above_virus", "y..b.... r..y.... Y..y.... b..b....", 2),
    ("covered_viruses", "y....... ........ Y.RR.... ..B.....", 2),
    ("top_two", "y.b..... y.y.R... R.yrr...", 2),
    ("top_three", "y....... y..b.... Y..b.... r..r....", 1),
    ("virus_down_1", "y....... RY...... ........", 1),
    ("virus_down_2", "r.b..... RYBb.... Y......b", 2),
    ("virus_down_3", "r....... R.b..... RbB.....", 2),
    ("virus_across_1", "b....b.. R..Rb... ", 2),
    ("virus_across_2", "Rr.R.... ........ B...B...", 2),
    ("virus_across_3", "R.rr.... YbbB.b..", 2),
    ("virus_ready_2", "R..r.... yyrryyrb", 1),
    ("virus_ready_3", "R.rr.... y.yryyrb YY......", 0),
    ("virus_ready_3", "R.rr.... yyrryyrb", 1),
    ("virus_buried", "y....... ........ ........ ........ Rb......", 1),
    ("virus_dead", "y....... RbR.....", 1),
    ("half_down_1", "y....... ry......", 2),
    ("half_down_2", "r.b..... RYbb.... Y......b", 3),
    ("half_down_3", "r....... R.b..... RbB.....", 1),
    ("half_across_1", "b....b.. r..Yb... ", 2),
    ("half_across_2", "Rr.R.... ........ b...b...", 1),
    ("half_across_3", "R.rr.... YbbB.b..", 5),
    ("half_ready_2", "R..r.... yyrryyrb", 1),
    ("half_ready_3", "R.rr.... yyrryyrb", 2),
    ("half_buried", "Y....... ........ ........ ........ rB......", 1),
    ("half_dead", "y....... rbR.....", 1),
    ("one", "R.......", 1),
    ("root_viruses", "R.R.R...", 27),
    ("virus_columns", "R....... R..B.... ...y..b.", 2),
    ("virus_colors", "R....... R..B.... ...y..b.", 2),
    ("absent_tops", "y....... R..y....", 2),
]


def feature(name: str, cells: np.ndarray) -> int:
    return int(dm.features(cells[None])[0][dm.feature_names().index(name)])


@pytest.mark.parametrize(("name", "bottle", "expected"), DRAWN)
def test_drawn(name: str, bottle: str, expected: int) -> None:
    assert feature(name, Position("drawn", bottle).cells()) == expected


def test_every_feature_is_drawn() -> None:
    assert {name for name, _, _ in DRAWN} == set(dm.feature_names())


def windows(color: np.ndarray, other: np.ndarray, least: int, step: tuple[int, int]) -> np.ndarray:
    """bool[16, 8]: cells of the lines of four with at least `least` of `color` and the rest from `other`."""
    cells = np.zeros((16, 8), bool)
    for row in range(16 - 3 * step[0]):
        for col in range(8 - 3 * step[1]):
            line = [(row + i * step[0], col + i * step[1]) for i in range(4)]
            if all(color[at] or other[at] for at in line) and sum(color[at] for at in line) >= least:
                for at in line:
                    cells[at] = True
    return cells


def slow_features(cells: np.ndarray) -> dict[str, int]:
    """The definitions of docs/search.md, cell by cell."""
    board = cells.reshape(16, 8)
    color = np.where(board == 0xFF, 9, board & 15)
    tile, virus = color != 9, (board & 0xF0) == 0xD0
    above = np.cumsum(tile, axis=0) > 0
    filled = above
    covered = np.vstack([np.zeros((1, 8), bool), filled[:-1]])
    opened = ~filled
    ready = opened & np.vstack([filled[1:], np.ones((1, 8), bool)])
    half = tile & ~virus
    lower_tile = np.vstack([tile[1:], np.zeros((1, 8), bool)])
    lower_virus = np.vstack([virus[1:], np.zeros((1, 8), bool)])
    same = np.vstack([color[:-1] == color[1:], np.zeros((1, 8), bool)]) & tile
    mixed = tile & lower_tile & ~same
    virus_below = np.cumsum(lower_virus[::-1], axis=0)[::-1] > 0
    top = tile & ~covered
    out = {
        "viruses_0_7": virus[:8].sum(), "viruses_8_11": virus[8:12].sum(), "viruses_12_15": virus[12:].sum(),
        "halves_0_1": half[:2].sum(), "halves_2_3": half[2:4].sum(), "halves_4_5": half[4:6].sum(),
        "halves_6_9": half[6:10].sum(), "halves_10_15": half[10:].sum(), "filled": filled.sum(),
        "center_0_1": tile[:2, 3:5].sum(), "center_2_3": tile[2:4, 3:5].sum(), "center_4_5": tile[4:6, 3:5].sum(),
        "holes": (filled & ~tile).sum(), "steps": np.abs(np.diff(filled.sum(axis=0))).sum(), "mixed": mixed.sum(),
        "mixed_on_virus": (mixed & lower_virus).sum(), "mixed_above_virus": (mixed & virus_below).sum(),
        "covered_viruses": (virus & covered).sum(), "top_two": (top & same).sum(),
        "top_three": (top & same & np.vstack([same[1:], np.zeros((1, 8), bool)])).sum(),
        "one": 1, "root_viruses": int(np.sqrt(256 * virus.sum())), "virus_columns": virus.any(axis=0).sum(),
        "virus_colors": len(set(color[virus])), "absent_tops": 3 - len(set(color[top])),
    }  # fmt: skip
    kinds = {name: np.zeros((16, 8), bool) for name in (
        "down_1", "down_2", "down_3", "across_1", "across_2", "across_3", "ready_2", "ready_3", "buried", "dead",
    )}  # fmt: skip
    for c in range(3):
        mine = color == c
        for least in (1, 2, 3):
            kinds[f"down_{least}"] |= mine & windows(mine, opened, least, (1, 0))
            kinds[f"across_{least}"] |= mine & windows(mine, opened, least, (0, 1))
            if least > 1:
                kinds[f"ready_{least}"] |= mine & windows(mine, ready, least, (0, 1))
        somehow = windows(mine, ~tile, 1, (1, 0)) | windows(mine, ~tile, 1, (0, 1))
        kinds["buried"] |= mine & somehow & ~kinds["down_1"] & ~kinds["across_1"]
        kinds["dead"] |= mine & ~somehow
    for name, cells_of_kind in kinds.items():
        out[f"virus_{name}"] = (cells_of_kind & virus).sum()
        out[f"half_{name}"] = (cells_of_kind & half).sum()
    return out


@given(st.integers(0, 2**32 - 1))
def test_all_against_the_slow_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = np.full((16, 8), 0xFF, np.uint8)
    for row in range(rng.integers(0, 14), 16):
        taken = rng.random(8) < rng.choice([0.3, 0.7, 0.95])
        cells[row] = np.where(taken, rng.choice([0x80, 0xD0], 8) + rng.integers(0, 3, 8), 0xFF)
    slow = slow_features(cells)
    fast = dict(zip(dm.feature_names(), dm.features(cells.reshape(1, 128))[0].tolist(), strict=True))
    assert fast == {name: int(slow[name]) for name in fast}
