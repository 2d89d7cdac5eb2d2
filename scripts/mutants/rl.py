"""Deliberate faults in the learner: each replaces a text that occurs once, and the test named must then fail."""

RETURNS, ROLLOUT, LOSSES = "mlx_drmario/rl/returns.py", "mlx_drmario/rl/rollout.py", "mlx_drmario/rl/ppo/losses.py"
SHARD, LEARNER, UPDATE = (f"mlx_drmario/rl/ppo/{name}.py" for name in ("shard", "learner", "update"))
STATE, TRAIN = "mlx_drmario/rl/ppo/state.py", "mlx_drmario/rl/ppo/train.py"
DISTRIBUTION, CURRICULUM = "mlx_drmario/rl/distribution.py", "mlx_drmario/rl/curriculum.py"
PARALLEL, AFTERSTATES = "mlx_drmario/rl/parallel.py", "mlx_drmario/rl/afterstates.py"
OUTCOME, EPISODES = "mlx_drmario/nets/outcome.py", "mlx_drmario/rl/episodes.py"
CHECKPOINT, BEST = "mlx_drmario/rl/runs/checkpoint.py", "mlx_drmario/rl/runs/best.py"
METRICS, FILES, SETTINGS = "mlx_drmario/rl/runs/metrics.py", "mlx_drmario/files.py", "mlx_drmario/settings.py"
OPTIMIZER, PLAYER = "mlx_drmario/rl/optimizer.py", "mlx_drmario/rl/player.py"
LAWS, TEST_RETURNS = "tests/rl/test_laws.py", "tests/rl/test_returns.py"
TEST_CHECKPOINT, TEST_TRAIN = "tests/rl/test_checkpoint.py", "tests/rl/test_train.py"

# (name, file, old text, new text, test that fails)
MUTANTS: list[tuple[str, str, str, str, str]] = [
    (
        "advantages are reversed in time",
        SHARD,
        "return rollout, np.stack(estimates)",
        "return rollout, np.stack(estimates)[:, ::-1]",
        LAWS,
    ),
    (
        "the stored log-probability is 0.3 too high",
        ROLLOUT,
        "rollout.log_prob[t], rollout.value[t] = action, log_prob, value",
        "rollout.log_prob[t], rollout.value[t] = action, log_prob + 0.3, value",
        LAWS,
    ),
    ("entropy is punished", LOSSES, "- entropy_weight * mean_entropy", "+ entropy_weight * mean_entropy", LAWS),
    (
        "a game that is cut bootstraps from the next game's first observation",
        ROLLOUT,
        "        if done.any():\n            self.running_total[done] = 0\n            self._start(done)\n",
        "        if done.any():\n            self.running_total[done] = 0\n            self._start(done)\n"
        "        if truncated.any():\n            rollout.final_value[t, truncated] = actor.value("
        "games.planes[truncated], games.scalars[truncated])\n",
        LAWS,
    ),
    (
        "the value after the rollout is 0",
        ROLLOUT,
        "rollout.last_value = actor.value(games.planes, games.scalars)",
        "rollout.last_value = 0 * actor.value(games.planes, games.scalars)",
        LAWS,
    ),
    (
        "gamma and lambda are swapped",
        SHARD,
        "gamma=ppo.gamma,\n            gae_lambda=ppo.gae_lambda",
        "gamma=ppo.gae_lambda,\n            gae_lambda=ppo.gamma",
        LAWS,
    ),
    ("nothing is clipped", LOSSES, "clipped = mx.clip(ratio, 1 - clip, 1 + clip)", "clipped = ratio", LAWS),
    (
        "the larger of the two surrogates",
        LOSSES,
        "-mx.minimum(ratio * advantage, clipped * advantage)",
        "-mx.maximum(ratio * advantage, clipped * advantage)",
        LAWS,
    ),
    ("value errors are sought", LOSSES, "policy + ppo.value * value_error", "policy - ppo.value * value_error", LAWS),
    ("the value loss is not weighed", LOSSES, "policy + ppo.value * value_error", "policy + value_error", LAWS),
    (
        "advantages are not normalised",
        LEARNER,
        "(own_advantage - mean) / deviation",
        "own_advantage",
        LAWS,
    ),
    (
        "advantages are normalised but not centred",
        LEARNER,
        "(own_advantage - mean) / deviation",
        "own_advantage / deviation",
        LAWS,
    ),
    (
        "the log-probability of the next action number",
        DISTRIBUTION,
        "mx.take_along_axis(log_probs, action[:, None], axis=1)",
        "mx.take_along_axis(log_probs, (action[:, None] + 1) % 512, axis=1)",
        LAWS,
    ),
    (
        "the wrong action is stored",
        ROLLOUT,
        "rollout.action[t], rollout.log_prob[t], rollout.value[t] = action,",
        "rollout.action[t], rollout.log_prob[t], rollout.value[t] = np.roll(action, 1),",
        LAWS,
    ),
    (
        "the value of the position before is stored",
        ROLLOUT,
        "rollout.value[t] = action, log_prob, value",
        "rollout.value[t] = action, log_prob, rollout.value[t - 1]",
        LAWS,
    ),
    (
        "a reward is not discounted by its own decision",
        RETURNS,
        "discount * reward + discount * next_value",
        "reward + discount * next_value",
        TEST_RETURNS,
    ),
    (
        "gamma is per decision",
        RETURNS,
        "np.power(np.float32(gamma), tau.astype(np.float32))",
        "np.full(tau.shape, np.float32(gamma))",
        LAWS,
    ),
    (
        "a cleared or lost game has a future",
        RETURNS,
        "np.where(terminated, np.float32(0), next_value)",
        "next_value",
        LAWS,
    ),
    (
        "advantages flow from the next game into a game that was cut",
        RETURNS,
        "np.where(terminated | truncated, np.float32(0)",
        "np.where(terminated, np.float32(0)",
        LAWS,
    ),
    (
        "lambda is not discounted",
        RETURNS,
        "discount * np.float32(gae_lambda)",
        "np.float32(gae_lambda)",
        LAWS,
    ),
    (
        "the target is the advantage",
        RETURNS,
        "return advantage, advantage + value",
        "return advantage, advantage",
        LAWS,
    ),
    (
        "games are cut one decision late",
        ROLLOUT,
        "games.decisions >= self.config.max_decisions",
        "games.decisions > self.config.max_decisions",
        LAWS,
    ),
    (
        "afterstates of a minibatch are those of other decisions",
        SHARD,
        "padded(after.take(rows), len(rows))",
        "padded(after.take(np.sort(rows)), len(rows))",
        LAWS,
    ),
    (
        "an epoch goes through half of the decisions twice",
        SHARD,
        "order = self.shuffle.permutation(len(flat[0]))",
        "order = self.shuffle.permutation(len(flat[0])) // 2",
        LAWS,
    ),
    (
        "the learning rate stays where it was",
        LEARNER,
        "linear(ppo.learning_rate, ppo.final_learning_rate, progress)",
        "ppo.learning_rate",
        LAWS,
    ),
    (
        "schedules run backwards",
        OPTIMIZER,
        "first + (last - first) * progress",
        "last + (first - last) * progress",
        LAWS,
    ),
    (
        "gradients of shards are summed, not averaged",
        LEARNER,
        "leaf / self.config.shards",
        "leaf",
        LAWS,
    ),
    (
        "the gradient is not clipped",
        UPDATE,
        "gradient, norm = optim.clip_grad_norm(gradient, ppo.max_grad_norm)",
        "_, norm = optim.clip_grad_norm(gradient, ppo.max_grad_norm)",
        "tests/rl/test_update.py",
    ),
    (
        "Adam's epsilon is the usual one",
        OPTIMIZER,
        "EPSILON = 1e-5",
        "EPSILON = 1e-8",
        "tests/rl/test_update.py",
    ),
    (
        "Adam does not correct its bias",
        OPTIMIZER,
        "bias_correction=True",
        "bias_correction=False",
        "tests/rl/test_update.py",
    ),
    (
        "a resumed run shuffles anew",
        SHARD,
        '        self.shuffle.bit_generator.state = state["shuffle"]\n',
        "",
        TEST_TRAIN,
    ),
    (
        "a resumed run forgets Adam's moments",
        STATE,
        "    learner.optimizer.state = tree_unflatten(list(restored.optimizer.items()))\n",
        "",
        TEST_TRAIN,
    ),
]
