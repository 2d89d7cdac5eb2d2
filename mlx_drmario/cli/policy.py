"""Policies by the name given on the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_drmario.spec import PLANE_SETS

if TYPE_CHECKING:
    from mlx_drmario import search
    from mlx_drmario.evaluate import Policy
    from mlx_drmario.rl.evaluator.player import RiskPolicy
    from mlx_drmario.rl.player import NetworkPolicy

BEST = "best"
"""The network that comes with the package (docs/search.md says how it was made)."""
SHIPPED = Path(__file__).resolve().parents[1] / BEST
"""Its checkpoint."""
SEARCH = "search:"
"""Prefix of a search and its settings (`search.parse`)."""
ENSEMBLE = "ensemble:"
"""Prefix of a list of runs that play together."""

MEMORY = "memory"
"""The search that remembers, alone or with ":" and settings (mlx_drmario/memory.py)."""

RISK = "risk:"
"""Prefix of a number and an evaluator's run: how it chooses (rl/evaluator/player.py)."""

NAMES = (
    "best (the network that comes with this), random, greedy, search:1ply (or 2ply, 3ply, sampled, deep:"
    " docs/search.md), memory (search that remembers the capsules of its game), the directory of a run or checkpoint,"
    " several runs as one (ensemble:RUN1,RUN2), or an evaluator by a risk between 0 and 2 (risk:0.25:RUN,"
    " docs/evaluator.md)"
)
"""What a policy can be called, for help and errors."""


def load(name: str, option: str = "policy") -> tuple[Policy, str]:
    """The policy and the plane set it reads: "best", "random", "greedy", a search, a run or a checkpoint.

    "search:1ply", "search:2ply", "search:3ply", "search:sampled", "search:deep" play by search, with settings such as
    "search:sampled,ms=10,boards=8" (see `search.Budget`). "memory" remembers the capsules of its game as well; settings
    as in "memory:beam=300" (see `memory.MemoryBudget`).

    "ensemble:RUN1,RUN2" plays by the mean of the runs' log-probabilities, "risk:0.25:RUN" by the worst quarter of what
    an evaluator foresees (a RUN of an evaluator by itself: by the mean, as "risk:1:RUN"). Errors call the name
    `option`.

    Raises:
        ValueError: neither a known name nor an existing directory, a damaged checkpoint, or members of an ensemble
            that read different planes.
        FileNotFoundError: a directory without a checkpoint.
    """
    from mlx_drmario import baselines, memory, search  # late: the app asks only `check`

    if name == "random":
        return baselines.RandomLegal(), PLANE_SETS[0]
    if name == "greedy":
        return baselines.Greedy(), PLANE_SETS[0]
    if _searches(name):
        budget = _budget(name, option)
        if isinstance(budget, memory.MemoryBudget):
            return memory.MemoryPolicy(budget), PLANE_SETS[0]
        return search.SearchPolicy(budget), PLANE_SETS[0]
    policy = _trained(name, option)
    return policy, policy.layout.plane_set


def check(name: str, option: str = "policy") -> None:
    """ValueError for a name that no policy can have; does not load anything."""
    if _searches(name):
        _budget(name, option)
    elif name not in ("random", "greedy"):
        _paths(name, option)


def located(name: str, option: str = "policy") -> str:
    """The name as it is understood from any directory: paths in it are absolute. Raises as `check`."""
    check(name, option)
    if _searches(name) or name in ("random", "greedy"):
        return name
    prefix, risk, typed = _parted(name)
    paths = [path if _is_shipped(path) else str(Path(path).absolute()) for path in typed]
    return prefix + (f"{risk}:" if prefix == RISK else "") + ",".join(paths)


def named(run: Path) -> str:
    """The name of the policy in a directory: its path, which no other policy is called (`./greedy`)."""
    first, slash, _ = str(run).partition("/")
    return str(run) if slash and ":" not in first else f"./{run}"


def _searches(name: str) -> bool:
    return name.startswith(SEARCH) or name.partition(":")[0] == MEMORY


def _budget(name: str, option: str) -> search.Budget:
    from mlx_drmario.memory import budget_of

    try:
        return budget_of(name)
    except ValueError as error:
        raise ValueError(f"{option} is {name!r}: {error}") from None


def _trained(name: str, option: str) -> NetworkPolicy | RiskPolicy:
    from mlx_drmario.nets.config import QuantileNetConfig
    from mlx_drmario.rl.evaluator.player import load_risk_policy
    from mlx_drmario.rl.player import load_ensemble, load_policy
    from mlx_drmario.rl.runs.checkpoint import load_weights

    (prefix, risk, _), paths = _parted(name), _paths(name, option)
    with _naming(name, option):
        if prefix == ENSEMBLE:
            return load_ensemble(paths)
        if prefix == RISK:
            return load_risk_policy(paths[0], float(risk))
        if isinstance(load_weights(Path(paths[0])).net, QuantileNetConfig):
            return load_risk_policy(paths[0], 1.0)
        return load_policy(paths[0])


@contextlib.contextmanager
def _naming(name: str, option: str) -> Iterator[None]:
    """What is wrong with a part of a name is said of the name as it was typed."""
    try:
        yield
    except (ValueError, FileNotFoundError) as error:
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        raise kind(f"{option} is {name!r}: {error}") from None


def _parted(name: str) -> tuple[str, str, list[str]]:
    """What a name begins with, ENSEMBLE, RISK or nothing (also for a directory that is called so), the text of the
    risk, and the paths that follow."""
    prefix = next((prefix for prefix in (ENSEMBLE, RISK) if name.startswith(prefix) and not Path(name).is_dir()), "")
    rest = name.removeprefix(prefix)
    if prefix == RISK:
        risk, _, path = rest.partition(":")
        return prefix, risk, [path]
    return prefix, "", rest.split(",") if prefix else [rest]


def _is_risk(text: str) -> bool:
    try:
        return 0 < float(text) < 2
    except ValueError:
        return False


def _is_shipped(path: str) -> bool:
    return path == BEST and not Path(path).is_dir()


def _paths(name: str, option: str) -> list[str]:
    """The directories that a name stands for; ValueError when one is none, and for a risk that is none."""
    prefix, risk, typed = _parted(name)
    if prefix == RISK and not _is_risk(risk):
        raise ValueError(f"{option} is {name!r}; the risk must be a number strictly between 0 and 2, got {risk!r}")
    paths = [str(SHIPPED) if _is_shipped(path) else path for path in typed]
    for path in paths:
        if not path:
            raise ValueError(f"{option} is {name!r}, in which the directory of a run is missing")
        if not Path(path).is_dir():
            if prefix:
                raise ValueError(f"{option} is {name!r}, and {path!r} in it is no directory of a run or checkpoint")
            if "/" in path:
                raise ValueError(f"{option} is {name!r}, which is no directory of a run or checkpoint")
            raise ValueError(f"{option} is {name!r}; it must be {NAMES}")
    return paths
