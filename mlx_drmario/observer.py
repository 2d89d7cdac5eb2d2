"""Whoever wants to look over a game's shoulder: rollouts, evaluations and captures call the same two methods."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from mlx_drmario._core import Decisions


class Observer:
    """Sees every decision of some games; the default methods do nothing.

    `part` is the number of the shard that plays them; every shard calls in a thread of its own. Arrays are valid only
    during the call.
    """

    def before_step(
        self,
        games: Decisions,
        action: NDArray[Any],
        log_prob: NDArray[Any] | None,
        value: NDArray[Any] | None,
        part: int = 0,
    ) -> None:
        """Placements action i32[N] were chosen.

        log_prob: of them, f32[N], or of all placements, f32[N, 512]; value: what the policy expects, f32[N], or equally
        spaced quantiles of it, f32[N, Q]; None where the policy does not say.
        """

    def after_step(self, games: Decisions, part: int = 0) -> None:
        """They were played: the event columns are those of this step; ended games are not yet restarted."""
