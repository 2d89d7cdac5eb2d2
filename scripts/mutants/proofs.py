"""Deliberate faults in scripts/least_frames.py; read like rl.py."""

LEAST, TEST = "scripts/least_frames.py", "tests/test_least_frames.py"
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
]
