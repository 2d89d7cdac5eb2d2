"""`drmario tune`: fit the search's value function by play."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from mlx_drmario.files import check_output
from mlx_drmario.polishing import Polish
from mlx_drmario.ranges import Level, Range, Seed, check_ranges
from mlx_drmario.spec import percent
from mlx_drmario.tuning import Regression

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class TuneConfig:
    """Fit the linear value function on training games and say how it plays validation games (docs/search.md)."""

    header: Path | None = None
    """write the weights as the C++ header of the built-in ones (planner/value_weights.h)"""
    seed: Seed = 0
    """of everything random: the same seed gives the same weights"""
    threads: Annotated[int, Range(0, 256)] = 0
    """0: one per core; never changes the weights"""
    levels: tuple[Level, ...] = (0, 10, 20)
    """levels of the validation games that are played at the end"""
    games: Annotated[int, Range(1, 3_584)] = 200
    """validation games per level"""
    regression: Regression = field(default_factory=Regression)
    polish: Polish = field(default_factory=Polish)

    def __post_init__(self) -> None:
        check_ranges(self)
        if not self.levels:
            raise ValueError("levels must be one level or more, got none")


def run(config: TuneConfig) -> int:
    """Fit, write the header, say how the weights play, return 0.

    Raises ValueError or OSError before anything is begun, and ValueError for play that nothing can be learnt from.
    """
    import sys

    import numpy as np

    import mlx_drmario as dm
    from mlx_drmario import files, polishing, tuning

    if config.header is not None:
        check_output("--header", config.header)
    rng = np.random.default_rng(config.seed)
    weights = tuning.regression(config.regression, tuning.first_guess(), rng, config.threads, print)
    polished = polishing.polish(config.polish, weights, rng, config.threads, print)
    shallow, deep = tuning.usable(weights), tuning.usable(polished)
    for name, first, second in zip(dm.feature_names(), shallow, deep, strict=True):
        print(f"{name:20} {first / tuning.UNITS:+9.2f} {second / tuning.UNITS:+9.2f}")
    if config.header is not None:  # before the games, which change nothing of it
        text = header_text(shallow, deep, " ".join(["drmario tune", *sys.argv[2:]]))
        files.write_text(config.header, text)
    for plies, whole in ((1, shallow), (3, deep)):
        validate(config, plies, whole)
    return 0


def validate(config: TuneConfig, plies: int, weights: "NDArray[np.int32]") -> None:
    """Say how weights play the validation games."""
    import numpy as np

    import mlx_drmario as dm
    from mlx_drmario import seeds
    from mlx_drmario.search import Parts

    search, games = dm.Search(weights=weights, threads=config.threads), seeds.seeds("validation", config.games)
    parts = Parts(search.threads)
    for level in config.levels:
        played = [
            search.play(level, 2, games[part], plies=plies, first=16, boards=12)
            for part in parts(np.arange(len(games)))
        ]
        cleared, frames, capsules, _ = (np.concatenate(column) for column in zip(*played, strict=True))
        median = f"{np.median(frames[cleared > 0]):,.0f}" if cleared.any() else "-"
        print(
            f"level {level} HI, {plies} plies, {config.games} validation games: {percent(cleared.mean())} cleared,"
            f" median {median} frames, {capsules.mean():.0f} capsules"
        )


def header_text(shallow: "NDArray[np.int32]", deep: "NDArray[np.int32]", command: str) -> str:
    """The C++ header of the built-in weights, i32[F] each."""
    import mlx_drmario as dm

    def table(name: str, weights: "NDArray[np.int32]") -> list[str]:
        rows = zip(dm.feature_names(), weights.tolist(), strict=True)
        return [f"inline constexpr i32 {name}[] = {{", *(f"    {weight},  // {row}" for row, weight in rows), "};", ""]

    return "\n".join([
        "// The tuned weights of LinearValue, in quarters of a frame; written by",
        f"//   {command}",
        "#pragma once",
        "",
        '#include "types.h"',
        "",
        "namespace drm {",
        "",
        "// Of searches of one or two plies: by regression.",
        *table("kShallowWeights", shallow),
        "// Of those that look further: by the games of a beam as well.",
        *table("kDeepWeights", deep),
        "}  // namespace drm",
        "",
    ])  # fmt: skip
