import struct
import zlib

import numpy as np
import pytest

from mlx_drmario import render
from mlx_drmario.render import Scene, capsule_cells
from mlx_drmario.spec import BOTTOM, CELLS, CLEARING, EMPTY, LEFT_HALF, RIGHT_HALF, SINGLE, TOP, VIRUS

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
    colored = render.text(scene)
    assert "\x1b[38;2;" in colored and len(colored.splitlines()) == len(render.text(scene, color=False).splitlines())
    monkeypatch.setenv("NO_COLOR", "1")
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
def test_capsule_cells(pose, expected):
    assert capsule_cells((RED, BLUE), *pose) == expected


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


def test_wall_places_pictures_in_rows(bottle):
    pictures = [render.rgb(Scene(bottle, frames=n), cell=8) for n in range(3)]
    height, width, _ = pictures[0].shape
    wall = render.wall(pictures, columns=2)
    assert wall.shape == (2 * height, 2 * width, 3)
    assert np.array_equal(wall[:height, width:], pictures[1])
    assert np.array_equal(wall[height:, :width], pictures[2])
    assert (wall[height:, width:] == render.BACKGROUND).all()


def test_png_decodes_to_the_same_pixels(tmp_path, bottle):
    picture = render.rgb(Scene(bottle), cell=8)
    render.save_png(tmp_path / "board.png", picture)
    data = (tmp_path / "board.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + size
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (height, width, rest) == (*picture.shape[:2], [8, 2, 0, 0, 0])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert not rows[:, 0].any() and np.array_equal(rows[:, 1:].reshape(picture.shape), picture)


def test_bad_input(bottle, tmp_path):
    with pytest.raises(ValueError, match="bottle is uint8"):
        Scene(bottle[:100])
    with pytest.raises(ValueError, match="bottle is int64"):
        Scene(bottle.astype(np.int64))
    with pytest.raises(ValueError, match="cell is 4"):
        render.rgb(Scene(bottle), cell=4)
    with pytest.raises(ValueError, match="0 pictures"):
        render.wall([], 2)
    with pytest.raises(ValueError, match="picture is"):
        render.save_png(tmp_path / "x.png", np.zeros((4, 4, 4), np.uint8))
