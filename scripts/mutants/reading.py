"""Deliberate faults in what readers of 2026-11-28 found; read like rl.py."""

WRONG_USE, OPTIONS = "tests/test_wrong_use.py", "tests/test_train_options.py"
ARGUMENTS, GIVEN = "tests/env/test_arguments.py", "mlx_drmario/envs/arguments.py"
DAMAGED, LEAVING = "tests/traces/test_damaged.py", "tests/tui/test_leaving.py"
EVAL, TEST_EVAL = "mlx_drmario/cli/eval.py", "tests/env/test_eval_cli.py"
REWARDS, SEARCH, TRAIN = "mlx_drmario/rewards.py", "mlx_drmario/search.py", "mlx_drmario/cli/train.py"
ERRORS, RECORDS = "mlx_drmario/cli/errors.py", "mlx_drmario/cli/records.py"

# (name, file, old text, new text, test that fails)
MUTANTS: list[tuple[str, str, str, str, str]] = [
    (
        "the counter of an imported game is that of its set-up",
        "traces/identify.py",
        "    clock[set_up] += _frames_to_play(start[set_up], players)\n",
        "",
        "tests/traces/test_details.py::test_an_imported_game_has_the_counter_of_its_first_frame_of_play",
    ),
    ("a damaged journal is removed", "traces/writer.py", "_kept(source) if content.damaged else None", "None", DAMAGED),
    ("a journal that was cut short is damaged", "traces/journal.py", ") <= lost\n", ") <= 2**40\n", DAMAGED),
    ("another damaged journal is taken for this", "traces/writer.py", "not kept.samefile(source)", "False", DAMAGED),
    ("logs that say something are swept", "tui/session.py", "if path.stat().st_size == 0:", "if True:", LEAVING),
    ("SIGTERM leaves the terminal as it is", "tui/app.py", "        self.call_later(self.action_leave)\n", "", LEAVING),
    ("a closed terminal leaves the log of a worker", "tui/app.py", "isinstance(screen, Closing)", "False", LEAVING),
    ("a file is written over by another option's", EVAL, "if config.json.resolve() in taken:", "if False:", TEST_EVAL),
    (
        "a file in a directory to be made is refused",
        EVAL,
        "    if config.out is not None:  # first: the other file may be for it\n",
        "    if config.out is not None and config.out.exists():\n",
        TEST_EVAL,
    ),
    (
        "a branch that becomes the line is of no game",
        "tui/screens/travel.py",
        "replace(self.branch, seed=self.line.seed)",
        "self.branch",
        "tests/tui/test_travel.py::test_a_branch_can_become_the_line_and_be_left_again",
    ),
    (
        "rewards that cannot be written are lost",
        REWARDS,
        "files.write_text(Path(path), ",
        "Path(path).write_text(",
        ARGUMENTS,
    ),
    (
        "a reward given twice counts once",
        REWARDS,
        "if name in values:",
        "if False:",
        ARGUMENTS,
    ),
    (
        "a setting of a search given twice counts once",
        "mlx_drmario/search.py",
        "if key in values:",
        "if False:",
        ARGUMENTS,
    ),
    ("a way to reset has no name", GIVEN, "(each, each.name, each.value)", "(each, each.value)", ARGUMENTS),
    ("a seed that is an array of none is several", GIVEN, " or np.ndim(seed) == 0", "", ARGUMENTS),
    (
        "a vector of one game may have more",
        "mlx_drmario/envs/single.py",
        "        if name in options:\n",
        "        if False:\n",
        ARGUMENTS,
    ),
    (
        "calibration disturbs half of the games",
        "mlx_drmario/cli/calibrate.py",
        "settings.data.disturbed if config.disturbed is None else config.disturbed",
        "config.disturbed or 0.5",
        "tests/rl/test_calibration.py::test_the_command",
    ),
    (
        "shards that cannot share are blamed",
        "mlx_drmario/cli/train.py",
        "    if count % shards:\n",
        "    if False:\n",
        OPTIONS,
    ),
    (
        "an option elsewhere is recommended",
        "mlx_drmario/cli/errors.py",
        "    if misplaced:\n",
        "    if False:\n",
        WRONG_USE,
    ),
    (
        "an option of another command is recommended",
        "mlx_drmario/cli/errors.py",
        "or command in places]",
        "or True]",
        WRONG_USE,
    ),
    ("a wrong line is shown whole", "traces/movie.py", "if len(text) <= 60", "if True", WRONG_USE),
    (
        "macOS keeps what was to be on the disk",
        "mlx_drmario/files.py",
        'getattr(fcntl, "F_FULLFSYNC", None)',
        "None",
        "tests/test_files.py",
    ),
    (
        "a file system that cannot flush is an error",
        "mlx_drmario/files.py",
        "        with contextlib.suppress(OSError):  # a file system without it\n",
        "        with contextlib.suppress(KeyError):\n",
        "tests/test_files.py",
    ),
    (
        "an app waits for its worker to read the job",
        "mlx_drmario/tui/link.py",
        "                    end.setsockopt(socket.SOL_SOCKET, size, ROOM)\n",
        "                    pass\n",
        "tests/tui/test_sharing.py::test_a_job_is_sent_before_anybody_reads_it",
    ),
    (
        "a CVaR is said by quantiles that do not reach so far",
        "mlx_drmario/rl/evaluator/calibration.py",
        '"cvar_predicted": average(cvar) if reaching else None,',
        '"cvar_predicted": average(cvar),',
        "tests/rl/test_calibration.py",
    ),
    (
        "a file that is no trace ends the adding of records",
        "mlx_drmario/cli/records.py",
        "            unread.append(str(error))\n            continue\n",
        "            raise\n",
        "tests/traces/test_records_command.py",
    ),
    (
        "files that could not be read are not told",
        "mlx_drmario/cli/records.py",
        "    if unread:\n        raise",
        "    if not unread:\n        raise",
        "tests/traces/test_records_command.py",
    ),
    (
        "a source folder that is not built says so of any module",
        "mlx_drmario/__init__.py",
        'if _error.name != "mlx_drmario._core":',
        "if True:",
        "tests/test_package.py",
    ),
]
