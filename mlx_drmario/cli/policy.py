"""Policies by the name given on the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlx_drmario import _core, search
from mlx_drmario.baselines import Greedy, RandomLegal
from mlx_drmario.evaluate import Policy
from mlx_drmario.spec import PLANE_SETS

if TYPE_CHECKING:
    from mlx_drmario.rl.checkpoint import NetworkPolicy

ENSEMBLES: dict[str, Literal["log_prob", "prob"]] = {"ensemble": "log_prob", "ensemble-prob": "prob"}
"""Prefix of a list of runs -> what is averaged over them."""


def load(name: str) -> tuple[Policy, str]:
    """The policy and the plane set it reads: "random", "greedy", a search, a run's or checkpoint's directory, or several.

    "search:1ply", "search:2ply", "search:3ply", "search:sampled" play by search, with settings such as
    "search:sampled,ms=10,boards=8" (see `search.Budget`).

    "ensemble:RUN1,RUN2" plays by the mean of the runs' log-probabilities, "ensemble-prob:RUN1,RUN2" by that of their
    probabilities.

    Raises:
        ValueError: neither a known name nor an existing directory, a damaged checkpoint, or members of an ensemble
            that read different planes.
        FileNotFoundError: a directory without a checkpoint.
    """
    if name == "random":
        return RandomLegal(), PLANE_SETS[0]
    if name == "greedy":
        return Greedy(), PLANE_SETS[0]
    if name.startswith("search:"):
        return search.SearchPolicy(search.parse(name.removeprefix("search:"))), PLANE_SETS[0]
    policy = _trained(name)
    known = {_core.plane_names(planes): planes for planes in PLANE_SETS}
    return policy, known[policy.layout.plane_names]


def _trained(name: str) -> "NetworkPolicy":
    prefix, colon, rest = name.partition(":")
    several = bool(colon) and prefix in ENSEMBLES and not Path(name).is_dir()
    paths = rest.split(",") if several else [name]
    for path in paths:
        if not path or not Path(path).is_dir():
            raise ValueError(
                f"policy is {path!r}; it must be 'random', 'greedy', 'search:...', the directory of a run, or 'ensemble:RUN1,RUN2'"
            )
    from mlx_drmario.rl.checkpoint import load_ensemble, load_policy

    return load_ensemble(paths, ENSEMBLES[prefix]) if several else load_policy(name)
