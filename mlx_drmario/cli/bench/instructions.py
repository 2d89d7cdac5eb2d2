"""Instructions per decision, which unlike time do not depend on what else the machine does."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

WORKER = Path(__file__).with_name("worker.py")
ALONE = {"OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
"""what would count otherwise, and differs: threads that wait for work awake, the order of sets"""
DECISIONS = 8 * 64  # of one step of the worker
FEW, MANY = 1, 5  # steps; the difference is free of starting Python


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | ALONE)


def _perf(command: list[str]) -> int | None:
    result = _run(["perf", "stat", "-x,", "-e", "instructions:u", *command])
    found = re.search(r"^(\d+),,instructions", result.stderr, re.MULTILINE)
    return int(found[1]) if found and result.returncode == 0 else None


def _valgrind(command: list[str]) -> int | None:
    tool = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    result = _run([*tool, *command])
    found = re.search(r"I +refs: +([\d,]+)", result.stderr)
    return int(found[1].replace(",", "")) if found and result.returncode == 0 else None


def per_decision(site: Path | None) -> tuple[float, str] | None:
    """Instructions of one random legal decision, and the tool that counted them.

    Of the package installed in `site`, or of this one. None where neither perf (which virtual machines often forbid)
    nor valgrind can count.
    """
    for tool, count in (("perf", _perf), ("valgrind", _valgrind)):
        if shutil.which(tool) is None:
            continue
        totals = [count([sys.executable, str(WORKER), str(site or "-"), str(steps)]) for steps in (FEW, MANY)]
        if totals[0] is not None and totals[1] is not None:
            return (totals[1] - totals[0]) / ((MANY - FEW) * DECISIONS), tool
    return None
