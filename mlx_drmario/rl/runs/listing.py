"""What is known about a run, read from the files of its directory (no MLX here), whatever state they are in.

A run may be going on, may have been killed, or may have lost files: nothing here raises for what it finds in a
directory. What could not be read is said in `RunSummary.problems`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlx_drmario.rl.algorithms import config_class
from mlx_drmario.rl.config import BudgetConfig
from mlx_drmario.rl.runs.names import available, best
from mlx_drmario.rl.runs.rows import read_rows
from mlx_drmario.settings import flatten, from_json, to_json


@dataclass
class RunSummary:
    """The content of a run directory, as far as it can be read."""

    path: Path
    settings: dict[str, Any] = field(default_factory=dict)
    """config.json with dotted keys, defaults filled in; empty when it cannot be read."""
    environment: dict[str, Any] = field(default_factory=dict)
    iterations: int = 0
    last: dict[str, float] = field(default_factory=dict)
    """The last row of metrics.jsonl."""
    checkpoints: list[Path] = field(default_factory=list)
    """Oldest first; not checked against their manifests."""
    best: Path | None = None
    """The best checkpoint, if one was looked for."""
    challenges: int = 0
    """How often that was decided: lines of best.jsonl."""
    changes: list[dict[str, Any]] = field(default_factory=list)
    """The rows of changes.jsonl: what was changed when the run went on (`directory.record`)."""
    evaluation: dict[str, Any] = field(default_factory=dict)
    """evaluation.json: numbers by policy."""
    problems: list[str] = field(default_factory=list)
    budget: BudgetConfig | None = None
    """Of runs that play while they learn."""

    @property
    def progress(self) -> float | None:
        """Share of the budget that is spent, 0 to 1; None when config or metrics do not say."""
        if self.budget is None:  # that of an evaluator is in passes over its games
            return self.last.get("stats/progress") if self.settings else None
        decisions, seconds = self.last.get("step"), self.last.get("time/seconds")
        return None if decisions is None or seconds is None else self.budget.spent(int(decisions), seconds)

    @property
    def trained(self) -> dict[str, Any]:
        """The trained policy's part of the evaluation; empty without one."""
        return flatten(part) if isinstance(part := self.evaluation.get("trained"), dict) else {}


def find(root: Path) -> list[Path]:
    """Directories in `root`, in the order of their names; ones without a run are reported by `summarize`.

    Raises FileNotFoundError when `root` is no directory.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is no directory")
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def summarize(run: Path) -> RunSummary:
    """Read a run directory. Raises FileNotFoundError only when `run` is no directory."""
    if not run.is_dir():
        raise FileNotFoundError(f"{run} is no directory")
    summary = RunSummary(run)
    config = _read_object(run / "config.json", summary.problems)
    if config is not None:
        _check_config(config, summary)
    summary.environment = _read_object(run / "environment.json", summary.problems) or {}
    _read_metrics(run / "metrics.jsonl", summary)
    try:
        _look_around(run, summary)
    except OSError as error:
        summary.problems.append(f"{error.filename}: {error.strerror}")
    return summary


def _look_around(run: Path, summary: RunSummary) -> None:
    """Checkpoints and what was compared."""
    summary.checkpoints = available(run)
    if not summary.checkpoints:
        summary.problems.append("no checkpoint")
    elif (kept := _metrics_of(summary.checkpoints[-1])) > (size := _size(run / "metrics.jsonl")):
        summary.problems.append(f"metrics.jsonl has lost rows: {size:,} of the {kept:,} bytes of the newest checkpoint")
    summary.best = best(run)
    if (run / "changes.jsonl").exists():
        summary.changes = read_rows(run / "changes.jsonl", lambda row: True)[0]
    if (run / "best.jsonl").exists():
        summary.challenges = len((run / "best.jsonl").read_bytes().splitlines())
    if (run / "evaluation.json").exists():
        summary.evaluation = _read_object(run / "evaluation.json", summary.problems) or {}


def _check_config(config: dict[str, Any], summary: RunSummary) -> None:
    try:
        settings = from_json(json.dumps(config), config_class(config))
    except ValueError as error:
        summary.problems.append(f"config.json: {error}")
        return
    summary.settings = flatten(json.loads(to_json(settings)))
    summary.budget = settings if isinstance(settings, BudgetConfig) else None


def _read_metrics(file: Path, summary: RunSummary) -> None:
    """Count the rows and keep the last good one."""
    try:
        rows, damaged = read_rows(file)
    except OSError as error:
        summary.problems.append(_unread(file, error))
        return
    summary.iterations = len(rows)
    summary.last = rows[-1] if rows else {}
    if damaged:
        summary.problems.append(f"metrics.jsonl: {damaged} damaged lines")


def _read_object(file: Path, problems: list[str]) -> dict[str, Any] | None:
    try:
        data = json.loads(file.read_bytes())
    except OSError as error:
        problems.append(_unread(file, error))
        return None
    except ValueError:
        data = None
    if not isinstance(data, dict):
        problems.append(f"{file.name} is not a JSON object")
        return None
    return data


def _metrics_of(checkpoint: Path) -> int:
    """Length of the metrics that belong to a checkpoint; 0 where that cannot be read."""
    state = _read_object(checkpoint / "state.json", []) or {}
    kept = state.get("counters.log_bytes")
    return kept if isinstance(kept, int) else 0


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _unread(file: Path, error: OSError) -> str:
    return f"no {file.name}" if isinstance(error, FileNotFoundError) else f"{file.name}: {error.strerror}"
