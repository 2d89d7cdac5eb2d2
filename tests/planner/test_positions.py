"""Positions that are drawn by letters."""

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario.positions import POSITIONS, Position


def test_a_drawing_fills_a_game():
    state = dm.Decisions(num_envs=1, threads=1).state.copy()
    Position("drawn", "Yr...... .......B", capsule="RB", preview="YY", speed=1).fill(state[0])
    bottle = state["p1_bottle"][0].reshape(16, 8)
    assert (bottle[:14] == 0xFF).all() and np.argwhere(bottle != 0xFF).tolist() == [[14, 0], [14, 1], [15, 7]]
    assert [int(cell) for cell in bottle[bottle != 0xFF]] == [0xD0, 0x81, 0xD2]
    assert state["p1_virus_left_bcd"][0] == 2 and state["p1_speed_setting"][0] == 1
    named = ("p1_pill_color_l", "p1_pill_color_r", "p1_next_color_l", "p1_next_color_r")
    assert [int(state[name][0]) for name in named] == [1, 2, 0, 0]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"capsule": "RX"}, "capsule of 'drawn' is 'RX'; it must be two letters of Y, R and B"),
        ({"capsule": "rb"}, "capsule of 'drawn' is 'rb'"),
        ({"preview": "R"}, "preview of 'drawn' is 'R'"),
        ({"preview": "RBY"}, "preview of 'drawn' is 'RBY'"),
        ({"bottle": "...G...."}, "bottle of 'drawn' has the letter 'G', allowed are . Y R B y r b"),
        ({"bottle": "...R..."}, "bottle of 'drawn' must be 1 to 16 rows of 8 letters"),
        ({"bottle": " ".join(["........"] * 17)}, "bottle of 'drawn' must be 1 to 16 rows of 8 letters"),
    ],
)
def test_what_is_no_position_is_refused(wrong, sentence):
    state = dm.Decisions(num_envs=1, threads=1).state.copy()
    before = state.copy()
    with pytest.raises(ValueError, match=sentence.replace(".", r"\.")):
        Position("drawn", **{"bottle": "...R....", **wrong}).fill(state[0])
    assert all((state[name] == before[name]).all() for name in state.dtype.names)  # not what lies between the fields


def test_names_differ():
    assert len({position.name for position in POSITIONS}) == len(POSITIONS) == 24
