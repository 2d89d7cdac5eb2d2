"""Deliberate faults in the evaluator; read like rl.py."""

DATA = "mlx_drmario/rl/evaluator/data.py"
FIT = "mlx_drmario/rl/evaluator/train.py"
LOSSES = "mlx_drmario/rl/evaluator/losses.py"
NET = "mlx_drmario/nets/quantile.py"
TEST = "tests/rl/test_evaluator.py"

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
        "steps = nn.softplus(outputs[:, 2:] - 2.5)",
        "steps = outputs[:, 2:]",
        f"{TEST}::test_quantiles_never_cross_and_scales_undo_each_other",
    ),
    (
        "orientations look the same",
        NET,
        "ORIENTATIONS)[None, :, None] == orientation[:, None, None]",
        "ORIENTATIONS)[None, :, None] >= 0 * orientation[:, None, None]",
        TEST,
    ),
    (
        "the second half of a placement lies elsewhere",
        NET,
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
        '        kept = restored.state["forecaster"]\n',
        "        kept = {}\n",
        f"{TEST}::test_an_interrupted_run_goes_on_bit_for_bit",
    ),
    (
        "a resumed fit shuffles otherwise",
        FIT,
        "np.random.default_rng([self.config.seed, 2, epoch])",
        "np.random.default_rng()",
        f"{TEST}::test_an_interrupted_run_goes_on_bit_for_bit",
    ),
]
