"""Policies by the name given on the command line."""

from pathlib import Path

from mlx_drmario import _core
from mlx_drmario.baselines import Greedy, RandomLegal
from mlx_drmario.evaluate import Policy
from mlx_drmario.spec import PLANE_SETS


def load(name: str) -> tuple[Policy, str]:
    """The policy and the plane set it reads: "random", "greedy", or a run or checkpoint directory.

    Raises:
        ValueError: neither a known name nor an existing directory, or a damaged checkpoint.
        FileNotFoundError: a directory without a checkpoint.
    """
    if name == "random":
        return RandomLegal(), PLANE_SETS[0]
    if name == "greedy":
        return Greedy(), PLANE_SETS[0]
    if not Path(name).is_dir():
        raise ValueError(f"policy is {name!r}; it must be 'random', 'greedy' or the directory of a run")
    from mlx_drmario.rl.checkpoint import load_policy

    policy = load_policy(name)
    known = {_core.plane_names(planes): planes for planes in PLANE_SETS}
    return policy, known[policy.layout.plane_names]
