"""Deliberate faults in what networks make of legal placements and planes; see rl.py."""

HEADS = "mlx_drmario/nets/heads.py"
NATIVE, BLOCK, READOUT = "mlx_drmario/nets/native.py", "engine/first_block.cpp", "engine/readout.cpp"
JUDGE = "engine/judge.cpp"

# (name, file, old text, new text, test that fails)
MUTANTS: list[tuple[str, str, str, str, str]] = [
    (
        "padding belongs to the last decision",
        HEADS,
        "mx.zeros((batch + 1,)).at[decision]",
        "mx.zeros((batch + 1,)).at[mx.minimum(decision, batch - 1)]",
        "tests/rl/test_distribution.py",
    ),
    (
        "rows forget what placements clear",
        "mlx_drmario/nets/outcome.py",
        "super().scores_of_rows(features, scalars, after) + gained",
        "super().scores_of_rows(features, scalars, after)",
        "tests/rl/test_afterstates.py",
    ),
    (
        "rows read the second half where the first lies",
        HEADS,
        "scores[(2 * beside + 1)",
        "scores[(2 * (start + first) + 1)",
        "tests/rl/test_nets.py",
    ),
    (
        "the first block on a CPU has no gradient of its rows",
        NATIVE,
        "mx.array(column), mx.array(row)",
        "mx.array(column), 0 * mx.array(row)",
        "tests/rl/test_native.py",
    ),
    (
        "the first block on a CPU does not relabel colours",
        NATIVE,
        "if self.model.canonical:",
        "if False:",
        "tests/rl/test_native.py",
    ),
    (
        "the policy on a CPU learns the outcomes' weights at their own pace",
        NATIVE,
        "mx.array(self.model.head.scale * gain)",
        "mx.array(gain)",
        "tests/rl/test_native.py",
    ),
    (
        "the policy on a CPU takes the second half's weights for the first's",
        NATIVE,
        "return np.concatenate(halves, axis=1)",
        "return np.concatenate(halves[::-1], axis=1)",
        "tests/rl/test_native.py",
    ),
    (
        "the first block on a CPU adds what the most frequent kind of cell has and another lacks",
        BLOCK,
        "for (int k = 0; k < width; ++k) to[k] += sign * kernel",
        "for (int k = 0; k < width; ++k) to[k] += sign * sign * kernel",
        "tests/rl/test_native.py",
    ),
    (
        "the first block on a CPU has no gradient of the cells of the most frequent kind",
        BLOCK,
        "for (int place = 0; place < length; ++place) add(cell(0, place), whole.data(), line());",
        "",
        "tests/rl/test_native.py",
    ),
    (
        "the policy on a CPU does not normalise its gradient",
        "engine/placements.cpp",
        "of_log_probs[i] - std::exp(log_probs[i]) * total",
        "of_log_probs[i] - 0 * std::exp(log_probs[i]) * total",
        "tests/rl/test_native.py",
    ),
    (
        "the policy on a CPU reads beside the bottle",
        "engine/placements.h",
        "col >= 0 && col < kCols;",
        "col >= 0;",
        "tests/rl/test_native.py",
    ),
    (
        "what was chosen is looked for among the placements of the whole rollout",
        "mlx_drmario/rl/afterstates.py",
        "np.arange(len(start)) * ACTIONS + action) - start)",
        "np.arange(len(start)) * ACTIONS + action))",
        "tests/rl/test_afterstates.py",
    ),
    (
        "time to strength goes on after it is reached",
        "mlx_drmario/cli/bench/learning.py",
        "while share < cleared and learner.progress < 1:",
        "while learner.progress < 1:",
        "tests/env/test_bench.py",
    ),
    (
        "the features head on a CPU reads a cell for the half above the bottle",
        JUDGE,
        "if (place >= 0) add(x.row(i), under[half].row(place), step);",
        "add(x.row(i), under[half].row(std::max(place, 0)), step);",
        "tests/rl/test_native.py",
    ),
    (
        "the features head on a CPU gives a cell what one half of a capsule says of it alone",
        JUDGE,
        "to[k] += of_values.row(i)[k];",
        "to[k] = of_values.row(i)[k];",
        "tests/rl/test_native.py",
    ),
    (
        "the features head on a CPU takes another decision's cell",
        JUDGE,
        "for (Reads& read : reads) read.begin_decision();",
        "",
        "tests/rl/test_native.py",
    ),
    (
        "the features head on a CPU mixes by what the last decisions say alone",
        JUDGE,
        "first, of_mix.row(0), step, step, of_mix.row(0)",
        "first, zeros.row(0), 0, step, of_mix.row(0)",
        "tests/rl/test_native.py",
    ),
    (
        "the features head on a CPU takes arrays of any shape",
        "engine/bind_network.cpp",
        'floats(score, "score", {hidden})',
        "score.data()",
        "tests/rl/test_native.py",
    ),
    (
        "what is squeezed of a cell on a CPU teaches it nothing",
        "engine/squeeze.h",
        "multiply(pull_.matrix(), kCells, kSqueezed, weights_.row(0), of_cells, step, step, of_cells);",
        "",
        "tests/rl/test_native.py",
    ),
    (
        "the summary on a CPU learns nothing from the features head",
        NATIVE,
        "of_vector = (of_vector + shift @ np.asarray(self.model.head.summary.weight)) * (vector > 0)",
        "of_vector = of_vector * (vector > 0)",
        "tests/rl/test_native.py",
    ),
]
