"""Two policies that have not learnt anything, to compare with."""

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario.spec import check_one_player, whole


class RandomLegal:
    """A uniformly random legal placement.

    The choice is a hash of (seed, digest of the game), not the next number of a stream: a game is played the same
    whatever else is in its batch and in whatever order.
    """

    def __init__(self, seed: int = 0) -> None:
        """ValueError for a seed that is no whole number in 0..2^64 - 1."""
        self._seed = whole("seed", seed, 0, 2**64 - 1)

    def act(self, view: dm.PublicView) -> NDArray[np.int32]:
        """See `evaluate.Policy.act`; ended games get action 0."""
        return view.sample_legal(self._seed)


class Greedy:
    """The quickest placement that clears a virus; if none does, the lowest landing.

    Quickest: least frames_to_lock. Lowest: greatest row of the capsule's lower half (a horizontal capsule has one
    row), then least frames_to_lock. Ties go to the lowest action number.
    """

    def act(self, view: dm.PublicView) -> NDArray[np.int32]:
        """See `evaluate.Policy.act`; ended games get action 0. ValueError for games of two players."""
        check_one_player(view, "the policy")
        after = view.afterstates()
        action = after.action.astype(np.int64)
        frames = view.frames_to_lock[after.env, action].astype(np.int64)
        clears = after.viruses_cleared > 0
        height = np.where(clears, 0, 15 - landing_row(action))
        # One integer per placement, most significant wish first; its low bits are the action itself.
        key = (((~clears * 16 + height) << 16 | frames) << 9) | action
        actions = np.zeros(view.num_envs, np.int32)
        envs, first = np.unique(after.env, return_index=True)
        if envs.size:
            actions[envs] = np.minimum.reduceat(key, first) & 511
        return actions


def landing_row(action: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row (0 top .. 15) of the lower half of a capsule placed by `action`; numbering in docs/environments.md."""
    return (action // 8) % 16 + (action // 128 == 1)
