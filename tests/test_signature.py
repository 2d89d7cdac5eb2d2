"""The engine's signature: a change that alters it must state the new value and why."""

import json

import pytest

from mlx_drmario import positions, signature

from .conftest import ROOT

COMMITTED = json.loads((ROOT / "tests" / "signature.json").read_text())
DEPTH_FOUR = (11_852_496, 281_350_796)


def test_signature_is_unchanged() -> None:
    assert signature.signature(COMMITTED["depth"]) == COMMITTED


@pytest.mark.slow
def test_depth_four() -> None:
    counts = signature.perft(4)
    assert (sum(n for n, _ in counts.values()), sum(f for _, f in counts.values())) == DEPTH_FOUR


def test_thread_count_changes_nothing() -> None:
    assert signature.perft(2, threads=1) == signature.perft(2, threads=3)


def test_position_text_is_checked() -> None:
    assert len(positions.POSITIONS) >= 20
    assert len({p.name for p in positions.POSITIONS}) == len(positions.POSITIONS)
    with pytest.raises(ValueError, match="rows of 8 letters"):
        positions.Position("bad", "....").cells()
    with pytest.raises(ValueError, match="letter 'x'"):
        positions.Position("bad", "...x....").cells()
