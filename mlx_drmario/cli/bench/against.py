"""`drmario bench --against COMMIT`: two commits on this machine, taking turns.

A shared machine gives a process now more, now less; only what is measured side by side can be compared. Both commits
are built in the same way, in git worktrees of their own, and each case is measured in short turns, first one, then the
other, by CPU time.
"""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx_drmario
from mlx_drmario.cli.bench import instructions
from mlx_drmario.cli.bench.cases import CASES, Effort

TURNS = 10  # of each commit and case


@dataclass(frozen=True)
class Contest:
    """One case: the median rates (units per CPU second) and the ratio of neighbouring turns with its spread."""

    name: str
    unit: str
    before: float
    after: float
    ratio: float
    low: float
    high: float
    wall_ratio: float

    def __str__(self) -> str:
        rates = f"{self.before:14,.0f} {self.after:14,.0f}"
        return f"{self.name:52} {rates}  {self.ratio:5.2f} ({self.low:.2f} to {self.high:.2f})  {self.wall_ratio:5.2f}"


def git(root: Path, *arguments: str) -> str:
    """What git prints. ValueError with its last line when it fails."""
    result = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ValueError(f"git {' '.join(arguments)}: {(result.stderr.strip().splitlines() or ['failed'])[-1]}")
    return result.stdout.strip()


def commit_of(root: Path, name: str) -> str:
    """The hash of a commit of this checkout. ValueError if there is none of that name."""
    try:
        return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    except ValueError:
        raise ValueError(f"--against is '{name}', allowed is a commit of the checkout {root}") from None


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C is ignored, also by the programs started meanwhile: what cleans up is not cut short."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def worktrees(root: Path, commits: list[str]) -> Iterator[list[Path]]:
    """Temporary worktrees of `root` at these commits; gone afterwards, whatever happens in between."""
    folder = Path(tempfile.mkdtemp(prefix="drmario-bench-"))
    trees = [folder / f"{i}-{commit[:10]}" for i, commit in enumerate(commits)]
    try:
        for tree, commit in zip(trees, commits, strict=True):
            git(root, "worktree", "add", "--quiet", "--detach", str(tree), commit)
        yield trees
    finally:
        with _uninterrupted():
            shutil.rmtree(folder, ignore_errors=True)
            git(root, "worktree", "prune")


def build(tree: Path) -> Path:
    """Install the package of a worktree into a directory beside it, which is returned. OSError if it does not build."""
    site = tree.with_name(f"{tree.name}-site")
    if importlib.util.find_spec("pip") is not None:
        installer = [sys.executable, "-m", "pip"]
    elif shutil.which("uv") is not None:
        installer = ["uv", "pip"]
    else:
        raise OSError("building a commit needs pip or uv, and neither is here")
    command = [*installer, "install", "--quiet", "--no-build-isolation", "--no-deps", "--target", str(site), str(tree)]
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # cmake and ninja of this Python
    environment = {**os.environ, "PATH": tools, "VIRTUAL_ENV": sys.prefix}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if result.returncode != 0:
        lines = [line.strip() for line in (result.stderr + result.stdout).splitlines() if "error" in line.lower()]
        raise OSError(f"{tree.name} does not build: {(lines or ['no message'])[0]}")
    return site


class Worker:
    """A process that measures with the package installed in `site`, or with this one."""

    def __init__(self, site: Path | None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(instructions.WORKER), str(site or "-")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for us, who then end it
        )

    def measure(self, name: str, seconds: float) -> Effort | str:
        """The effort of one turn, or why that commit cannot do the case. OSError if the process has ended."""
        assert self._process.stdin is not None and self._process.stdout is not None
        line = ""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({"name": name, "seconds": seconds}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            raise OSError(f"the measuring process ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer["error"] if "error" in answer else Effort(**answer)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):  # a request that was never read
                pipe.close()


def contest(name: str, unit: str, workers: list[Worker], seconds: float) -> Contest | str:
    """One case, `seconds` in all; the commit that begins alternates. A sentence if one of the two cannot do it."""
    efforts: tuple[list[Effort], list[Effort]] = ([], [])
    for turn in range(TURNS):
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            effort = workers[side].measure(name, seconds / (2 * TURNS))
            if isinstance(effort, str):
                return f"{name:52} the {('earlier', 'later')[side]} commit cannot: {effort}"
            efforts[side].append(effort)
    before, after = ([effort.units / effort.cpu for effort in side] for side in efforts)
    ratios = sorted(b / a for a, b in zip(before, after, strict=True))
    walls = sorted(b.units / b.wall * a.wall / a.units for a, b in zip(*efforts, strict=True))
    middle, edge = TURNS // 2, TURNS // 10
    return Contest(
        name=name,
        unit=unit,
        before=sorted(before)[middle],
        after=sorted(after)[middle],
        ratio=ratios[middle],
        low=ratios[edge],
        high=ratios[-1 - edge],
        wall_ratio=walls[middle],
    )


def measure(sites: list[Path], seconds: float) -> list[Contest]:
    """Every case, printed as it is done, and the instructions of a decision where they can be counted."""
    workers: list[Worker] = []
    contests = []
    try:
        workers += [Worker(site) for site in sites]
        print(f"{'units per CPU second':52} {'before':>14} {'after':>14}  ratio (10 to 90 %)    by wall time")
        for case in CASES:
            result = contest(case.name, case.unit, workers, seconds)
            print(result, flush=True)
            if isinstance(result, Contest):
                contests.append(result)
    finally:
        with _uninterrupted():
            for worker in workers:
                worker.close()
    return contests


def count(sites: list[Path]) -> dict[str, float]:
    """Instructions per random legal decision, before and after; empty where nothing can count them."""
    counted = [instructions.per_decision(site) for site in sites]
    if counted[0] is None or counted[1] is None:
        return {}
    (before, tool), (after, _) = counted[0], counted[1]
    print(f"{f'instructions per decision ({tool})':52} {before:14,.0f} {after:14,.0f}  {before / after:5.2f} fewer")
    return {"before": before, "after": after}


def run(name: str, seconds: float) -> dict[str, Any]:
    """Compare the commit `name` (before) with the one checked out (after); returns what was printed, for JSON.

    ValueError for an unknown commit, or where the package is not in a git checkout; OSError if one does not build.
    """
    root = Path(mlx_drmario.__file__).parents[1]
    if not (root / ".git").exists():  # git would take whatever repository lies around it
        raise ValueError(f"--against needs mlx_drmario in a git checkout of its own, got it in {root}")
    commits = [commit_of(root, name), commit_of(root, "HEAD")]
    if git(root, "status", "--porcelain", "--untracked-files=no"):
        print("changes that are not committed are not measured")
    with worktrees(root, commits) as trees:
        sites = []
        for side, tree, commit in zip(("before", "after"), trees, commits, strict=True):
            print(f"{side}: building {git(root, 'log', '-1', '--format=%h %s', commit)}", flush=True)
            sites.append(build(tree))
        contests = measure(sites, seconds)
        counted = count(sites)
    return {"before": commits[0], "after": commits[1], "cases": [vars(c) for c in contests], "instructions": counted}
