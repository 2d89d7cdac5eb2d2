"""Deliberate faults in what networks make of legal placements and planes; see rl.py."""

HEADS = "mlx_drmario/nets/heads.py"
SPARSE = "mlx_drmario/nets/sparse.py"

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
        SPARSE,
        "mx.array(column), mx.array(row)",
        "mx.array(column), 0 * mx.array(row)",
        "tests/rl/test_sparse.py",
    ),
    (
        "the first block on a CPU does not relabel colours",
        SPARSE,
        "if self.model.canonical:",
        "if False:",
        "tests/rl/test_sparse.py",
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
]
