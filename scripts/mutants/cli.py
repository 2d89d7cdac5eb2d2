"""Deliberate faults in what the commands of the command line choose, refuse and print; read like rl.py."""

RECORDS = "mlx_drmario/cli/records.py"
TEST_RECORDS = "tests/traces/test_records.py"
TEST_RECORDS_COMMAND = "tests/traces/test_records_command.py"
TEST_TUNING = "tests/test_tuning.py::test_what_cannot_be_tuned_is_refused_before_anything_is_begun"
TEST_EVAL = "tests/env/test_eval_cli.py::test_cli_errors_come_before_any_game"

# (name, file, old text, new text, test that fails)
MUTANTS: list[tuple[str, str, str, str, str]] = [
    (
        "the best lines of all games are asked for, and quantiles are shown",
        RECORDS,
        "(config.level, config.speed, config.seed, config.top) == (None, None, None, None)",
        "(config.level, config.speed, config.seed) == (None, None, None)",
        f"{TEST_RECORDS_COMMAND}::test_options_that_choose_little",
    ),
    (
        "a list of the best lines is a list of all",
        RECORDS,
        "config.seed, config.top)\n\n\ndef verify",
        "config.seed)\n\n\ndef verify",
        f"{TEST_RECORDS}::test_top_lists_so_many_lines_of_every_game",
    ),
    (
        "every line of a game is among its best",
        "traces/records.py",
        "(*values, top or 2**31)",
        "(*values, 2**31)",
        f"{TEST_RECORDS}::test_the_best_are_kept",
    ),
    (
        "a trace is made of no lines",
        "traces/records.py",
        "    if not lines:\n",
        "    if False:\n",
        f"{TEST_RECORDS_COMMAND}::test_options_that_choose_little",
    ),
    (
        "weights are tuned for no level",
        "mlx_drmario/cli/tune.py",
        "        if not self.levels:\n",
        "        if False:\n",
        TEST_TUNING,
    ),
    (
        "weights are polished for no level",
        "mlx_drmario/polishing.py",
        "        if not self.levels:\n",
        "        if False:\n",
        TEST_TUNING,
    ),
    (
        "an option without a value has one that nobody typed",
        "mlx_drmario/cli/errors.py",
        '(word.endswith("=") or following == "")',
        'word.endswith("=")',
        TEST_EVAL,
    ),
    (
        "what is no level is level 0",
        "mlx_drmario/spec.py",
        "if match else (1, 0)\n",
        "if match else (0, 0)\n",
        TEST_EVAL,
    ),
    (
        "a drawn preview has any letters",
        "mlx_drmario/positions.py",
        'for name in ("capsule", "preview"):',
        'for name in ("capsule",):',
        "tests/planner/test_positions.py::test_what_is_no_position_is_refused",
    ),
]
