"""Cuts the compact selection of recordings that a clone tests itself with (tests/golden/*.npz) from ../shared/golden.

python scripts/select_golden.py ../shared/golden tests/golden
"""

import argparse
from pathlib import Path

import numpy as np

GAMES = {  # family -> how many games per category
    "play_random": 12,
    "maneuvers": 6,
    "cascades": 8,
    "stage_end": 8,
    "demo": 1,
    "two_player": 9,
    "two_player_special": 2,
}
DRAWING_ONLY = ("visual_update_flags", "mario_throw_frame", "in_level_flag")
SPEEDUP_ROWS = 30_000


def select(source: dict[str, np.ndarray], games: list[int], max_rows: int | None) -> dict[str, np.ndarray]:
    """The recording with only `games`, each cut to at most `max_rows` rows."""
    spans = []
    for game in games:
        start, length = int(source["game_start"][game]), int(source["game_len"][game])
        spans.append(np.arange(start, start + min(length, max_rows or length)))
    rows = np.concatenate(spans)
    total, n_games = len(source["mode"]), len(source["game_start"])
    result = {}
    for name, values in source.items():
        if name in DRAWING_ONLY or name in ("game_start", "game_len"):
            continue
        if len(values) == total:
            result[name] = values[rows]
        elif len(values) == n_games:
            result[name] = values[games]
    lengths = np.array([len(span) for span in spans])
    result["game_start"] = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    result["game_len"] = lengths
    return result


def main(source_dir: Path, target_dir: Path) -> None:
    target_dir.mkdir(parents=True, exist_ok=True)
    for family, per_category in GAMES.items():
        source = dict(np.load(source_dir / f"{family}.npz"))
        chosen: list[int] = []
        for category in np.unique(source["meta_category"]):
            members = np.flatnonzero(source["meta_category"] == category)
            # Spread over the category, so that levels, speeds and outcomes vary.
            chosen += members[np.unique(np.linspace(0, len(members) - 1, per_category).astype(int))].tolist()
        np.savez_compressed(target_dir / f"{family}.npz", **select(source, sorted(chosen), None))
    source = dict(np.load(source_dir / "speedup.npz"))
    np.savez_compressed(target_dir / "speedup.npz", **select(source, [0, 5], SPEEDUP_ROWS))
    layouts = dict(np.load(source_dir / "level_init.npz"))
    keep = np.arange(0, len(layouts["level"]), 5)
    np.savez_compressed(target_dir / "level_init.npz", **{name: values[keep] for name, values in layouts.items()})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path, help="directory of the complete recordings")
    parser.add_argument("target", type=Path, help="directory to write the selection to")
    arguments = parser.parse_args()
    main(arguments.source, arguments.target)
