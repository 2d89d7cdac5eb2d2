"""`drmario tune`: fit the search's value function by play."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_drmario.tuning import Regression

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class TuneConfig:
    """Fit the linear value function on training games and say how it plays validation games (docs/search.md)."""

    header: Path | None = None
    """write the weights as the C++ header of the built-in ones (planner/value_weights.h)"""
    seed: int = 0
    """of everything random: the same seed gives the same weights"""
    threads: int = 0
    """0: one per core; never changes the weights"""
    levels: tuple[int, ...] = (0, 10, 20)
    """levels of the validation games that are played at the end"""
    games: int = 200
    """validation games per level"""
    regression: Regression = field(default_factory=Regression)


def run(config: TuneConfig) -> int:
    """Fit, say what comes out, write the header, return 0. Raises ValueError or OSError before anything is begun."""
    import sys

    import numpy as np

    import mlx_drmario as dm
    from mlx_drmario import files, seeds, tuning

    if config.header is not None and not config.header.absolute().parent.is_dir():
        raise ValueError(f"header is {config.header}; its directory must exist")
    validation = seeds.seeds("validation", config.games)
    rng = np.random.default_rng(config.seed)
    weights = tuning.regression(config.regression, tuning.first_guess(), rng, config.threads, print)
    whole = tuning.usable(weights)
    for name, weight in zip(dm.feature_names(), whole, strict=True):
        print(f"{name:20} {weight / tuning.UNITS:+9.2f}")
    for level in config.levels:
        cleared, frames, capsules, _ = dm.Search(weights=whole, threads=config.threads).play(level, 2, validation)
        median = np.median(frames[cleared > 0]) if cleared.any() else float("nan")
        print(
            f"level {level} HI, one ply, {config.games} validation games: {cleared.mean():.1%} cleared,"
            f" median {median:,.0f} frames, {capsules.mean():.0f} capsules"
        )
    if config.header is not None:
        text = header_text(whole, " ".join(["drmario tune", *sys.argv[2:]]))
        files.write_text(config.header, text)
    return 0


def header_text(weights: "NDArray[np.int32]", command: str) -> str:
    """The C++ header of the built-in weights, i32[F]."""
    import mlx_drmario as dm

    lines = [f"    {weight},  // {name}" for name, weight in zip(dm.feature_names(), weights.tolist(), strict=True)]
    return "\n".join([
        "// The tuned weights of LinearValue, in quarters of a frame; written by",
        f"//   {command}",
        "#pragma once",
        "",
        '#include "types.h"',
        "",
        "namespace drm {",
        "",
        "inline constexpr i32 kDefaultWeights[] = {",
        *lines,
        "};",
        "",
        "}  // namespace drm",
        "",
    ])  # fmt: skip
