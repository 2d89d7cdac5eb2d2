"""Deliberate faults in the learner: each replaces a text that occurs once, and the test named must then fail."""

RETURNS = "mlx_drmario/rl/returns.py"
ROLLOUT = "mlx_drmario/rl/rollout.py"
LOSSES = "mlx_drmario/rl/ppo/losses.py"
SHARD = "mlx_drmario/rl/ppo/shard.py"
LEARNER = "mlx_drmario/rl/ppo/learner.py"
UPDATE = "mlx_drmario/rl/gradient.py"
CURRICULUM = "mlx_drmario/rl/curriculum.py"
PARALLEL = "mlx_drmario/rl/parallel.py"
AFTERSTATES = "mlx_drmario/rl/afterstates.py"
OUTCOME = "mlx_drmario/nets/outcome.py"
HEADS = "mlx_drmario/nets/heads.py"
EPISODES = "mlx_drmario/rl/episodes.py"
OPTIMIZER = "mlx_drmario/rl/optimizer.py"
PLAYER = "mlx_drmario/rl/player.py"
LAWS = "tests/rl/test_laws.py"
TEST_RETURNS = "tests/rl/test_returns.py"
TEST_CALLBACK = "tests/rl/test_callback.py"
TEST_CURRICULUM = "tests/rl/test_curriculum.py"
TEST_TRAIN = "tests/rl/test_train.py"

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
        "the log-probability of the placement after the chosen one",
        SHARD,
        "chosen = (first + rank).astype(np.int32)",
        "chosen = (first + rank + 1).astype(np.int32)",
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
        "placements = after.take(rows)",
        "placements = after.take(np.sort(rows))",
        LAWS,
    ),
    (
        "an epoch goes through half of the decisions twice",
        SHARD,
        "order = self.shuffle.permutation(len(rank))",
        "order = self.shuffle.permutation(len(rank)) // 2",
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
        "gradient, norm = optim.clip_grad_norm(gradient, max_norm)",
        "_, norm = optim.clip_grad_norm(gradient, max_norm)",
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
        "games start on validation seeds",
        ROLLOUT,
        'seeds.sample("training", self.rng, count)',
        'seeds.sample("validation", self.rng, count)',
        TEST_CURRICULUM,
    ),
    (
        "a game's reward begins with that of the game before",
        ROLLOUT,
        "            self.running_total[done] = 0\n",
        "",
        TEST_TRAIN,
    ),
    (
        "a step goes to the observer after ended games are restarted",
        ROLLOUT,
        "            self._finish(t, actor)\n",
        "            self._finish(t, actor)\n            self.observer.after_step(games, self.part)\n",
        TEST_CALLBACK,
    ),
    (
        "every game is averaged, finished or not",
        EPISODES,
        'done = row[row["done"]]',
        "done = row",
        TEST_TRAIN,
    ),
    (
        "outcomes are counted in the order of the ends",
        CURRICULUM,
        "        while self.head in self.waiting:\n",
        "        while self.waiting:\n            self.head = next(iter(self.waiting))\n",
        TEST_CURRICULUM,
    ),
    (
        "every attempt at a stage may err with alpha",
        "mlx_drmario/rl/config.py",
        "self.alpha / (attempt * (attempt + 1))",
        "self.alpha",
        TEST_CURRICULUM,
    ),
    (
        "a stage's games go on in the next stage",
        SHARD,
        "            if task.fresh:\n",
        "            if False:\n",
        TEST_CURRICULUM,
    ),
    (
        "stages below level 0 keep their viruses",
        ROLLOUT,
        "bottles[n, viruses[keep:]] = EMPTY",
        "bottles[n, viruses[keep + 1 :]] = EMPTY",
        TEST_CURRICULUM,
    ),
    (
        "four shards are summed one after the other",
        PARALLEL,
        "for i in range(0, len(parts) - 1, 2)]",
        "for i in range(0, 1)]",
        "tests/rl/test_parallel.py",
    ),
    (
        "facts of placements are not scaled",
        AFTERSTATES,
        "np.float32(unit or 1), out=out[:, column]",
        "1, out=out[:, column]",
        "tests/rl/test_afterstates.py",
    ),
    (
        "the scale of the outcome weights has no effect",
        OUTCOME,
        "self.scale * self.gain",
        "self.gain",
        "tests/rl/test_afterstates.py",
    ),
    (
        "an ensemble is its first member",
        "mlx_drmario/nets/ensemble.py",
        "mx.stack(log_probs).mean(axis=0)",
        "log_probs[0]",
        "tests/rl/test_ensemble.py",
    ),
    (
        "making a network seeds everybody's generator",
        "mlx_drmario/nets/policy.py",
        "        mx.random.seed(high << 32 | low)",
        "        pass",
        "tests/rl/test_nets.py",
    ),
    (
        "a policy says the values of other games",
        PLAYER,
        "log_probs[rows], value[rows] = map(np.asarray, outputs)",
        "log_probs[rows], value[: len(rows)] = map(np.asarray, outputs)",
        "tests/rl/test_player.py",
    ),
    (
        "second halves are looked for on the wrong side",
        HEADS,
        "first % COLS + column, CELLS)",
        "first % COLS - column, CELLS)",
        "tests/rl/test_features.py",
    ),
    (
        "a second half outside the bottle reads the cell of the first",
        "mlx_drmario/nets/features.py",
        "inside = (second_cell < CELLS)[:, None]",
        "inside = mx.array(True)",
        "tests/rl/test_features.py",
    ),
    (
        "the features are those of the board before",
        AFTERSTATES,
        "features(after.bottle)",
        "features(games.view.public['bottle'][after.env])",
        "tests/rl/test_features.py",
    ),
    (
        "a compiler that refuses MLX's code ends the run",
        UPDATE,
        "    if problem is not None:\n",
        "    if problem is not None and not wanted:\n",
        "tests/rl/test_compiler.py",
    ),
    (
        "activations are compiled",
        "mlx_drmario/nets/encoder.py",
        "    return mx.maximum(x, 0.0)\n",
        "    return nn.relu(x)\n",
        "tests/rl/test_compiler.py",
    ),
    (
        "QR-DQN counts the time that it was held",
        "mlx_drmario/rl/qrdqn/train.py",
        " - start - self.callback.held_seconds()\n",
        " - start\n",
        "tests/rl/test_qrdqn.py",
    ),
    (
        "what another compiler made is taken for this one's",
        "mlx_drmario/rl/device.py",
        "x * x + marked",
        "x * x + 1.0",
        "tests/rl/test_compiler.py",
    ),
    (
        "a compiler that was stopped is one that refuses",
        "mlx_drmario/rl/device.py",
        "        if not said:  #",
        "        if not str(error):  #",
        "tests/rl/test_compiler.py",
    ),
    (
        "what a shard throws in its thread is taken for its result",
        "mlx_drmario/rl/parallel.py",
        "*(future.result() for future in pending)",
        "*(future.exception() or future.result() for future in pending)",
        "tests/rl/test_parallel.py::test_what_a_shard_throws_in_its_thread_reaches_the_caller",
    ),
]
