import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_drmario.spec import clock
from mlx_drmario.tui.protocol import CURVES
from mlx_drmario.tui.widgets.analysis import bars, spread
from mlx_drmario.tui.widgets.curve import Curve, braille, number
from mlx_drmario.tui.widgets.summary import CLONE_CURVES, TRAINING_CURVES, Curves


def dots(lines):
    """(column, row) of every dot."""
    bits = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
    return {
        (2 * x + dx, 4 * y + dy)
        for y, line in enumerate(lines)
        for x, character in enumerate(line)
        for dy in range(4)
        for dx in range(2)
        if character != " " and (ord(character) - 0x2800) & bits[dy][dx]
    }


def test_a_rising_line_is_a_diagonal():
    lines = braille([(0, 0), (1, 1)], (0, 1), 4, 2)
    assert dots(lines) == {(column, 7 - column) for column in range(8)}


def test_every_point_is_on_the_line_and_the_line_is_connected():
    points = [(x, math.sin(x)) for x in range(40)]
    found = dots(braille(points, (-1, 1), 30, 5))
    for x, y in points:
        assert (round(x / 39 * 59), round((1 - y) / 2 * 19)) in found
    columns = sorted({column for column, _ in found})
    assert columns == list(range(60))


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50),
    st.integers(1, 40),
    st.integers(1, 10),
)
def test_whatever_is_drawn_stays_in_its_field(ys, width, height):
    curve = Curve("x")
    curve.points = list(enumerate(ys))
    lines = braille(curve.points, curve.range, width, height)
    assert len(lines) == height and all(len(line) == width for line in lines)


def test_a_run_that_goes_back_is_drawn_again_from_there():
    curves = Curves({"loss": ("loss", "primary", False)})
    curves.display = False
    for x, y in [(1, 1.0), (2, 2.0), (3, 3.0), (2, 5.0), (4, 4.0)]:
        curves.add(x, {"loss": y, "other": 1.0})
    assert curves._points["loss"] == [(1, 1.0), (2, 5.0), (4, 4.0)]


def test_a_long_run_keeps_its_whole_length():
    curves = Curves({"loss": ("loss", "primary", False)})
    curves.display = False
    for x in range(10_000):
        curves.add(x, {"loss": 1.0})
    xs = [x for x, _ in curves._points["loss"]]
    assert len(xs) <= 2_000 and xs[-1] == 9_999 and xs[0] == 0 and xs == sorted(xs)


def test_curves_are_those_that_the_worker_sends():
    assert set(TRAINING_CURVES) | set(CLONE_CURVES) == set(CURVES)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0"), (0.5, "0.5"), (1234.5, "1,234"), (61_234, "61.2k"), (1.6e6, "1.6M"), (2.5e9, "2.5G"), (1e-5, "1.0e-05")],
)
def test_numbers_are_short(value, words):
    assert number(value) == words and len(words) <= 7


def test_bars_spreads_and_clocks():
    assert bars(0.0, 4) == "    " and bars(1.0, 4) == "████" and bars(0.5, 4) == "██  " and bars(1 / 32, 4) == "▏   "
    assert spread((0.0, 1.0, 1.0), 4) == "▄  █" and spread((2.0, 2.0), 4) == "█   "
    assert (clock(59.4), clock(61), clock(3661), clock(math.inf)) == ("0:59", "1:01", "1:01:01", "-:--")
