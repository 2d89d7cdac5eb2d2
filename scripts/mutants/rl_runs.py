"""Deliberate faults in what runs leave on disk and how they go on from it; read like rl.py."""

SHARD = "mlx_drmario/rl/ppo/shard.py"
LEARNER = "mlx_drmario/rl/ppo/learner.py"
TRAIN = "mlx_drmario/rl/ppo/train.py"
CHECKPOINT = "mlx_drmario/rl/runs/checkpoint.py"
BEST = "mlx_drmario/rl/runs/best.py"
METRICS = "mlx_drmario/rl/runs/metrics.py"
FILES = "mlx_drmario/files.py"
SETTINGS = "mlx_drmario/settings.py"
TEST_CALLBACK = "tests/rl/test_callback.py"
TEST_DIRECTORY = "tests/rl/test_directory.py"
TEST_CHECKPOINT = "tests/rl/test_checkpoint.py"
TEST_TRAIN = "tests/rl/test_train.py"

# (name, file, old text, new text, test that fails)
MUTANTS: list[tuple[str, str, str, str, str]] = [
    (
        "a resumed run shuffles anew",
        SHARD,
        '        self.shuffle.bit_generator.state = state["shuffle"]\n',
        "",
        TEST_TRAIN,
    ),
    (
        "a resumed run forgets Adam's moments",
        CHECKPOINT,
        "        optimizer.state = tree_unflatten(list(self.optimizer.items()))\n",
        "",
        TEST_TRAIN,
    ),
    (
        "a resumed run forgets its weights",
        CHECKPOINT,
        "        model.load_weights(list(self.model.items()))\n",
        "",
        TEST_TRAIN,
    ),
    (
        "a resumed run starts its games anew",
        LEARNER,
        "        if same:\n            self.window",
        "        if False:\n            self.window",
        TEST_TRAIN,
    ),
    (
        "a run resumed with other games plays the old ones",
        LEARNER,
        "        if same:\n            self.window",
        "        if True:\n            self.window",
        TEST_CALLBACK,
    ),
    (
        "new games of a resumed run are those that it began with",
        SHARD,
        "(config.seed, stream, index, decisions)",
        "(config.seed, stream, index, 0)",
        TEST_CALLBACK,
    ),
    (
        "who is faster is promoted although it clears less",
        BEST,
        "return certified and self.only_candidate >= self.only_best",
        "return certified",
        "tests/rl/test_best.py",
    ),
    (
        "whoever clears one game more is promoted",
        BEST,
        "return stats.evidence(self.only_candidate, self.only_candidate + self.only_best, 0.5) >= -math.log(error)",
        "return self.only_candidate > self.only_best",
        "tests/rl/test_best.py",
    ),
    (
        "the best checkpoint is chosen on test games",
        BEST,
        'SPLIT = "validation"',
        'SPLIT = "test"',
        TEST_CALLBACK,
    ),
    (
        "a checkpoint that was asked for is not written",
        TRAIN,
        "if wants_checkpoint or wants_evaluation:",
        "if wants_evaluation:",
        TEST_CALLBACK,
    ),
    (
        "PPO trains into a Path alone",
        TRAIN,
        "run, callback, processes = Path(run), callback",
        "run, callback, processes = run, callback",
        f"{TEST_DIRECTORY}::test_a_directory_may_be_text",
    ),
    (
        "an evaluator is fitted into a Path alone",
        "mlx_drmario/rl/evaluator/train.py",
        "run, callback = Path(run), callback",
        "run, callback = run, callback",
        f"{TEST_DIRECTORY}::test_a_directory_may_be_text",
    ),
    (
        "weights that are no numbers are kept",
        "mlx_drmario/rl/fit.py",
        "    if not math.isfinite(norm):\n",
        "    if False:\n",
        "tests/rl/test_train.py::test_weights_that_are_no_numbers_end_a_run_and_are_not_kept",
    ),
    (
        "the number of a checkpoint is what its directory is called",
        CHECKPOINT,
        'return int(json.loads((path / "policy.json").read_text())["decisions"])',
        'return int(path.resolve().name.rpartition("_")[2])',
        f"{TEST_CHECKPOINT}::test_the_best_is_known_in_a_copy_without_links",
    ),
    (
        "a copy without links has no best checkpoint",
        "mlx_drmario/rl/runs/names.py",
        "max(kept, default=None)",
        "None",
        f"{TEST_CHECKPOINT}::test_the_best_is_known_in_a_copy_without_links",
    ),
    (
        "the newest checkpoint but one is dropped",
        CHECKPOINT,
        "for old in available(run)[:-keep]:",
        "for old in available(run)[: -keep + 1 or None]:",
        TEST_CHECKPOINT,
    ),
    (
        "damage is not noticed",
        CHECKPOINT,
        "if name not in fingerprints or _fingerprint(path / name) != fingerprints[name]:",
        "if name not in fingerprints:",
        TEST_CHECKPOINT,
    ),
    (
        "what it replaces is removed before the new one is whole",
        FILES,
        "    _delete(temporary)\n    try:\n",
        "    _delete(temporary)\n    _delete(path)\n    try:\n",
        TEST_CHECKPOINT,
    ),
    (
        "metrics of lost work stay",
        METRICS,
        "        self._lines.truncate(offset)\n",
        "",
        TEST_TRAIN,
    ),
    (
        "unknown settings are ignored",
        SETTINGS,
        '"extra": "forbid"',
        '"extra": "ignore"',
        "tests/rl/test_settings.py",
    ),
    (
        "an illegal placement has some chance",
        "mlx_drmario/rl/distribution.py",
        "np.where(share > 0, np.log(np.maximum(share, 1e-30)), ILLEGAL)",
        "np.log(np.maximum(share, 1e-30))",
        "tests/rl/test_distribution.py",
    ),
    (
        "a hold before the first iteration counts backwards",
        "mlx_drmario/rl/ppo/learner.py",
        "start - self.clock - held_before if self.clock else 0.0",
        "start - (self.clock or start) - held_before",
        "tests/rl/test_callback.py",
    ),
    (
        "a compiler that was stopped is an error",
        "mlx_drmario/cli/stopping.py",
        "if not (asked and _of_compiling(error)):",
        "if not asked or error:",
        "tests/test_interrupt.py",
    ),
    (
        "a shaped run goes on only where it was started",
        TRAIN,
        "evaluator=config.shaping.evaluator.absolute()",
        "evaluator=config.shaping.evaluator",
        "tests/rl/test_shaping.py",
    ),
    (
        "a run with a curriculum throws its games away for a level",
        "mlx_drmario/cli/train.py",
        "if stored.curriculum.enabled and name in games:",
        "if False:",
        "tests/test_train_options.py",
    ),
    (
        "batches of best checkpoints are smaller than was said",
        BEST,
        "-(-BATCH // len(levels))",
        "BATCH // len(levels)",
        "tests/rl/test_best.py",
    ),
    (
        "a run that fails leaves its lock to a forked child",
        "mlx_drmario/files.py",
        "            yield\n        finally:\n            fcntl.flock(descriptor, fcntl.LOCK_UN)",
        "            yield\n        except GeneratorExit:\n            fcntl.flock(descriptor, fcntl.LOCK_UN)",
        "tests/rl/test_directory.py::test_a_lock_does_not_outlive_its_holder_in_a_forked_child",
    ),
    (
        "a row of metrics that is being written is a damaged one",
        "mlx_drmario/rl/runs/rows.py",
        '        if line.endswith(b"\\n"):\n',
        "        if True:\n",
        "tests/rl/test_runs.py::test_a_line_that_is_being_written_is_no_problem",
    ),
    (
        "training goes on from what can only be played",
        "mlx_drmario/rl/runs/checkpoint.py",
        "weights = _read_weights(path, (FORMAT,))",
        "weights = _read_weights(path, PLAYABLE)",
        "tests/rl/test_checkpoint.py::test_an_older_policy_is_played_and_not_trained",
    ),
    (
        "equal weights are different files",
        "mlx_drmario/rl/runs/checkpoint.py",
        "ordered = sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0]))",
        "ordered = list(arrays.items())",
        "tests/rl/test_checkpoint.py::test_equal_arrays_are_equal_files_in_the_format",
    ),
    (
        "a best checkpoint whose line was lost plays against itself",
        BEST,
        "if best is not None and best[0] != decisions:",
        "if best is not None:",
        "tests/rl/test_best.py::test_interruptions_do_not_change_who_is_best",
    ),
    (
        "games count for a stage that is passed",
        "mlx_drmario/rl/curriculum.py",
        "        if self.passed:\n            return\n",
        "",
        "tests/rl/test_curriculum.py::test_trial_passes_when_certified_and_else_starts_again",
    ),
    (
        "outcomes that wait for earlier games are not in a checkpoint",
        "mlx_drmario/rl/curriculum.py",
        '{ticket: cleared for ticket, cleared in state["waiting"]}',
        "{}",
        "tests/rl/test_curriculum.py::test_outcomes_come_in_the_order_of_starts",
    ),
    (
        "a file of settings wins over the environment",
        SETTINGS,
        "            add(_nested(key,",
        "            _ = key in sources or add(_nested(key,",
        "tests/rl/test_settings.py::test_precedence",
    ),
    (
        "whoever set anything is named for what is wrong",
        SETTINGS,
        "dict.fromkeys(named or sources.values())",
        "dict.fromkeys(sources.values())",
        "tests/rl/test_settings.py::test_a_refused_combination_names_its_sources",
    ),
    (
        "3e-4 is text",
        SETTINGS,
        "([eE][-+]?[0-9]+)?|[-+]?",
        "|[-+]?",
        "tests/rl/test_settings.py::test_numbers_as_in_yaml_1_2",
    ),
    (
        "what killed writers left stays among the checkpoints",
        "mlx_drmario/rl/runs/directory.py",
        'for directory in (run, run / "checkpoints"):',
        "for directory in (run,):",
        "tests/rl/test_directory.py::test_what_killed_writers_left_is_swept",
    ),
]
