"""Time to strength: how long training takes until the policy clears a level of games that it never trained on.

The one figure that everything goes into: the rate of decisions, what is learnt from each, and the overhead of both.
"""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlx_drmario.spec import percent

if TYPE_CHECKING:
    from mlx_drmario.rl.ppo.config import PPORunConfig
    from mlx_drmario.rl.ppo.learner import Learner

CLEARED = 0.95
"""Share of the games that must be cleared."""
GAMES = 256
"""Validation games of every evaluation, each played to its end or for 300 capsules; by the most probable placement."""
BETWEEN = 12_288
"""Decisions of training from one evaluation to the next."""
SEEDS = 5
"""Runs, with seeds 0, 1, ...; the figure is their median."""


@dataclass(frozen=True)
class Reached:
    """What one run took; evaluations are not counted."""

    seed: int
    wall: float
    """seconds"""
    cpu: float
    """seconds of all threads"""
    decisions: int
    cleared: float
    """share of the validation games at the end"""
    enough: bool
    """False when the budget was spent before CLEARED was reached"""

    def __str__(self) -> str:
        end = "" if self.enough else " when the budget was spent"
        return (
            f"seed {self.seed}: {self.wall:.0f} s, {self.cpu:.0f} CPU s, {self.decisions:,} decisions: "
            f"{percent(self.cleared)} cleared{end}"
        )


def reach(config: "PPORunConfig", cleared: float = CLEARED, games: int = GAMES, between: int = BETWEEN) -> Reached:
    """Train until `cleared` of the highest level's validation games are, evaluating every `between` decisions, or to
    the budget."""
    from mlx_drmario.rl.ppo.learner import Learner
    from mlx_drmario.rl.ppo.train import resolve

    config = resolve(config)
    every = max(1, between // config.decisions_per_iteration)
    wall = cpu = share = 0.0
    with Learner(config) as learner:
        while share < cleared and learner.progress < 1:
            started, spent = time.perf_counter(), time.process_time()
            for _ in range(every):
                learner.iterate()
                if learner.progress >= 1:
                    break
            wall, cpu = wall + time.perf_counter() - started, cpu + time.process_time() - spent
            share = clear_rate(learner, games)
        return Reached(config.seed, wall, cpu, learner.counters.decisions, share, share >= cleared)


def clear_rate(learner: "Learner", games: int) -> float:
    """Of the first validation games, at the highest level and the speed that the learner trains on."""
    from mlx_drmario import seeds
    from mlx_drmario.evaluate import evaluate
    from mlx_drmario.rl.player import NetworkPolicy
    from mlx_drmario.spec import speed_number

    env = learner.config.env
    result = evaluate(
        NetworkPolicy(learner.model),
        level=env.level if env.last_level is None else env.last_level,
        speed=speed_number(env.speed),
        seeds=seeds.seeds("validation", games),
        max_decisions=300,
        planes=env.planes,
    )
    return float(result.cleared.mean())


def config_for(level: int, seed: int) -> "PPORunConfig":
    """The preset level0; above that level, levels 0 to `level` and the head that learns them (docs/LOG.md)."""
    import dataclasses

    from mlx_drmario.rl.ppo.config import PRESETS

    preset = dataclasses.replace(PRESETS["level0"], seed=seed)
    if level == 0:
        return preset
    env, net = dataclasses.replace(preset.env, last_level=level), dataclasses.replace(preset.net, head="features")
    return dataclasses.replace(preset, env=env, net=net)


def run(level: int) -> list[Reached]:
    """SEEDS runs, one after the other, printed as they end, and their medians."""
    runs = []
    for seed in range(SEEDS):
        runs.append(reach(config_for(level, seed)))
        print(runs[-1], flush=True)
    print(median(runs, level))
    return runs


def median(runs: list[Reached], level: int) -> str:
    """The median run by wall time, one that did not reach it counting as longer than any other; in words."""
    ordered = sorted(runs, key=lambda run: (not run.enough, run.wall))
    middle = ordered[len(ordered) // 2]
    what = f"level {level} HI cleared {CLEARED:.0%} of {GAMES} validation games"
    if not middle.enough:
        return f"{what}: not reached by half of the runs"
    return f"{what} after {middle.wall:.0f} s ({middle.cpu:.0f} CPU s, {middle.decisions:,} decisions), the median run"
