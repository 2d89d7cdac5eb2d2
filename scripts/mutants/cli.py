"""Deliberate faults in what the commands of the command line choose, write, refuse and print; read like rl.py."""

FILES = "mlx_drmario/files.py"
SOLVE = "mlx_drmario/cli/solve.py"
TEST_FILES = "tests/test_files.py"
TEST_MOVIE = "tests/traces/test_movie.py"
RECORDS = "mlx_drmario/cli/records.py"
TEST_RECORDS = "tests/traces/test_records.py"
TEST_RECORDS_COMMAND = "tests/traces/test_records_command.py"
TEST_TUNING = "tests/test_tuning.py::test_what_cannot_be_tuned_is_refused_before_anything_is_begun"
TEST_HOME, TEST_PLAY = "tests/tui/test_home.py", "tests/tui/test_play.py"
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
        "2**31 if top is None else top",
        "2**31",
        f"{TEST_RECORDS}::test_the_best_are_kept",
    ),
    (
        "a trace is made of no lines",
        "traces/record_files.py",
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
    (
        "an output replaces a pipe",
        FILES,
        "    if os.path.lexists(target) and not target.is_file():\n",
        "    if False:\n",
        f"{TEST_FILES}::test_an_output_that_is_no_file_is_refused_and_stays",
    ),
    (
        "a link to an output is replaced",
        FILES,
        "    path = _target(path) if follow else path\n",
        "",
        f"{TEST_FILES}::test_a_file_is_written_through_a_link",
    ),
    (
        "a movie replaces the line's JSON",
        SOLVE,
        "config.json.resolve() == config.movie.resolve()",
        "config.json == config.movie",
        f"{TEST_MOVIE}::test_a_line_and_its_movie_need_two_files",
    ),
    (
        "a line without a capsule is kept",
        SOLVE,
        "    if not line.actions.size:\n",
        "    if False:\n",
        f"{TEST_MOVIE}::test_a_line_without_a_capsule_is_not_kept",
    ),
    (
        "a line of fractions is rounded",
        "mlx_drmario/search.py",
        'given.dtype.kind not in "iu"',
        'given.dtype.kind not in "iuf"',
        "tests/planner/test_search.py::test_a_line_may_be_a_list_and_holds_whole_numbers",
    ),
    (
        "an empty trace holds the games 0..-1",
        "mlx_drmario/cli/trace.py",
        "    if not count:\n",
        "    if False:\n",
        "tests/traces/test_tools.py::test_making_commands",
    ),
    (
        "that an option may be left out is a choice",
        "mlx_drmario/cli/errors.py",
        """re.sub(r"'None', |, 'None'", "", text)""",
        "text",
        "tests/test_wrong_use.py::test_that_an_option_may_be_left_out_is_no_choice",
    ),
    (
        "the page's seed is bare hex",
        "traces/page.html",
        "seed 0x${",
        "seed ${",
        "tests/traces/test_html.py::test_one_small_file_that_loads_nothing",
    ),
    (
        "the seed of a game by hand is bare hex",
        "tui/screens/play.py",
        '("seed", f"0x{',
        '("seed", f"{',
        "tests/tui/test_snapshots.py::test_duel",
    ),
    (
        "time travel's seed is bare hex",
        "tui/screens/travel.py",
        "seed 0x{",
        "seed {",
        "tests/tui/test_snapshots.py::test_time_travel",
    ),
    (
        "the analysis' seed is bare hex",
        "tui/widgets/analysis.py",
        "seed 0x{",
        "seed {",
        "tests/tui/test_snapshots.py::test_focus",
    ),
    (
        "the list of records shows decimal seeds",
        "mlx_drmario/cli/records.py",
        " 0x{line.seed:04x} ",
        " {line.seed:>6} ",
        "tests/traces/test_records_command.py::test_options_that_choose_little",
    ),
    (
        "a game by hand is counted from 0",
        "tui/recorded.py",
        'f"game {episode + 1} of {self.path}"',
        'f"episode {episode} of {self.path}"',
        "tests/tui/test_recorded.py::test_games_by_hand_and_of_two_are_for_the_page",
    ),
    (
        "what only looks like a checkpoint is one",
        "mlx_drmario/rl/runs/names.py",
        'if re.fullmatch(r"step_\\d{12,}", path.name)',
        "",
        "tests/rl/test_checkpoint.py::test_round_trip_and_pruning",
    ),
    (
        "the list of runs finds checkpoints by itself",
        "mlx_drmario/rl/runs/listing.py",
        "    summary.checkpoints = available(run)\n",
        '    summary.checkpoints = sorted((run / "checkpoints").glob("step_*"))\n',
        "tests/rl/test_checkpoint.py::test_round_trip_and_pruning",
    ),
    (
        "the app finds the newest checkpoint by itself",
        "tui/advice.py",
        "max(available(run), default=None)",
        'max((run / "checkpoints").glob("step_*"), default=None)',
        "tests/rl/test_checkpoint.py::test_round_trip_and_pruning",
    ),
    (
        "a closed terminal leaves a journal of a game by hand",
        "tui/screens/play.py",
        "_ENDING = (signal.SIGTERM, signal.SIGHUP)",
        "_ENDING = (signal.SIGTERM,)",
        "tests/tui/test_play.py::test_a_game_by_hand_that_is_ended_from_outside_is_kept",
    ),
    (
        "a game by hand waits for a terminal that is gone",
        "tui/screens/play.py",
        "        if number == signal.SIGHUP:\n",
        "        if False:\n",
        "tests/tui/test_play.py::test_a_game_by_hand_that_is_ended_from_outside_is_kept",
    ),
    (
        "the app keeps no games of a run that learns from search",
        "mlx_drmario/cli/tui.py",
        "capture = None if isinstance(given, fit.NewEvaluatorConfig) else given.capture",
        "capture = None if isinstance(given, fit.NewFitConfig) else given.capture",
        f"{TEST_HOME}::test_every_run_of_the_app_keeps_its_games_where_it_is_told",
    ),
    (
        "the app refuses a place for games when it trains",
        "mlx_drmario/cli/tui.py",
        '        check_directory("--capture", capture)\n',
        "        pass\n",
        f"{TEST_HOME}::test_every_run_of_the_app_keeps_its_games_where_it_is_told",
    ),
    (
        "an app without a terminal leaves an empty run",
        "mlx_drmario/cli/tui.py",
        "open_screen(config, make=terminal)",
        "open_screen(config)",
        f"{TEST_HOME}::test_without_a_terminal_or_a_package_it_says_so",
    ),
    (
        "a lost place for games ends the app",
        "tui/screens/play.py",
        "            self.game.close()\n        except OSError as error:\n",
        "            self.game.close()\n        except PermissionError as error:\n",
        f"{TEST_PLAY}::test_a_place_for_games_that_is_lost_ends_no_game",
    ),
    (
        "a frame that cannot be recorded is not counted",
        "tui/game.py",
        "        finally:\n            for index, seat",
        "        else:\n            for index, seat",
        f"{TEST_PLAY}::test_a_game_by_hand_goes_on_when_its_recording_cannot",
    ),
]
