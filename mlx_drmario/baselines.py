"""Two policies that have not learnt anything, to compare with."""

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm


class RandomLegal:
    """A uniformly random legal placement.

    The choice is a hash of (seed, digest of the game), not the next number of a stream: a game is played the same
    whatever else is in its batch and in whatever order.
    """

    def __init__(self, seed: int = 0) -> None:
        self._key = _mix(np.array([seed % 2**64], np.uint64))[0]

    def act(self, d: dm.Decisions) -> NDArray[np.int32]:
        """See `evaluate.Policy.act`; ended games get action 0."""
        counts = d.legal.sum(axis=1, dtype=np.uint64)
        # The top 32 bits times the count is below 2^42; shifting gives a rank below the count.
        rank = ((_mix(d.digest() ^ self._key) >> np.uint64(32)) * counts) >> np.uint64(32)
        nth = np.cumsum(d.legal, axis=1, dtype=np.uint16) > rank[:, None].astype(np.uint16)
        return nth.argmax(axis=1).astype(np.int32)


class Greedy:
    """The quickest placement that clears a virus; if none does, the lowest landing.

    Quickest: least frames_to_lock. Lowest: greatest row of the capsule's lower half (a horizontal capsule has one
    row), then least frames_to_lock. Ties go to the lowest action number.
    """

    def act(self, d: dm.Decisions) -> NDArray[np.int32]:
        """See `evaluate.Policy.act`; ended games get action 0."""
        after = d.afterstates()
        action = after.action.astype(np.int64)
        frames = d.frames_to_lock[after.env, action].astype(np.int64)
        clears = after.viruses_cleared > 0
        height = np.where(clears, 0, 15 - landing_row(action))
        # One integer per placement, most significant wish first; its low bits are the action itself.
        key = (((~clears * 16 + height) << 16 | frames) << 9) | action
        actions = np.zeros(d.num_envs, np.int32)
        envs, first = np.unique(after.env, return_index=True)
        if envs.size:
            actions[envs] = np.minimum.reduceat(key, first) & 511
        return actions


def landing_row(action: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row (0 top .. 15) of the lower half of a capsule placed by `action`; numbering in docs/environments.md."""
    return (action // 8) % 16 + (action // 128 == 1)


def _mix(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's output function (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014)."""
    word = word + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
