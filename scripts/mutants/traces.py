"""Deliberate faults in traces: recording, journals, files, replay, movies, records."""

RECORDER, STEPS, CAPTURE = (f"mlx_drmario/traces/{name}.py" for name in ("recorder", "steps", "capture"))
JOURNAL, WRITER, STORAGE = (f"mlx_drmario/traces/{name}.py" for name in ("journal", "writer", "storage"))
REPLAY, CONSOLE, RECORDS = (f"mlx_drmario/traces/{name}.py" for name in ("replay", "console", "records"))
TEST_CAPTURE, TEST_CRASH, TEST_BEHIND = (f"tests/traces/test_{name}.py" for name in ("capture", "crash", "behind"))

# (name, file, old text, new text, test that fails)
MUTANTS: list[tuple[str, str, str, str, str]] = [
    (
        "a record given again is written again",
        JOURNAL,
        "at = begin if number == last else end",
        "at = end",
        TEST_CRASH,
    ),
    ("a torn record is read", JOURNAL, " or zlib.crc32(payload) != checksum", "", TEST_CRASH),
    (
        "recover does not see that games went on",
        WRITER,
        "continued=_goes_on(source, path.name)",
        "continued=False",
        TEST_CRASH,
    ),
    (
        "a game changed by others goes on",
        RECORDER,
        "begun = running & (changed | ~known)",
        "begun = running & ~known",
        TEST_CAPTURE,
    ),
    (
        "an open decision is forgotten between blocks",
        RECORDER,
        "        self._pending = open_now\n",
        "        self._pending = np.zeros_like(open_now)\n",
        TEST_CAPTURE,
    ),
    (
        "a file ends where a block ends",
        RECORDER,
        "until = first + int(full[0]) + 1 if len(full) else steps.count",
        "until = steps.count",
        TEST_CAPTURE,
    ),
    (
        "the end of a game has the digest of its last decision",
        RECORDER,
        "self._writer.end(number[1:][over], outcome, winner, _digests(steps.after[over]))",
        "self._writer.end(number[1:][over], outcome, winner, _digests(steps.before[over]))",
        TEST_CAPTURE,
    ),
    (
        "an interrupted copy counts as a step",
        STEPS,
        "        if not self._begun:\n            return\n",
        "",
        TEST_BEHIND,
    ),
    (
        "steps stay here when they are given away",
        CAPTURE,
        "steps, self._steps = self._steps, None",
        "steps = self._steps",
        TEST_CAPTURE,
    ),
    (
        "the player never waits for the disk",
        CAPTURE,
        "while self._waiting and (len(self._waiting) > most or self._waiting[0][0].done()):",
        "while self._waiting and (most == 0 or self._waiting[0][0].done()):",
        TEST_BEHIND,
    ),
    ("errors behind are dropped", CAPTURE, "            future.result()\n", "", TEST_BEHIND),
    ("a forked child may write", CAPTURE, "        if getpid() != self._process:", "        if False:", TEST_BEHIND),
    (
        "a write error of a file is not told",
        STORAGE,
        "        if sink.error is not None:\n            raise OSError",
        "        if False:\n            raise OSError",
        TEST_CRASH,
    ),
    (
        "the end of a replay is not compared",
        REPLAY,
        "if wanted and games.same_engine and digest != wanted:",
        "if False:",
        "tests/traces/test_storage.py",
    ),
    (
        "a round is seen as its frames show it",
        REPLAY,
        '("pill_y", "speed_counter", "speed_index", "chain_len")',
        '("speed_counter", "speed_index", "chain_len")',
        TEST_CAPTURE,
    ),
    (
        "the options screen is left a frame late",
        CONSOLE,
        "wait = int(at[0]) + 2  # S - T",
        "wait = int(at[0]) + 3  # S - T",
        "tests/traces/test_movie.py",
    ),
    (
        "equal games have two names",
        RECORDS,
        "return seed if seed in seeds.orbit() else seed ^ 1",
        "return seed",
        "tests/traces/test_records.py",
    ),
]
