"""Deliberate faults in settings and seeds, and in what pages, reports and scripts make of results; read like rl.py."""

SETTINGS = "mlx_drmario/settings.py"
REPORTS, TEST_EVAL = "mlx_drmario/reports.py", "tests/env/test_eval_cli.py"
BUDGETS = "tests/test_train_options.py::test_a_budget_in_decisions_replaces_the_minutes_of_a_preset"

# (name, file, old text, new text, test that fails)
MUTANTS: list[tuple[str, str, str, str, str]] = [
    (
        "the first example takes the events of the last step for those of the game",
        "docs/decisions.md",
        "    cleared |= games.cleared\n    top_out |= games.top_out\n",
        "    cleared, top_out = games.cleared, games.top_out\n",
        "tests/docs/test_python_blocks.py::test_every_game_of_the_first_example_ends_in_one_way",
    ),
    (
        "half a game is a number of games",
        "mlx_drmario/seeds.py",
        'size if n is None else whole("n", n, 1, size)',
        "size if n is None else n",
        "tests/env/test_seeds.py::test_bad_input",
    ),
    (
        "seeds of two digits are left out of the table",
        "scripts/heads_table.py",
        "if seed.isdecimal():",
        "if seed.isdecimal() and len(seed) == 1:",
        "tests/test_tables.py::test_every_seed_of_a_head_is_in_the_table",
    ),
    (
        "an evaluation is written into a Path alone",
        REPORTS,
        "    out = Path(out)\n",
        "",
        f"{TEST_EVAL}::test_summary_file",
    ),
    (
        "010 is 8",
        SETTINGS,
        "int(self.construct_scalar(node))",
        "int(self.construct_scalar(node), 8)",
        "tests/rl/test_settings.py::test_numbers_as_in_yaml_1_2",
    ),
    (
        "1_0 is 10",
        SETTINGS,
        "[(tag, pattern) for tag, pattern in known if tag not in NUMBERS]",
        "list(known)",
        "tests/rl/test_settings.py::test_a_wrong_variable_is_one_sentence",
    ),
    (
        "the last of two values of a setting counts",
        SETTINGS,
        "if keys.count(key) > 1:",
        "if False:",
        "tests/rl/test_settings.py::test_a_wrong_file_is_one_sentence",
    ),
    (
        "names in the legend are mathematics",
        REPORTS,
        "text.set(text=policy, parse_math=False)",
        "text.set_text(policy)",
        f"{TEST_EVAL}::test_every_policy_has_its_line_in_the_legend",
    ),
    (
        "matplotlib names the lines of the legend",
        REPORTS,
        'label=f"line {number}"',
        "label=policy",
        f"{TEST_EVAL}::test_every_policy_has_its_line_in_the_legend",
    ),
    (
        "the title of a calibration is mathematics",
        "mlx_drmario/rl/evaluator/calibration_plot.py",
        "coverage.set_title(title, parse_math=False)",
        "coverage.set_title(title)",
        "tests/rl/test_calibration.py::test_the_title_of_the_picture_is_no_mathematics",
    ),
    (
        "numbers wait for their picture",
        "mlx_drmario/cli/eval.py",
        "            write_json(config.json, config, results, comparisons)\n        if config.out is not None:\n",
        "            pass\n        if config.out is not None:\n",
        f"{TEST_EVAL}::test_a_picture_that_fails_costs_no_numbers",
    ),
    (
        "decisions on the command line leave the minutes of a preset",
        "mlx_drmario/cli/train.py",
        'return dataclasses.replace(start, **BudgetConfig.replaces["decisions"])',
        "return start",
        BUDGETS,
    ),
    (
        "decisions of a file or the environment leave the minutes of a preset",
        SETTINGS,
        "_merge(data, gone | layer, source, sources)",
        "_merge(data, layer, source, sources)",
        BUDGETS,
    ),
    (
        "decisions replace the minutes that are given with them",
        SETTINGS,
        "_merge(data, gone | layer, source, sources)",
        "_merge(data, layer | gone, source, sources)",
        BUDGETS,
    ),
]
