"""Deliberate faults in traces: recording, journals, files, replay, movies, records."""

CAPTURE, RECORDER = (f"mlx_drmario/traces/{name}.py" for name in ("capture", "recorder"))
LOG, LZF = "planner/step_log.cpp", "planner/lzf.cpp"
JOURNAL, WRITER, STORAGE = (f"mlx_drmario/traces/{name}.py" for name in ("journal", "writer", "storage"))
REPLAY, CONSOLE, RECORDS = (f"mlx_drmario/traces/{name}.py" for name in ("replay", "console", "records"))
TEST_CAPTURE, TEST_CRASH, TEST_BEHIND = (f"tests/traces/test_{name}.py" for name in ("capture", "crash", "behind"))
TEST_CHUNKS = "tests/traces/test_chunks.py"

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
        "games leave a file for one that cannot begin",
        WRITER,
        "        if previous is not None:\n            previous.flush()\n",
        "        if previous is not None:\n            previous.flush()\n            previous._continued = True\n",
        TEST_CRASH,
    ),
    (
        "a game changed by others goes on",
        LOG,
        "const bool begins = runs && (changed || !known_[n]);",
        "const bool begins = runs && !known_[n];",
        TEST_CAPTURE,
    ),
    (
        "an open decision is forgotten between blocks",
        LOG,
        "if (row >= 0) row = kEarlierBlock;",
        "if (row >= 0) row = kNoRow;",
        TEST_CAPTURE,
    ),
    (
        "a file ends where a block ends",
        LOG,
        "return (fills_file || is_old || rows_ >= block_rows_)",
        "return (is_old || rows_ >= block_rows_)",
        TEST_CAPTURE,
    ),
    (
        "the end of a game has the digest of its last decision",
        LOG,
        "  digests(&games_.games[0].round.match, game_.size(), digest_.data(), sizeof(Game));\n",
        "",
        TEST_CAPTURE,
    ),
    (
        "an interrupted copy counts as a step",
        LOG,
        "if (fate_[n] & kRuns && games_.moves[n] != found_[n] + 1) {",
        "if (false) {",
        TEST_CAPTURE,
    ),
    (
        "a step that was begun twice is there twice",
        LOG,
        "  block_->rows.resize(rows_);\n  block_->seats.resize(rows_);\n",
        "",
        TEST_BEHIND,
    ),
    ("old steps wait for a full block", LOG, "(fills_file || is_old ||", "(fills_file ||", TEST_CAPTURE),
    (
        "what a policy says of a step is said of the next",
        RECORDER,
        'step = rows["order"] - block.first_step',
        'step = np.maximum(rows["order"] - block.first_step, 1) - 1',
        TEST_CAPTURE,
    ),
    (
        "a row that is given again is in the file twice",
        WRITER,
        "return order[np.append(key[order[1:]] != key[order[:-1]], True)[: len(order)]]",
        "return order",
        TEST_CAPTURE,
    ),
    (
        "the player never waits for the disk",
        CAPTURE,
        "while self._waiting and (self.log.ready > most or self._waiting[0].done()):",
        "while self._waiting and self._waiting[0].done():",
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
    (
        "a match lies further back than its token can say",
        LZF,
        "kFarthest = 1 << 13",
        "kFarthest = 1 << 14",
        TEST_CHUNKS,
    ),
    ("a match is longer than its token can say", LZF, "kLongest = 264", "kLongest = 265", TEST_CHUNKS),
    ("the last literals are left out", LZF, "to = put_literals(to, waiting, bytes + size);", "", TEST_CHUNKS),
    ("the row before is not looked at", LZF, "row <= std::min(at, kFarthest)", "false", TEST_CHUNKS),
    (
        "elements are not shuffled to the end",
        LZF,
        "for (std::size_t i = 0; i < count; ++i) out[b",
        "for (std::size_t i = 0; i + 1 < count; ++i) out[b",
        TEST_CHUNKS,
    ),
    (
        "a chunk that is not compressed is read as if it were",
        STORAGE,
        "0b11 if self._width > 1 else 0b1",
        "0",
        TEST_CHUNKS,
    ),
    (
        "a chunk goes where the next one belongs",
        STORAGE,
        "first = (self._rows - 1) // len(chunk)",
        "first = self._rows // len(chunk)",
        TEST_CHUNKS,
    ),
    (
        "the last rows are not written",
        STORAGE,
        "        if waiting:\n            self._chunk[waiting:]",
        "        if False:\n            self._chunk[waiting:]",
        TEST_CHUNKS,
    ),
]
