"""Deliberate faults in scripts, plans and counters of search; read like rl.py."""

LEAST, TEST = "scripts/least_frames.py", "tests/test_least_frames.py"
SCRIPTS = "tests/test_scripts.py"
BOUND = f"{TEST}::test_no_line_is_faster_than_its_bound"

# (name, file, old text, new text, test that fails)
MUTANTS: list[tuple[str, str, str, str, str]] = [
    (
        "halves that lie there are thrown again",
        LEAST,
        "COLS).sum(axis=1)\n        for",
        "COLS).sum(axis=1) * 0\n        for",
        BOUND,
    ),
    ("halves there serve the shallowest", LEAST, "[: max(0, len(columns[column]) - have)]", "[have:]", BOUND),
    ("the halves of a capsule fall one after the other", LEAST, "(delay + 1) // 2", "delay", BOUND),
    ("the capsule that is thrown is not there yet", LEAST, "+ made + 1) %", "+ made + 2) %", BOUND),
    ("viruses are thrown too", LEAST, "*lines)) - set(viruses)", "*lines))", BOUND),
    ("a virus goes in rows alone", LEAST, "for first in across] + [", "for first in across] + 0 * [", BOUND),
    ("a capsule falls slower than it can", LEAST, "return 31 + 2 * row", "return 32 + 2 * row", TEST),
    (
        "the last capsule waits for another",
        LEAST,
        "map(decision_frames, rows)) - LAST",
        "map(decision_frames, rows))",
        TEST,
    ),
    ("the bound is nothing", LEAST, "np.maximum(tower_frames()[top, capsules], deep)", "0", BOUND),
    ("equal bottles are one at any frame", LEAST, ", self.frames[:, None].view(np.uint8)]", "]", TEST),
    ("a clear in as many frames as allowed is none", LEAST, "line, tried = limit + 1, ", "line, tried = limit, ", TEST),
    (
        "no results are an empty table",
        "scripts/results_table.py",
        "    if not lines:\n",
        "    if False:\n",
        SCRIPTS,
    ),
    (
        "a page without marks gets the tables",
        "scripts/results_table.py",
        "    if parts is None:\n",
        "    if False:\n",
        SCRIPTS,
    ),
    (
        "an interval is made of one run",
        "scripts/learning_curves.py",
        "        if len(runs) < 2:\n",
        "        if False:\n",
        SCRIPTS,
    ),
    (
        "nothing is drawn as a figure",
        "scripts/learning_curves.py",
        "        if not self.files:\n",
        "        if False:\n",
        SCRIPTS,
    ),
    (
        "what a script refuses is a box",
        "mlx_drmario/cli/errors.py",
        '("mlx_drmario.", "scripts.", "__main__")',
        '("mlx_drmario.",)',
        SCRIPTS,
    ),
    (
        "a plan goes on however fast the game has become",
        "mlx_drmario/memory.py",
        "return faster in (0, 1) and now",
        "return now",
        "tests/test_memory.py",
    ),
    (
        "a plan goes on with a placement that cannot be reached",
        "mlx_drmario/memory.py",
        "if not self.actions or not view.legal[game, self.actions[0]]:",
        "if not self.actions:",
        "tests/test_memory.py",
    ),
    (
        "a long choice tells nothing until it is over",
        "planner/search_online.cpp",
        "    ++s;\n    tell();\n",
        "    ++s;\n",
        "tests/planner/test_search_edges.py::test_a_long_choice_tells_how_far_it_is",
    ),
    (
        "a choice is counted twice",
        "planner/search_online.cpp",
        "  told_ = nodes_;\n",
        "",
        "tests/planner/test_search_edges.py",
    ),
]
