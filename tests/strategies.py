"""Hypothesis strategies shared by the tests."""

import numpy as np
from hypothesis import strategies as st

levels = st.integers(0, 20)
speeds = st.integers(0, 2)
seeds = st.integers(2, 0xFFFF)
frame_counters = st.integers(0, 255)
generators = st.integers(0, 2**32 - 1).map(np.random.default_rng)

A, B, SELECT, START, UP, DOWN, LEFT, RIGHT = 0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01


def human_buttons(rng: np.random.Generator, frames: int, games: int, players: int = 1) -> np.ndarray:
    """u8[T, N, P]: buttons held for a few frames at a time, mostly useful ones, no START or SELECT."""
    choices = np.array([0, 0, LEFT, RIGHT, DOWN, DOWN, A, B, LEFT | A, RIGHT | B, LEFT | RIGHT, A | B, DOWN | LEFT])
    held = rng.choice(choices, size=(frames // 4 + 1, games, players))
    return np.ascontiguousarray(held.repeat(4, axis=0)[:frames].astype(np.uint8))


def storm(rng: np.random.Generator, frames: int, games: int, players: int = 1) -> np.ndarray:
    """u8[T, N, P]: any byte in any frame."""
    return rng.integers(0, 256, size=(frames, games, players), dtype=np.uint8)
