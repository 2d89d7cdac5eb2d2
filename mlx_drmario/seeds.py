"""Which games are for training, which for choosing between runs, and which for the final number.

A game is set up from one 16-bit state of the console's random generator. Every state that can occur lies on one
cycle, the orbit of the power-on value 0x8988 (32,767 states). Neighbours on the orbit give shifted, correlated games,
so the three splits are blocks of the orbit with gaps between them. The numbers below are frozen: changing them would
make every published result incomparable.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

POWER_ON = 0x8988
PERIOD = 32_767
SPLITS: dict[str, range] = {
    "test": range(0, 4_096),
    "validation": range(4_608, 8_192),
    "training": range(8_704, 32_256),
}


@lru_cache(maxsize=1)
def orbit() -> NDArray[np.uint16]:
    """The orbit of 0x8988 in order, u16[32767], read-only; element 0 is 0x8988."""
    states = np.empty(PERIOD, np.uint16)
    word = POWER_ON
    for position in range(PERIOD):
        states[position] = word
        high, low = word >> 8, word & 0xFF
        word = (word >> 1) | ((((high >> 1) ^ (low >> 1)) & 1) << 15)
    states.flags.writeable = False
    return states


def seeds(split: str, n: int | None = None) -> NDArray[np.uint16]:
    """The first `n` seeds of a split (all of them by default), u16[n], always in the same order.

    The order is van der Corput's (positions with their bits reversed), so that the first n seeds are spread evenly over
    the block whatever n is, and seeds(split, a) is a prefix of seeds(split, b) for a < b.

    Raises:
        ValueError: unknown split, or n outside 1..len(split).
    """
    block = _block(split)
    size = len(block)
    n = size if n is None else n
    if not 1 <= n <= size:
        raise ValueError(f"n is {n}; the {split} split has seeds for 1 to {size} games")
    return orbit()[block.start + _spread(size)[:n]]


def sample(split: str, rng: np.random.Generator, n: int) -> NDArray[np.uint16]:
    """`n` seeds drawn uniformly, with replacement, from a split: u16[n]."""
    block = _block(split)
    return orbit()[rng.integers(block.start, block.stop, size=n)]


def split_of(games: NDArray[np.uint16]) -> NDArray[np.str_]:
    """The split that each seed belongs to, str[N]; "none" for the seeds between the splits and off the orbit."""
    position = np.full(1 << 16, -1)
    position[orbit()] = np.arange(PERIOD)
    at = position[np.asarray(games, np.uint16)]
    blocks = [(at >= block.start) & (at < block.stop) for block in SPLITS.values()]
    return np.select(blocks, list(SPLITS), "none")


def _block(split: str) -> range:
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; choose one of {', '.join(SPLITS)}")
    return SPLITS[split]


def _spread(size: int) -> NDArray[np.int64]:
    """The numbers below `size` in the order of their reversed bits."""
    bits = (size - 1).bit_length()
    numbers = np.arange(1 << bits)
    reversed_numbers = sum((numbers >> bit & 1) << (bits - 1 - bit) for bit in range(bits))
    return np.asarray(reversed_numbers)[reversed_numbers < size]
