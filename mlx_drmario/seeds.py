"""Which games are for training, which for choosing between runs, and which for the final number.

A game is set up from one 16-bit state of the console's random generator. Every state that can occur lies on one
cycle, the orbit of the power-on value 0x8988 (32,767 states). Neighbours on the orbit give shifted, correlated games,
so the three splits are blocks of the orbit with gaps between them. The numbers below are frozen: changing them would
make every published result incomparable. `FROZEN` holds the hash of every list, and every use checks it.
"""

from __future__ import annotations  # numpy.random is imported by those who sample

import hashlib
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlx_drmario.spec import LONGEST, whole

POWER_ON = 0x8988
PERIOD = 32_767
SPLITS: dict[str, range] = {
    "test": range(0, 4_096),
    "validation": range(4_608, 8_192),
    "training": range(8_704, 32_256),
}
FROZEN: dict[str, str] = {
    "test": "c5fb818511b4278e",
    "validation": "52591370a6fd928a",
    "training": "3b6fede1189bf4bd",
}
"""first 64 bits of the SHA-256 of each split's seeds, as little-endian u16 in the order of `seeds`"""
RESERVE = 128
"""capsules of a game before they begin again"""


def on_orbit(seed: int) -> int:
    """The state on the orbit that gives the same game: the first step forgets the lowest bit."""
    return seed if seed in orbit() else seed ^ 1


def step(word: int) -> int:
    """The state of the console's random generator after this one (docs/rules.md, section 4)."""
    return word >> 1 | ((word >> 9 ^ word >> 1) & 1) << 15


@lru_cache(maxsize=1)
def orbit() -> NDArray[np.uint16]:
    """The orbit of 0x8988 in order, u16[32767], read-only; element 0 is 0x8988."""
    states = np.empty(PERIOD, np.uint16)
    word = POWER_ON
    for position in range(PERIOD):
        states[position] = word
        word = step(word)
    states.flags.writeable = False
    return states


def seeds(split: str, n: int | None = None) -> NDArray[np.uint16]:
    """The first `n` seeds of a split (all of them by default), u16[n], always in the same order.

    The order is van der Corput's (positions with their bits reversed), so that the first n seeds are spread evenly over
    the block whatever n is, and seeds(split, a) is a prefix of seeds(split, b) for a < b.

    Raises:
        ValueError: unknown split, or n that is no whole number in 1..len(split).
    """
    block = _block(split)
    size = len(block)
    return _list(split)[: size if n is None else whole("n", n, 1, size)]


def sample(split: str, rng: np.random.Generator, n: int) -> NDArray[np.uint16]:
    """`n` seeds drawn uniformly, with replacement, from a split: u16[n]. ValueError for an unknown split and n < 0."""
    block, n = _block(split), whole("n", n, 0, LONGEST)
    _list(split)
    return orbit()[rng.integers(block.start, block.stop, size=n)]


def split_of(games: ArrayLike) -> NDArray[np.str_]:
    """The split that each seed belongs to, str[N]; "none" for the seeds between the splits and off the orbit.

    Raises:
        ValueError: anything but whole numbers in 0..65535.
    """
    position = np.full(1 << 16, -1)
    position[orbit()] = np.arange(PERIOD)
    at = position[_whole_numbers("games", games, 0xFFFF)]
    blocks = [(at >= block.start) & (at < block.stop) for block in SPLITS.values()]
    return np.select(blocks, list(SPLITS), "none")


@lru_cache(maxsize=1)
def reserves() -> NDArray[np.uint8]:
    """The capsules of every seed of the orbit, u8[32767, 128], read-only: 3 * first colour + second colour.

    Computed, not stored: entry 127 - i adds the high byte of the (i + 1)-th following state, modulo 16, to the entry
    after it, modulo 9.
    """
    high = orbit() >> 8 & 15  # the sum of 128 of them fits 16 bits
    ahead = np.lib.stride_tricks.sliding_window_view(np.concatenate([high, high[: RESERVE + 1]]), RESERVE)
    made = (np.cumsum(ahead[1 : PERIOD + 1], axis=1, dtype=np.uint16) % 9).astype(np.uint8)[:, ::-1]
    made.flags.writeable = False
    return made


def find(reserve: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """The seed on the orbit whose capsules are these, u8[N, 128] -> u16[N]; 0 where there is none.

    Every other state but 0 and 1 joins the orbit after one step, so it has the capsules of exactly one seed of it.

    Raises:
        ValueError: another shape, or anything but whole numbers in 0..8.
    """
    rows = _whole_numbers("reserve", reserve, 8).astype(np.uint8)
    if rows.ndim != 2 or rows.shape[1] != RESERVE:
        raise ValueError(f"reserve has shape {rows.shape}; it must be (N, {RESERVE})")
    known = _by_reserve()
    return np.array([known.get(row.tobytes(), 0) for row in rows], np.uint16)


def _whole_numbers(name: str, values: ArrayLike, high: int) -> NDArray[Any]:
    made = np.asarray(values)
    if made.size and (made.dtype.kind not in "iu" or made.min() < 0 or made.max() > high):
        raise ValueError(f"{name} must hold whole numbers in 0..{high}, got {made.dtype} {made.ravel()[:3]}")
    return made.astype(np.int64)


@lru_cache(maxsize=1)
def _by_reserve() -> dict[bytes, int]:
    return {row.tobytes(): seed for row, seed in zip(reserves(), orbit().tolist(), strict=True)}


def layout(level: int, seed: int) -> NDArray[np.uint8]:
    """The bottle at the start of a one-player game, u8[128]. ValueError for a level or seed that cannot be."""
    from mlx_drmario._core import Batch

    batch = Batch(num_envs=1, threads=1)
    batch.reset(level, 0, seed)
    return batch.bottles[0, 0].reshape(-1).copy()


def layout_hash(level: int, seed: int) -> str:
    """64-bit name of a game's layout and capsules: two seeds with the same one are the same game at this level."""
    state = layout(level, seed).tobytes() + capsules(seed).tobytes()
    return hashlib.sha256(state).hexdigest()[:16]


def capsules(seed: int) -> NDArray[np.uint8]:
    """The capsules in the order in which they are played, u8[128, 2]: colours 0 yellow, 1 red, 2 blue.

    The n-th capsule, counted from 1, is element (n - 1) modulo 128. ValueError for anything but whole numbers in
    2..65535.
    """
    (at,) = np.flatnonzero(orbit() == on_orbit(whole("seed", seed, 2, 0xFFFF)))
    made = np.roll(reserves()[at], -1)  # the first entry of the reserve is thrown away
    return np.stack([made // 3, made % 3], axis=-1)


@lru_cache(maxsize=len(SPLITS))
def _list(split: str) -> NDArray[np.uint16]:
    """All seeds of a split in their order, read-only; RuntimeError when they are not the frozen ones."""
    block = _block(split)
    made = orbit()[block.start + _spread(len(block))]
    digest = hashlib.sha256(made.astype("<u2").tobytes()).hexdigest()[:16]
    if digest != FROZEN[split]:
        raise RuntimeError(f"the seeds of the {split} split have the hash {digest}, published is {FROZEN[split]}")
    made.flags.writeable = False
    return made


def check_split(split: str) -> None:
    """ValueError for what is no split."""
    if not isinstance(split, str) or split not in SPLITS:
        raise ValueError(f"split is {split!r}; choose one of {', '.join(SPLITS)}")


def _block(split: str) -> range:
    check_split(split)
    return SPLITS[split]


def _spread(size: int) -> NDArray[np.int64]:
    """The numbers below `size` in the order of their reversed bits."""
    bits = (size - 1).bit_length()
    numbers = np.arange(1 << bits)
    reversed_numbers = sum((numbers >> bit & 1) << (bits - 1 - bit) for bit in range(bits))
    return np.asarray(reversed_numbers)[reversed_numbers < size]
