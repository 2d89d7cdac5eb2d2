"""Deliberate faults at the edges: the command line, files of others, signals, damaged snapshots; read like rl.py."""

RANGES = "mlx_drmario/ranges.py"
FILES = "mlx_drmario/files.py"
ERRORS = "mlx_drmario/cli/errors.py"
TEST_RANGES = "tests/test_ranges.py"
TEST_DIRECTORY = "tests/rl/test_directory.py"
TEST_FILM = "tests/env/test_film.py"

# (name, file, old text, new text, test that fails)
MUTANTS: list[tuple[str, str, str, str, str]] = [
    (
        "a run directory is not locked",
        FILES,
        "                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "                pass\n",
        f"{TEST_DIRECTORY}::test_one_writer_and_the_kernel_lets_go",
    ),
    (
        "SIGTERM ends a run without saving",
        "mlx_drmario/cli/stopping.py",
        "STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)",
        "STOPPING = (signal.SIGINT, signal.SIGHUP)",
        "tests/rl/test_train.py::test_other_ways_to_stop_save_too",
    ),
    (
        "lost rows of metrics are padded",
        "mlx_drmario/rl/runs/metrics.py",
        "        offset = _whole_lines(self._path, offset)\n",
        "",
        f"{TEST_DIRECTORY}::test_lost_rows_are_said_and_not_padded",
    ),
    (
        "the learning rate has no range",
        "mlx_drmario/rl/ppo/config.py",
        "    learning_rate: Annotated[float, Range(0, 10)] = 2e-3\n",
        "    learning_rate: float = 2e-3\n",
        TEST_RANGES,
    ),
    (
        "not a number is in every range",
        RANGES,
        "            if not limits.holds(value):\n",
        "            if value < limits.low or value > limits.high:\n",
        TEST_RANGES,
    ),
    (
        "of several numbers only the first is looked at",
        RANGES,
        "for value in given if isinstance(given, tuple)",
        "for value in given[:1] if isinstance(given, tuple)",
        TEST_RANGES,
    ),
    (
        "an output is not tried before the work",
        FILES,
        "    _try_to_write(option, path, path.parent)\n",
        "",
        TEST_RANGES,
    ),
    (
        "an error names the setting instead of the option",
        ERRORS,
        '    return " ".join([option, *text.split(" ")[1:]]), True\n',
        "    return text, True\n",
        TEST_RANGES,
    ),
    (
        "what the parser refuses is printed in its box",
        ERRORS,
        "        raise WrongUse(refusal(stop) or unboxed(printed.getvalue(), args)) from None\n",
        "        raise WrongUse(refusal(stop) or printed.getvalue()) from None\n",
        TEST_RANGES,
    ),
    (
        "wrong use ends with 1",
        "mlx_drmario/cli/__init__.py",
        "        return 2 if wrong_use else 1\n",
        "        return 1\n",
        TEST_RANGES,
    ),
    (
        "Ctrl-C while importing shows where the import stood",
        "drmario_start/__init__.py",
        "    signal.signal(signal.SIGINT, signal.SIG_DFL)\n    from",
        "    from",
        "tests/test_interrupt.py",
    ),
    (
        "a snapshot may hold a player who settles with a speed_counter",
        "planner/round.cpp",
        "  if (p.speed_counter != 0) return",
        "  if (p.speed_counter == 255) return",
        "tests/planner/test_rounds.py",
    ),
    (
        "a film lets the capsule fall where it likes",
        "mlx_drmario/envs/film.py",
        "buttons[frame] if frame < len(buttons) else 0",
        "0",
        TEST_FILM,
    ),
    (
        "a film loses the frames after the lock",
        "mlx_drmario/envs/film.py",
        "    for frame in range(move.tau):\n",
        "    for frame in range(len(buttons)):\n",
        TEST_FILM,
    ),
    (
        "the game that was asked for is not the first",
        "mlx_drmario/cli/watch.py",
        "seeds=(*first, *seeds.seeds(config.split).tolist()),",
        "seeds=(*seeds.seeds(config.split).tolist(), *first),",
        "tests/tui/test_live.py::test_the_seed_of_the_command_line_is_the_first_game",
    ),
    (
        "a dry run says yes to a directory that cannot be made",
        "mlx_drmario/rl/runs/directory.py",
        '    check_makeable("run" if resume else "out", run)\n',
        "",
        "tests/test_ranges.py",
    ),
    (
        "any name is taken for an output",
        FILES,
        "    if ends and not path.name.endswith(ends):",
        "    if ends and not path.name:",
        "tests/test_ranges.py::test_names_end_in_what_the_file_holds",
    ),
    (
        "Ctrl-C while python -m imports the package shows where",
        "mlx_drmario/__init__.py",
        "    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)",
        "    pass",
        "tests/test_interrupt.py",
    ),
    (
        "Ctrl-C while python -m imports the command shows where",
        "mlx_drmario/__main__.py",
        "from drmario_start import main",
        "from mlx_drmario.cli import main",
        "tests/test_interrupt.py",
    ),
    (
        "one game is 1 games",
        "mlx_drmario/spec.py",
        "{'' if number == 1 else 's'}",
        "s",
        "tests/traces/test_tools.py",
    ),
    (
        "keys that need a run are offered without one",
        "tui/screens/live.py",
        'action not in ("checkpoint", "detach")',
        'action not in ("checkpoint",)',
        "tests/tui/test_live.py",
    ),
    (
        "the README's `drmario records list` fails in a new clone",
        "mlx_drmario/cli/records.py",
        "        if isinstance(config, List) and config.db == DATABASE:",
        "        if False:",
        "tests/traces/test_records.py",
    ),
    (
        "drmario bench goes on after Ctrl-C on the wall",
        "tui/bench.py",
        "task.cancelling()",
        "task.cancelled()",
        "tests/tui/test_home.py",
    ),
    (
        "a capsule thrown anywhere is taken",
        "planner/round.cpp",
        "p.next_action == kHandover ? describe_thrown(p) : nullptr",
        "nullptr",
        "tests/planner/test_rounds.py",
    ),
]
