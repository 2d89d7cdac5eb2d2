"""Deliberate faults in the evaluator; read like rl.py."""

DATA = "mlx_drmario/rl/evaluator/data.py"
FIT = "mlx_drmario/rl/evaluator/train.py"
LOSSES = "mlx_drmario/rl/evaluator/losses.py"
NET = "mlx_drmario/nets/quantile.py"
PLAYER = "mlx_drmario/rl/evaluator/player.py"
FORECAST = "mlx_drmario/rl/evaluator/forecast.py"
CALIBRATION = "mlx_drmario/rl/evaluator/calibration.py"
REPLAY = "mlx_drmario/rl/qrdqn/replay.py"
QRDQN = "mlx_drmario/rl/qrdqn/train.py"
TEST = "tests/rl/test_evaluator.py"
TEST_RISK = "tests/rl/test_risk.py"
TEST_CALIBRATION = "tests/rl/test_calibration.py"
ROLLOUT = "mlx_drmario/rl/rollout.py"
TEST_SHAPING = "tests/rl/test_shaping.py"
TEST_QRDQN = "tests/rl/test_qrdqn.py"

# (name, file, old text, new text, test that fails)
MUTANTS: list[tuple[str, str, str, str, str]] = [
    (
        "the quantile loss is the absolute error",
        LOSSES,
        "mx.abs(levels[:, None] - (error < 0))",
        "mx.abs(0.5 - (error < 0))",
        f"{TEST}::test_quantile_loss_is_least_at_the_quantiles",
    ),
    (
        "quantiles upside down",
        LOSSES,
        "(error < 0)",
        "(error > 0)",
        f"{TEST}::test_quantile_loss_is_least_at_the_quantiles",
    ),
    (
        "lost games have times",
        LOSSES,
        "timed = (counts & cleared)",
        "timed = counts",
        f"{TEST}::test_lost_games_teach_chances_but_no_times",
    ),
    (
        "quantiles cross",
        NET,
        "steps = mx.logaddexp(outputs[:, 2:] - 2.5, 0.0)",
        "steps = outputs[:, 2:]",
        f"{TEST}::test_quantiles_never_cross_and_scales_undo_each_other",
    ),
    (
        "orientations look the same",
        NET,
        "ORIENTATIONS)[None, :, None] == orientation[:, None, None]",
        "ORIENTATIONS)[None, :, None] >= 0 * orientation[:, None, None]",
        f"{TEST}::test_every_orientation_has_weights_of_its_own",
    ),
    (
        "the second half of a placement lies elsewhere",
        "mlx_drmario/nets/heads.py",
        "SECOND = ((0, 1), (1, 0), (0, -1), (-1, 0))",
        "SECOND = ((0, 1), (-1, 0), (0, -1), (1, 0))",
        f"{TEST}::test_cells_of_a_placement",
    ),
    (
        "the first games to end are kept",
        DATA,
        "while player.ended < config.games:",
        "while player.ended < config.games // 2:",
        f"{TEST}::test_games_are_drawn_from_the_seed_and_none_is_left_out_for_being_long",
    ),
    (
        "frames of the random beginning count",
        DATA,
        '"frames": (before[-1] - before[at])',
        '"frames": (before[-1] - before[0] + 0 * before[at])',
        f"{TEST}::test_the_rest_of_a_game_is_the_policys",
    ),
    (
        "what follows a kept situation is partly random",
        DATA,
        "at_random = (decided < first)",
        "at_random = (decided < first + 4)",
        f"{TEST}::test_the_rest_of_a_game_is_the_policys",
    ),
    (
        "targets forget the frames until the later state",
        FIT,
        "between + frames_of(ahead.quantiles)",
        "frames_of(ahead.quantiles)",
        f"{TEST}::test_n_step_targets_are_forecasts_with_the_frames_until_there",
    ),
    (
        "a placement's own frames are part of what it is asked",
        FIT,
        "mx.maximum(frames - tau, 0)",
        "mx.maximum(frames, 0)",
        f"{TEST}::test_n_step_targets_are_forecasts_with_the_frames_until_there",
    ),
    (
        "a resumed fit forgets its target network",
        FIT,
        'restore_kept(self.forecaster, restored.state["forecaster"])',
        "restore_kept(self.forecaster, {})",
        f"{TEST}::test_an_interrupted_run_goes_on_bit_for_bit",
    ),
    (
        "a resumed fit shuffles otherwise",
        FIT,
        "np.random.default_rng([self.config.seed, 2, epoch])",
        "np.random.default_rng()",
        f"{TEST}::test_an_interrupted_run_goes_on_bit_for_bit",
    ),
    (
        "the worst share is the best one",
        FORECAST,
        "above = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1] - weights",
        "above = np.cumsum(weights, axis=1) - weights",
        TEST_RISK,
    ),
    (
        "a loss costs nothing",
        PLAYER,
        "1 - said.clear[:, None]], axis=1)",
        "0 * said.clear[:, None]], axis=1)",
        TEST_RISK,
    ),
    (
        "a placement's own frames are forgotten",
        PLAYER,
        "256 * facts[:, TAU, None]",
        "0 * facts[:, TAU, None]",
        TEST_RISK,
    ),
    (
        "the network is asked whether a cleared bottle will be cleared",
        PLAYER,
        "np.where(cleared, 1, np.where(top_out, 0, said.clear))",
        "np.where(top_out, 0, said.clear)",
        TEST_RISK,
    ),
    (
        "rows of a game are resampled one by one",
        CALIBRATION,
        "    _, index = np.unique(group, return_inverse=True)\n",
        "    index = np.arange(len(group))\n",
        f"{TEST_CALIBRATION}::test_rows_of_one_game_are_no_new_information",
    ),
    (
        "lost games have times in the calibration",
        CALIBRATION,
        "timed = outcomes.of(outcomes.cleared)",
        "timed = outcomes.of(np.ones_like(outcomes.cleared))",
        TEST_CALIBRATION,
    ),
    (
        "the reward after the end of a game counts",
        REPLAY,
        "        going[:begun] &= ~terminated[now]\n",
        "",
        TEST_QRDQN,
    ),
    (
        "a decision's reward is not discounted by its own duration",
        REPLAY,
        "discount[:begun] * reward[now]",
        "reward[now]",
        TEST_QRDQN,
    ),
    (
        "truncated games are learnt from as if they went on",
        REPLAY,
        "        usable[:begun] &= ~(going[:begun] & truncated[now])\n",
        "",
        TEST_QRDQN,
    ),
    (
        "the later situation is another game's",
        REPLAY,
        "return at + self.steps * self.games",
        "return at + self.steps * self.games - 1",
        TEST_QRDQN,
    ),
    (
        "targets by the network itself",
        QRDQN,
        "self._of_placements(self.target,",
        "self._of_placements(self.model,",
        TEST_QRDQN,
    ),
    (
        "the worst placement is taken",
        QRDQN,
        "np.lexsort((-value, decision))",
        "np.lexsort((value, decision))",
        TEST_QRDQN,
    ),
    (
        "the potential of a game that is over counts",
        ROLLOUT,
        "        going = ~games.ended\n",
        "        going = games.ended | True\n",
        TEST_SHAPING,
    ),
    (
        "shaping forgets the discount",
        ROLLOUT,
        "before / np.power(np.float32(self.potential.gamma), games.tau.astype(np.float32))",
        "before",
        TEST_SHAPING,
    ),
    (
        "shaping takes part in what games are worth",
        ROLLOUT,
        '                terms |= self._shaped(terms["total"], before)\n',
        '                terms |= self._shaped(terms["total"], before)\n'
        '                self.running_total += terms["shape"]\n',
        TEST_SHAPING,
    ),
    (
        "held-out games follow the level",
        FIT,
        "chosen[rows.game]",
        "rows.game % HELD_OUT == 0",
        TEST,
    ),
    (
        "losses of held-out parts weigh alike",
        FIT,
        "((own & cleared)[part].sum(), own[part].sum(), cleared[part].sum(), len(part)) for part in parts",
        "(len(part),) * 4 for part in parts",
        TEST,
    ),
    (
        "half of the games are learnt from when it is stopped",
        FIT,
        "        if callback.should_stop():\n            # Half",
        "        if False:\n            # Half",
        TEST,
    ),
    (
        "a damaged file of games is not named",
        "mlx_drmario/rl/evaluator/data.py",
        "zipfile.BadZipFile, zlib.error) as error:",
        "zlib.error) as error:",
        TEST,
    ),
    (
        "games that tell nothing are fitted",
        "mlx_drmario/rl/evaluator/data.py",
        "    if not drawn.end:\n",
        "    if False:\n",
        TEST,
    ),
    (
        "fewer rows than a gradient takes are fitted",
        FIT,
        "        if not self.per_epoch:\n",
        "        if False:\n",
        TEST,
    ),
    (
        "a calibration of no situations",
        "mlx_drmario/rl/evaluator/calibration.py",
        "if not at.size:",
        "if False:",
        "tests/rl/test_calibration.py",
    ),
    (
        "the last block of resamples is a whole one",
        "mlx_drmario/rl/evaluator/calibration.py",
        "min(block, RESAMPLES - begin)",
        "block",
        "tests/rl/test_calibration.py",
    ),
    (
        "rows are drawn in the order in which games end",
        "mlx_drmario/rl/evaluator/data.py",
        "        while self.taken in self.history:\n            game = self.history.pop(self.taken)\n",
        "        for number in list(self.history):\n            game = self.history.pop(number)\n",
        "tests/rl/test_evaluator.py",
    ),
    (
        "a closed output ends a run without saving",
        "mlx_drmario/cli/capture.py",
        "        except OSError:\n",
        "        except KeyError:\n",
        "tests/rl/test_closed_output.py",
    ),
    (
        "an evaluator that is asked about nothing has no answer",
        "mlx_drmario/rl/evaluator/forecast.py",
        "parts = [Forecast(np.zeros(0), np.zeros((0, self.quantiles)))]",
        "parts = []",
        "tests/rl/test_risk.py::test_forecasts_of_any_number_of_states",
    ),
    (
        "a policy that is kept by its path is found from one directory alone",
        "mlx_drmario/cli/policy.py",
        "str(Path(path).absolute())",
        "path",
        "tests/rl/test_shipped.py",
    ),
]
