import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario import render
from mlx_drmario.render import Scene
from mlx_drmario.spec import BOTTOM, CELLS, CLEARING, EMPTY, FALL, LEFT_HALF, RESOLVE, RIGHT_HALF, SINGLE, TOP, VIRUS

YELLOW, RED, BLUE = 0, 1, 2


@pytest.fixture
def bottle():
    cells = np.full(CELLS, EMPTY, np.uint8)
    cells[15 * 8 + 0] = VIRUS + RED
    cells[15 * 8 + 1] = VIRUS + BLUE
    cells[15 * 8 + 2] = VIRUS + YELLOW
    cells[14 * 8 + 0 : 14 * 8 + 2] = LEFT_HALF + YELLOW, RIGHT_HALF + BLUE
    cells[13 * 8 + 5], cells[14 * 8 + 5] = TOP + RED, BOTTOM + YELLOW
    cells[15 * 8 + 7] = SINGLE + BLUE
    cells[15 * 8 + 5] = CLEARING + RED
    return cells


def test_plain_text(bottle):
    text = render.text(Scene(bottle, (RED, BLUE), "level 3 HI", viruses=3, frames=120, capsules=4), color=False)
    lines = text.splitlines()
    assert lines[:3] == ["level 3 HI", "next (rb)", "+" + "-" * 16 + "+"]
    assert lines[3:16] == ["|" + " ." * 8 + "|"] * 13
    assert lines[16:] == [
        "| . . . . .^r . .|",
        "|(yb) . . .vy . .|",
        "|R*B*Y* . .xr .'b|",
        "+" + "-" * 16 + "+",
        "viruses 3  frames 120  capsules 4",
    ]


def test_colored_text_has_the_same_shape_and_obeys_no_color(bottle, monkeypatch):
    scene = Scene(bottle)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLORTERM", "truecolor")
    colored = render.text(scene)
    assert "\x1b[38;2;" in colored and len(colored.splitlines()) == len(render.text(scene, color=False).splitlines())
    monkeypatch.delenv("COLORTERM")
    few = render.text(scene)
    assert ";2;" not in few and "\x1b[38;5;" in few and len(few.splitlines()) == len(colored.splitlines())
    assert render._code((255, 0, 0)) == "5;196" and render._code((95, 135, 175)) == "5;67"
    for name, value in (("TERM", "dumb"), ("NO_COLOR", "1")):
        with monkeypatch.context() as only:
            only.setenv(name, value)
            assert render.text(scene) == render.text(scene, color=False)


@pytest.mark.parametrize(
    ("pose", "expected"),
    [
        ((3, 15, 0), [(3, LEFT_HALF + RED), (4, RIGHT_HALF + BLUE)]),
        ((3, 15, 2), [(3, LEFT_HALF + BLUE), (4, RIGHT_HALF + RED)]),
        ((7, 0, 1), [(119, TOP + BLUE), (127, BOTTOM + RED)]),
        ((7, 0, 3), [(119, TOP + RED), (127, BOTTOM + BLUE)]),
        ((2, 15, 3), [(2, BOTTOM + BLUE)]),  # the upper half sticks out of the bottle
    ],
)
@pytest.mark.parametrize("seat", [1, 2])
def test_a_falling_capsule_is_drawn_over_its_player_s_bottle(bottle, pose, expected, seat):
    games = dm.Batch(num_envs=2, players=2)
    states = games.state.copy()
    states[f"p{seat}_bottle"] = bottle
    states[f"p{seat}_next_action"][:] = FALL, RESOLVE
    values = (*pose, RED, BLUE)
    for name, value in zip(("x", "y", "rotation", "color_l", "color_r"), values, strict=True):
        states[f"p{seat}_pill_{name}"] = value
    falling, settling = render.drawn(states, seat)
    assert (settling == bottle).all(), "no capsule falls"
    cells, found = zip(*expected, strict=True)
    assert falling[list(cells)].tolist() == list(found)
    falling[list(cells)] = bottle[list(cells)]
    assert (falling == bottle).all()


def test_pixels_tell_every_kind_and_color_apart():
    kinds = (VIRUS, TOP, BOTTOM, LEFT_HALF, RIGHT_HALF, SINGLE, CLEARING)
    pictures = set()
    for byte in [0xFF] + [kind + color for kind in kinds for color in range(3)]:
        cells = np.full(CELLS, EMPTY, np.uint8)
        cells[0] = byte
        pictures.add(render.rgb(Scene(cells), cell=12).tobytes())
    assert len(pictures) == 1 + 3 * len(kinds)


def test_capsule_halves_touch_and_viruses_do_not(bottle):
    cell = 16
    picture = render.rgb(Scene(bottle), cell=cell)
    assert picture.shape == (18 * cell, 14 * cell, 3) and picture.dtype == np.uint8

    def border(row, left):
        """The pixels on both sides of the border between two neighbouring cells, at half height."""
        y, x = (row + 1) * cell + cell // 2, (left + 2) * cell
        return picture[y, x - 1], picture[y, x]

    for side in border(14, 0):
        assert side.astype(int).max() > 100
    for side in border(15, 1):
        assert tuple(side) == render.BACKGROUND


def test_pixels_show_preview_and_counters(bottle):
    plain = render.rgb(Scene(bottle))
    for extra in ({"preview": (RED, RED)}, {"viruses": 3}, {"frames": 3}, {"capsules": 3}):
        assert not np.array_equal(plain, render.rgb(Scene(bottle, **extra)))
    assert not np.array_equal(render.rgb(Scene(bottle, frames=123)), render.rgb(Scene(bottle, frames=124)))


def test_bad_input(bottle):
    with pytest.raises(ValueError, match="bottle is uint8"):
        Scene(bottle[:100])
    with pytest.raises(ValueError, match="bottle is int64"):
        Scene(bottle.astype(np.int64))
    with pytest.raises(ValueError, match="cell is 4"):
        render.rgb(Scene(bottle), cell=4)
