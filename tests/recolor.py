"""Observations in other colours, and where that is an exact symmetry."""

import numpy as np

import mlx_drmario as dm
from mlx_drmario.spec import COLORS

HALVES = ("first", "second", "preview_first", "preview_second")


def recolored(values: np.ndarray, names: tuple[str, ...], rename: tuple[int, int, int]) -> np.ndarray:
    """The same observation after colour c is renamed to rename[c], found by the names of the columns."""
    result = values.copy()
    for source, name in enumerate(names):
        for old, color in enumerate(COLORS):
            if name.endswith(f"_{color}"):
                target = names.index(name.removesuffix(color) + COLORS[rename[old]])
                result[:, target] = values[:, source]
    return result


def one_colored(games: dm.Decisions) -> np.ndarray:
    """bool[N]: capsule and preview show a single colour."""
    names = games.scalar_names
    shown = sum(games.scalars[:, names.index(f"{half}_yellow") :][:, :3] for half in HALVES)
    return (shown == 4).any(axis=1)
