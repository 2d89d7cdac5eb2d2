"""Whoever wants to see games while they are played: traces, the app."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from mlx_drmario._core import Decisions

Array = NDArray[Any]


class Observer:
    """Called around every step of a batch of games; the methods here do nothing, override what you need.

    `part` is the number of the shard whose games these are; every shard calls in its own thread. Arrays are valid only
    during the call.
    """

    def before_step(
        self, games: Decisions, action: Array, log_prob: Array | None, value: Array | None, part: int = 0
    ) -> None:
        """The games are about to make the decisions `action`, i32[N] (two players: i32[N, 2]); -1 in games that wait,
        as the mask of `Decisions.step` has them do.

        log_prob: of the chosen actions, f32[N], or of all, f32[N, 512]; value: what the policy expects, f32[N], or
        equally spaced quantiles of it, f32[N, Q]; None where the policy does not say.
        """

    def after_step(self, games: Decisions, part: int = 0) -> None:
        """They have made them: event columns are those of this step, and games that ended are not yet restarted."""

    def on_rewards(self, terms: Mapping[str, Array], part: int = 0) -> None:
        """What this step pays, f32[N] by term and "total" (`rewards.weigh`). Told by those who compute it: rollouts."""
