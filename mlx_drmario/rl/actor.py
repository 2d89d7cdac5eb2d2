"""A network that plays rollouts."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from mlx_drmario.nets.heads import ILLEGAL, Afterstates
from mlx_drmario.nets.policy import ActorCritic
from mlx_drmario.nets.sparse import SparseSight
from mlx_drmario.rl.afterstates import AfterstateRows
from mlx_drmario.spec import ACTIONS


class NetworkActor:
    """A `rollout.Actor` by the weights that its network has at the time. Not compiled: that does not pay for inference
    on a CPU."""

    def __init__(self, model: ActorCritic) -> None:
        self.model = model
        self.sight = SparseSight(model) if SparseSight.serves(model) else None

    def act(
        self, planes: np.ndarray, scalars: np.ndarray, legal: np.ndarray, after: AfterstateRows
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `rollout.Actor`."""
        decision, action, facts = after.take(np.arange(len(planes)))
        rows = Afterstates(*map(mx.array, (decision, action, facts)))
        outputs = self.model.judge(self._see(planes, scalars), mx.array(scalars), rows)
        mx.eval(outputs)
        log_probs = np.full((len(planes), ACTIONS), ILLEGAL, np.float32)
        log_probs[decision, action] = np.asarray(outputs[0])
        return log_probs, np.asarray(outputs[1])

    def value(self, planes: np.ndarray, scalars: np.ndarray) -> np.ndarray:
        """See `rollout.Actor`."""
        return np.asarray(self.model.value_of_seen(self._see(planes, scalars), mx.array(scalars)))

    def _see(self, planes: np.ndarray, scalars: np.ndarray) -> mx.array:
        if self.sight:
            return self.sight.see(planes, scalars).seen
        return self.model.see(mx.array(planes), mx.array(scalars))
