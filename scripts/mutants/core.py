"""Deliberate faults in engine, planner, environments, evaluation and statistics."""

SETTLE, MATCH, FALLING, SETUP = (f"engine/{name}" for name in ("settle.cpp", "match.cpp", "falling.h", "setup.cpp"))
VALIDATE, POOL, SNAPSHOT = (f"engine/{name}.cpp" for name in ("validate", "thread_pool", "bind_snapshot"))
ROUND, DECISIONS, AFTERSTATE = (f"planner/{name}.cpp" for name in ("round", "decisions", "afterstate"))
FRAME, PLACEMENT, VECTOR = (f"mlx_drmario/envs/{name}.py" for name in ("frame", "placement", "vector"))
EVALUATE, REWARDS, STATS, SEEDS = (f"mlx_drmario/{name}.py" for name in ("evaluate", "rewards", "stats", "seeds"))
PARITY, BATCH, SHARING = "tests/golden", "tests/engine/test_batch.py", "tests/engine/test_sharing.py"
PASSES = "tests/engine/test_passes.py"
BOARD, TEST_SEARCH = "planner/search_board.cpp", "tests/planner/test_search.py"
TEST_DECISIONS, TWO = "tests/planner/test_decisions.py", "tests/planner/test_two_players.py"
PLACEMENT_TEST, FRAME_TEST = "tests/env/test_placement_env.py", "tests/env/test_frame_env.py"
GYMNASIUM, TEST_EVALUATE = "tests/env/test_gymnasium.py", "tests/env/test_evaluate.py"

# (name, file, old text, new text, test that fails)
MUTANTS: list[tuple[str, str, str, str, str]] = [
    ("a run needs only three cells", SETTLE, "if (end - start >= 4)", "if (end - start >= 3)", PARITY),
    ("a soft drop works in every frame", FALLING, "if ((frame_counter & 1) && (p", "if ((p", PARITY),
    (
        "blocked moves are not retried",
        FALLING,
        "p.hor_velocity = kDasBlocked;\n    }\n  }\n  if",
        "}\n  }\n  if",
        PARITY,
    ),
    ("garbage lands one column further", MATCH, "? 1 : 3);", "? 1 : 3) ^ 1;", PARITY),
    (
        "the speed rises every eleventh capsule",
        SETUP,
        "(p.pill_count_bcd & 0x0F) == 0",
        "(p.pill_count_bcd & 0x0F) == 1",
        PARITY,
    ),
    (
        "halves under two crossing runs count twice",
        SETTLE,
        "} else if (kind != kClearing) {",
        "} else {",
        TEST_DECISIONS,
    ),
    ("freed cells stay freed where nothing falls", SETTLE, "(bytes_of(gaps) & ~row) | ", "", PASSES),
    ("a left half's partner is two columns further", SETTLE, "left & ~(right >> 8)", "left & ~(right >> 16)", PASSES),
    ("a virus counts under another colour", SETTLE, "[color];", "[(color + 1) % 3];", TEST_DECISIONS),
    ("a pass counts as often as it has runs", SETTLE, "if (p.match_flag == 0) {", "{", TEST_DECISIONS),
    (
        "an attack is told only when it is delivered",
        MATCH,
        "events.attack_sent + p.combo",
        "events.attack_sent + 0",
        TWO,
    ),
    ("both win when both clear", MATCH, "good[i] ? !good[1 - i]", "good[i] ? true", TWO),
    (
        "the clock forgets the frame of the lock",
        ROUND,
        "seat.frames_left -= frames;",
        "seat.frames_left -= frames;\n    if (seat.frames_left == 0) --round.events[i].tau;",
        TEST_DECISIONS,
    ),
    (
        "the throw is skipped a frame too far",
        ROUND,
        "constexpr u32 calls = kThrowCalls - 1;",
        "constexpr u32 calls = kThrowCalls;",
        TEST_DECISIONS,
    ),
    (
        "a redraw does not hold back the fall",
        ROUND,
        "p.placed_step == kDrop && p.status != 255 ? p.status : 0",
        "p.placed_step == kDrop && p.status != 255 ? 1u + p.status : 0",
        TEST_DECISIONS,
    ),
    (
        "player 2 acts in player 1's third crown",
        ROUND,
        "return seat == 0 || match.mode",
        "return seat >= 0 || match.mode",
        TWO,
    ),
    ("events are told twice", DECISIONS, "    round.events[s] = {};\n", "", TEST_DECISIONS),
    (
        "an unfinished decision is told",
        DECISIONS,
        "if (!round.seat[s].parked && !round.over) continue;  // its decision is not over: told later",
        "",
        TWO,
    ),
    (
        "a masked reset keeps what was told",
        DECISIONS,
        "  clear_told();\n  for_games(*this, [&](std::size_t n) {\n    if (!mask[n]) return;\n    games[n] = {};",
        "  for_games(*this, [&](std::size_t n) {\n    if (!mask[n]) return;\n    games[n] = {};",
        TWO,
    ),
    (
        "afterstates show player 1's bottle",
        AFTERSTATE,
        "std::copy_n(round.match.player[seat].bottle",
        "std::copy_n(round.match.player[0].bottle",
        TWO,
    ),
    ("snapshots are not summed up", SNAPSHOT, "if (checksum(text.substr", "if (false && checksum(text.substr", BATCH),
    (
        "counts that are no decimals are taken",
        VALIDATE,
        "return value >> 4 <= 9 && (value & 0x0F) <= 9;",
        "return value >> 4 <= 9;",
        BATCH,
    ),
    (
        "a forked child waits for its parent's threads",
        POOL,
        "if (forks_.load(std::memory_order_acquire) != fork_count()) {",
        "if (false) {",
        SHARING,
    ),
    (
        "nobody does the share of a thread that sleeps",
        POOL,
        "for (std::size_t i = 0; i < shares_.size(); ++i) {",
        "for (std::size_t i = 0; i < 1; ++i) {",
        TEST_DECISIONS,
    ),
    (
        "integers of one axis are taken as they are",
        "engine/bind.cpp",
        "return allowed ? values : std::vector<long>();",
        "return values;",
        BATCH,
    ),
    (
        "the last legal placement is never drawn",
        DECISIONS,
        "u64 skip = draw * count >> 32;",
        "u64 skip = draw * (count - 1) >> 32;",
        "tests/planner/test_decisions.py",
    ),
    ("two callers at once", POOL, "  crew_->turn.lock();", "", SHARING),
    ("one wake-up too few", POOL, "i < helpers; ++i) wake_", "i + 1 < helpers; ++i) wake_", SHARING),
    (
        "a worker sleeps through the next call",
        POOL,
        "wake_.wait(lock, [&] { return stop_ || generation_ != seen; });",
        "wake_.wait(lock);",
        SHARING,
    ),
    (
        "two threads take a chunk",
        POOL,
        "share.next.fetch_add(grain_, std::memory_order_relaxed)",
        "share.next.load();\n        share.next = begin + grain_",
        SHARING,
    ),
    (
        "the last chunk is left out",
        POOL,
        "if (begin >= share.end) break;",
        "if (begin + grain_ > share.end) break;",
        SHARING,
    ),
    (
        "the caller does not wait for workers",
        POOL,
        "    done_.wait(lock, [this] { return busy_ == 0; });\n",
        "",
        SHARING,
    ),
    (
        "a forfeited game is not lost",
        PLACEMENT,
        'due["top_out"] = due["top_out"] | forfeit',
        'due["top_out"] = due["top_out"]',
        PLACEMENT_TEST,
    ),
    (
        "frames after the limit still count",
        FRAME,
        "active & late & ~terminated",
        "active & late & terminated",
        FRAME_TEST,
    ),
    (
        "the wrong observation ends a game",
        VECTOR,
        "            self._finish(info, self._ended)\n",
        "            self._draw(self._ended)\n            self._finish(info, self._ended)\n",
        GYMNASIUM,
    ),
    (
        "a cut game counts as lost",
        EVALUATE,
        "top_out |= d.top_out",
        "top_out |= d.top_out | d.truncated",
        TEST_EVALUATE,
    ),
    (
        "seconds of play are counted for games not cleared",
        EVALUATE,
        "return self.frames[self.cleared]",
        "return self.frames[~self.top_out]",
        TEST_EVALUATE,
    ),
    ("time is paid per capsule", REWARDS, '"time": events.tau', '"time": events.capsules', "tests/env/test_rewards.py"),
    (
        "validation games are test games",
        SEEDS,
        '"validation": range(4_608, 8_192)',
        '"validation": range(4_000, 8_192)',
        "tests/env/test_seeds.py",
    ),
    (
        "both halves of a pair need not hang",
        BOARD,
        "free & board.left & moved_left(free)",
        "free & board.left",
        TEST_SEARCH,
    ),
    (
        "what lies on a falling piece stays",
        BOARD,
        "if (more == falls) break;",
        "falls = more;\n    break;",
        TEST_SEARCH,
    ),
    ("viruses fall", BOARD, "loose = occupied & ~board.virus;", "loose = occupied;", TEST_SEARCH),
]
