"""A second worker, which plays branches on: beside a run that trains, or beside a recording."""

from collections.abc import Callable
from pathlib import Path

from mlx_drmario.baselines import Greedy
from mlx_drmario.evaluate import Policy
from mlx_drmario.rl.runs.names import available
from mlx_drmario.spec import PLANE_SETS
from mlx_drmario.tui.protocol import Line, Playout, PolicyLoader, Report, WatchJob
from mlx_drmario.tui.session import Died, Session


class Advice:
    """Starts the worker when it is first needed."""

    def __init__(self, load_policy: PolicyLoader, name: str, hand_on: Callable[[Line | Died], None]) -> None:
        """hand_on: called with every line, in the thread that reads."""
        self._load_policy, self._name, self._hand_on = load_policy, name, hand_on
        self._session: Session | None = None

    def ask(self, playout: Playout) -> None:
        """The line comes when it has been played."""
        if self._session is None or self._session.over.is_set():
            job = WatchJob(self._load_policy, name=self._name, level=0, speed=2, seeds=(0x8988,), paused=True)
            self._session = Session(job)
            self._session.start(self._listen)
        self._session.send(playout)

    def _listen(self, report: Report | Died) -> None:
        if isinstance(report, Line | Died):
            self._hand_on(report)

    def close(self) -> None:
        """End the worker."""
        if self._session is not None:
            self._session.close()


def newest(run: Path) -> Path | None:
    """The newest checkpoint of a run; None before the first."""
    return max(available(run), default=None)


def newest_policy(run: Path) -> tuple[Policy, str]:
    """The policy of a run's newest checkpoint and its plane set; the greedy one before the first checkpoint."""
    if newest(run) is None:
        return Greedy(), PLANE_SETS[0]
    from mlx_drmario.rl.player import load_policy

    policy = load_policy(run)
    return policy, policy.layout.plane_set
