"""Files of an evaluation: one row per game, one per policy and level, one per comparison, and a plot.

Every file is written under a temporary name and renamed, so whoever reads it finds the old content or the new.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlx_drmario import seeds, stats
from mlx_drmario.evaluate import Comparison, EvalResult
from mlx_drmario.files import check_directory, replacing
from mlx_drmario.spec import SPEED_NAMES

Results = Sequence[tuple[str, EvalResult]]
"""(name of the policy, how it did at one level and speed)"""

FILES = ("games.csv", "games.parquet", "summary.csv", "comparison.csv", "levels.png")
GAMES_CSV, GAMES_PARQUET, SUMMARY, COMPARISON, PLOT = FILES


def write(
    out: Path | str, results: Results, comparisons: Sequence[Comparison] = (), names: tuple[str, str] = ("", "")
) -> None:
    """Write all files to the directory `out`, replacing those of an earlier evaluation.

    games.csv and games.parquet hold the same table, one row per game (`game_columns`); summary.csv one row per policy
    and level (`EvalResult.summary`); comparison.csv one row per comparison of the policies `names`, and is removed
    when there is none; levels.png is `plot`.

    Raises:
        ValueError: no results.
        OSError: `out` is no directory that can be written to.
    """
    import pyarrow  # type: ignore[import-untyped]
    from pyarrow import csv, parquet

    out = Path(out)
    check_directory("out", out)
    games = pyarrow.table(game_columns(results))
    tables = {GAMES_CSV: games, SUMMARY: pyarrow.Table.from_pylist(summary_rows(results))}
    if comparisons:
        tables[COMPARISON] = pyarrow.Table.from_pylist(comparison_rows(comparisons, names, split_of(results[0][1])))
    else:
        (out / COMPARISON).unlink(missing_ok=True)
    for name, table in tables.items():
        with replacing(out / name) as path, open(path, "wb") as file:  # a path of any bytes, as Python knows it
            csv.write_csv(table, file)
    with replacing(out / GAMES_PARQUET) as path, open(path, "wb") as file:
        parquet.write_table(games, file)
    with replacing(out / PLOT) as path:
        plot(path, results)


def game_columns(results: Results) -> dict[str, Any]:
    """One row per game, in the order of results and seeds.

    policy, split, speed str; level u8; game i32 (its number in the list of seeds, the same for every policy and level);
    seed u16; cleared, top_out, truncated bool (exactly one holds); frames, decisions u32; viruses_left u8.

    Raises:
        ValueError: no results.
    """
    if not results:
        raise ValueError("results is empty; there is nothing to write")
    sizes = [result.games for _, result in results]

    def joined(name: str) -> Any:
        return np.concatenate([getattr(result, name) for _, result in results])

    return {
        "policy": np.repeat([name for name, _ in results], sizes),
        "split": seeds.split_of(joined("seeds")),
        "level": np.repeat(np.array([result.level for _, result in results], np.uint8), sizes),
        "speed": np.repeat([SPEED_NAMES[result.speed] for _, result in results], sizes),
        "game": np.concatenate([np.arange(size, dtype=np.int32) for size in sizes]),
        "seed": joined("seeds"),
        **{name: joined(name) for name in ("cleared", "top_out", "truncated", "frames", "decisions", "viruses_left")},
    }


def summary_rows(results: Results) -> list[dict[str, Any]]:
    """One row per policy and level, as plain values."""
    return [{"policy": name, "split": split_of(result), **result.summary()} for name, result in results]


def split_of(result: EvalResult) -> str:
    """The split that the games belong to, or several joined by `+`."""
    return "+".join(np.unique(seeds.split_of(result.seeds)))


def comparison_rows(comparisons: Sequence[Comparison], names: tuple[str, str], split: str = "") -> list[dict[str, Any]]:
    """One row per comparison, on games of `split`; mcnemar_p_holm is the p-value adjusted for their number."""
    adjusted = stats.holm([comparison.p_value for comparison in comparisons])
    return [
        {"first": names[0], "second": names[1], "split": split, **comparison.summary(), "mcnemar_p_holm": float(p)}
        for comparison, p in zip(comparisons, adjusted, strict=True)
    ]


def plot(path: Path, results: Results) -> None:
    """A PNG of two panels over the levels, one line per policy.

    Above: clear rate with its 95 % Wilson interval. Below: median frames to clear of the cleared games, with bars
    from p10 to p90.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 7), layout="constrained")
    rate_axes, frames_axes = figure.subplots(2, 1, sharex=True)
    policies = list(dict.fromkeys(name for name, _ in results))
    for number, policy in enumerate(policies):
        rows = sorted((r.summary() for name, r in results if name == policy), key=lambda row: row["level"])
        # None becomes NaN.
        column = {name: np.array([row[name] for row in rows], np.float64) for name in rows[0] if name != "speed"}
        color, rate = f"C{number}", column["clear_rate"]
        errors = np.clip([rate - column["clear_rate_low"], column["clear_rate_high"] - rate], 0, None)
        # Side by side, so that intervals of several policies do not hide each other.
        x = column["level"] + 0.08 * number
        rate_axes.errorbar(x, rate, errors, color=color, marker="o", markersize=4, capsize=2, label=f"line {number}")
        median = column["frames_to_clear_median"]
        spread = [median - column["frames_to_clear_p10"], column["frames_to_clear_p90"] - median]
        frames_axes.errorbar(x, median, spread, color=color, marker="o", markersize=4, capsize=2)
    rate_axes.set(ylim=(-0.03, 1.03), ylabel="clear rate, 95 % interval", title=_title(results))
    for text, policy in zip(rate_axes.legend().get_texts(), policies, strict=True):
        text.set(text=policy, parse_math=False)  # matplotlib takes $ for mathematics, and hides labels with _ first
    frames_axes.set(xlabel="level", ylabel="frames to clear, median and p10 to p90\n(cleared games only)")
    frames_axes.set_ylim(bottom=0)
    levels = [result.level for _, result in results]
    frames_axes.set_xlim(min(levels) - 0.5, max(levels) + 0.7)
    frames_axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (rate_axes, frames_axes):
        axes.grid(alpha=0.3)
    figure.savefig(path, format="png", dpi=120)


def _title(results: Results) -> str:
    games = sorted({result.games for _, result in results})
    speeds = sorted({result.speed for _, result in results})
    splits = sorted({split_of(result) for _, result in results})
    return (
        f"speed {', '.join(SPEED_NAMES[s].upper() for s in speeds)}, "
        f"{', '.join(map(str, games))} {', '.join(splits)} games per level"
    )
