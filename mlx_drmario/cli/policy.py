"""Policies by the name given on the command line."""

from pathlib import Path
from typing import TYPE_CHECKING

from mlx_drmario import _core, search
from mlx_drmario.baselines import Greedy, RandomLegal
from mlx_drmario.evaluate import Policy
from mlx_drmario.spec import PLANE_SETS

if TYPE_CHECKING:
    from mlx_drmario.rl.player import NetworkPolicy

SEARCH = "search:"
"""Prefix of a search and its settings (`search.parse`)."""
ENSEMBLE = "ensemble:"
"""Prefix of a list of runs that play together."""


def load(name: str) -> tuple[Policy, str]:
    """The policy and the plane set it reads: "random", "greedy", a search, the directory of a run or checkpoint.

    "search:1ply", "search:2ply", "search:3ply", "search:sampled" play by search, with settings such as
    "search:sampled,ms=10,boards=8" (see `search.Budget`).

    "ensemble:RUN1,RUN2" plays by the mean of the runs' log-probabilities.

    Raises:
        ValueError: neither a known name nor an existing directory, a damaged checkpoint, or members of an ensemble
            that read different planes.
        FileNotFoundError: a directory without a checkpoint.
    """
    if name == "random":
        return RandomLegal(), PLANE_SETS[0]
    if name == "greedy":
        return Greedy(), PLANE_SETS[0]
    if name.startswith(SEARCH):
        return search.SearchPolicy(search.parse(name.removeprefix(SEARCH))), PLANE_SETS[0]
    policy = _trained(name)
    known = {_core.plane_names(planes): planes for planes in PLANE_SETS}
    return policy, known[policy.layout.plane_names]


def check(name: str) -> None:
    """ValueError for a name that no policy can have; does not load anything."""
    if name.startswith(SEARCH):
        search.parse(name.removeprefix(SEARCH))
    elif name not in ("random", "greedy"):
        _paths(name)


def _trained(name: str) -> "NetworkPolicy":
    paths = _paths(name)
    from mlx_drmario.rl.player import load_ensemble, load_policy

    return load_ensemble(paths) if name.startswith(ENSEMBLE) and not Path(name).is_dir() else load_policy(name)


def _paths(name: str) -> list[str]:
    """The directories that a name stands for; ValueError when one is none."""
    several = name.startswith(ENSEMBLE) and not Path(name).is_dir()
    paths = name.removeprefix(ENSEMBLE).split(",") if several else [name]
    for path in paths:
        if not path or not Path(path).is_dir():
            raise ValueError(
                f"policy is {path!r}; it must be 'random', 'greedy', 'search:2ply' or another search, the directory of"
                " a run, or 'ensemble:RUN1,RUN2'"
            )
    return paths
