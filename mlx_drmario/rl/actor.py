"""A network that plays rollouts."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from mlx_drmario.nets.heads import ILLEGAL, Afterstates
from mlx_drmario.nets.native import native
from mlx_drmario.nets.policy import ActorCritic
from mlx_drmario.rl.afterstates import AfterstateRows
from mlx_drmario.spec import ACTIONS


class NetworkActor:
    """A `rollout.Actor` by the weights that its network has at the time. Not compiled: that does not pay for inference
    on a CPU."""

    def __init__(self, model: ActorCritic) -> None:
        self.model = model
        self.outside = native(model)

    def act(self, planes: np.ndarray, scalars: np.ndarray, after: AfterstateRows) -> tuple[np.ndarray, np.ndarray]:
        """See `rollout.Actor`."""
        columns = after.take(np.arange(len(planes)))
        rows, seen_with = Afterstates(*map(mx.array, columns)), mx.array(scalars)
        if self.outside:
            outputs = self.outside.judge(self.outside.look(planes, scalars, columns).inputs, seen_with, rows)
        else:
            outputs = self.model.judge(self.model.see(mx.array(planes), seen_with), seen_with, rows)
        mx.eval(outputs)
        log_probs = np.full((len(planes), ACTIONS), ILLEGAL, np.float32)
        log_probs[columns[0], columns[1]] = np.asarray(outputs[0])
        return log_probs, np.asarray(outputs[1])

    def value(self, planes: np.ndarray, scalars: np.ndarray) -> np.ndarray:
        """See `rollout.Actor`."""
        if self.outside:
            return np.asarray(self.outside.value(planes, scalars))
        return np.asarray(self.model.value_of(mx.array(planes), mx.array(scalars)))
