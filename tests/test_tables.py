"""What scripts make of results: no share is rounded to all, and intervals of a few runs are wide enough."""

import numpy as np

from scripts.heads_table import seeds_of
from scripts.learning_curves import interval
from scripts.results_table import rate


def test_a_hundred_per_cent_is_all_of_them():
    shown = {cleared: rate({"clear_rate": cleared / 4096}) for cleared in (4096, 4095, 4094, 4087, 4022, 10)}
    assert shown == {4096: "100 %", 4095: "99.98 %", 4094: "99.95 %", 4087: "99.8 %", 4022: "98.2 %", 10: "0.244 %"}
    assert rate({"clear_rate": 1 - 1e-6}) == "99.9999 %" and rate(None) == ""


def test_intervals_of_a_few_runs_cover():
    """The mean of 2, 5 or 12 runs of a known law lies within in 95 of 100 cases."""
    rng = np.random.default_rng(0)
    for runs in (2, 5, 12):
        low, high = interval(0.5 + 0.02 * rng.standard_normal((runs, 20_000)))
        assert 0.94 < np.mean((low <= 0.5) & (high >= 0.5)) < 0.975
    low, high = interval(np.array([[0.9], [1.0], [1.0]]))
    assert 0 < low[0] < 0.97 and high[0] == 1


def test_every_seed_of_a_head_is_in_the_table(tmp_path):
    for name in (
        "dense-10",
        "dense-2",
        "dense-0",
        "outcome_scale_32-11",
        "seeds_together-0",
        "dense-0.time",
        "heads.png",
    ):
        (tmp_path / name).mkdir()
    found = {head: [run.name for run in runs] for head, runs in seeds_of(tmp_path).items()}
    assert found == {
        "dense": ["dense-0", "dense-2", "dense-10"],
        "outcome_scale_32": ["outcome_scale_32-11"],
        "seeds_together": ["seeds_together-0"],
    }
