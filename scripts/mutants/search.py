"""Deliberate faults in search by who remembers the capsules of a game; those of other searches are in core.py."""

ONLINE, KNOWN = "planner/search_online.cpp", "planner/search_known.cpp"
MEMORY, TEST = "mlx_drmario/memory.py", "tests/test_memory.py"
TEST_SEARCH = "tests/planner/test_search.py"
TEST_EDGES = "tests/planner/test_search_edges.py"
PREVIEW, TEST_PREVIEW = "planner/value_preview.cpp", "tests/planner/test_value_preview.py"
VALUE, TEST_VALUE = "planner/bind_value.cpp", "tests/planner/test_foreign_value.py"

# (name, file, old text, new text, test that fails)
MUTANTS: list[tuple[str, str, str, str, str]] = [
    (
        "the first of the given futures stands for all",
        "planner/search_online.cpp",
        "given ? given + s * options.depth : drawn",
        "given ? given : drawn",
        TEST_SEARCH,
    ),
    (
        "a plan begins one capsule late",
        "planner/search_known.cpp",
        "next_{seen.preview[0], seen.preview[1]}, index_(0)",
        "next_{seen.preview[0], seen.preview[1]}, index_(1)",
        TEST_SEARCH,
    ),
    (
        "a memory goes on from the game before",
        MEMORY,
        "if thrown - self.thrown[game] not in (0, 1):",
        "if False:",
        TEST,
    ),
    (
        "a memory forgets",
        MEMORY,
        "if thrown - self.thrown[game] not in (0, 1):",
        "if True:",
        TEST,
    ),
    (
        "a memory takes the preview for what follows it",
        MEMORY,
        "(self.thrown[game] + 1 + np.arange(RESERVE))",
        "(self.thrown[game] + np.arange(RESERVE))",
        TEST,
    ),
    (
        "a plan is followed whatever the bottle",
        MEMORY,
        " and plan.bottle == bottle",
        "",
        TEST,
    ),
    (
        "a plan is made again for every capsule",
        MEMORY,
        "Plan(plan.actions[1:], plan.thrown + 1,",
        "Plan(plan.actions[1:], plan.thrown,",
        TEST,
    ),
    (
        "capsules that no generator makes leave nothing to go on from",
        MEMORY,
        "            agreeing = self.everything\n",
        "            pass\n",
        TEST,
    ),
    (
        "a value of Python is asked of the first bottle only",
        VALUE,
        "write_bottle(children[i].board,",
        "write_bottle(children[0].board,",
        TEST_VALUE,
    ),
    (
        "a value of Python is of whole frames",
        VALUE,
        "std::lround(frames(i) * kFrameUnits)",
        "std::lround(frames(i)) * kFrameUnits",
        TEST_VALUE,
    ),
    (
        "an answer that is no number is taken",
        VALUE,
        "if (!(std::abs(frames(i)) <= kMostFrames)) {",
        "if (std::abs(frames(i)) > kMostFrames) {",
        TEST_VALUE,
    ),
    (
        "the collector does not see the function of a search",
        VALUE,
        "  Py_VISIT(nb::inst_ptr<Search>(self)->function.ptr());\n",
        "",
        TEST_VALUE,
    ),
    (
        "the halves of the next capsule fit one way round only",
        PREVIEW,
        "return side_by_side(a, b) | side_by_side(b, a);",
        "return side_by_side(a, b);",
        TEST_PREVIEW,
    ),
    (
        "a run of two offers what one of three does",
        PREVIEW,
        "two & moved_up(color, 2)}",
        "two}",
        TEST_PREVIEW,
    ),
    (
        "what a board offers the capsule that was just placed",
        "mlx_drmario/rl/afterstates.py",
        'games.public["preview"][after.env]',
        'games.public["capsule"][after.env]',
        "tests/rl/test_features.py",
    ),
    (
        "an older network is told of the next capsule by other weights",
        "mlx_drmario/rl/player.py",
        "mx.pad(told, [(0, 0), (0, len(PREVIEW))])",
        "mx.pad(told, [(0, 0), (len(PREVIEW), 0)])",
        "tests/rl/test_features.py",
    ),
    (
        "a bottle of many placements is remembered beyond the end",
        "planner/search_moves.cpp",
        "if (size > std::size(entry.at)) return {found_, size};",
        "",
        TEST_EDGES,
    ),
    (
        "boards are dropped after every future when these are no multiple of four",
        ONLINE,
        "s * kStages / wanted > (s - 1) * kStages / wanted",
        "s % std::max(1, wanted / kStages) == 0",
        TEST_EDGES,
    ),
    (
        "a line that dies took no time",
        KNOWN,
        "    line.frames = parents_.front().frames;\n",
        "",
        TEST_EDGES,
    ),
    (
        "a game that is played counts no boards",
        ONLINE,
        "    control.nodes.fetch_add(nodes, std::memory_order_relaxed);\n",
        "",
        TEST_EDGES,
    ),
    (
        "a wish to stop outlives its call",
        "planner/search_control.h",
        "~SearchCall() { control_.stop = false; }",
        "~SearchCall() {}",
        TEST_VALUE,
    ),
    (
        "a value of Python is asked about ends",
        VALUE,
        "if (children[i].end != End::kNone) continue;",
        "",
        TEST_VALUE,
    ),
    (
        "a game begun anew at its first capsule is the one remembered",
        MEMORY,
        "for known in (self.left[game], self.everything):",
        "for known in (self.left[game],):",
        TEST,
    ),
    (
        "the search of many seeds writes behind a line that was cut short",
        "scripts/known_seeds.py",
        "        os.truncate(log, whole)\n",
        "        pass\n",
        "tests/test_known_seeds.py",
    ),
    (
        "a network that is certain has no focal slope",
        "mlx_drmario/rl/clone/losses.py",
        "mx.maximum(1 - mx.exp(said), 1e-6)",
        "1 - mx.exp(said)",
        "tests/rl/test_clone.py",
    ),
    (
        "what a thread throws is lost",
        "engine/thread_pool.cpp",
        "if (thrown) std::rethrow_exception(thrown);",
        "",
        "tests/engine/test_sharing.py",
    ),
]
