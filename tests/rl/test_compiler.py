"""A g++ that cannot compile what MLX writes (version 13 and newer) costs speed, and nothing else."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import mlx.core as mx
import pytest

from mlx_drmario import nets

REFUSING = """#!/bin/sh
case "$*" in *version*) exec {real} "$@";; esac
echo "$*" >> {log}
echo "error: redeclaration of C++ built-in type" >&2
exit 1
"""


@pytest.fixture
def run_refused(tmp_path):
    """Runs a command where g++ refuses all code and nothing is compiled yet; returns (the process, runs of g++)."""
    real = shutil.which("g++")
    if real is None or mx.default_device() == mx.gpu:
        pytest.skip("MLX has no use for g++ here")
    log, compiler = tmp_path / "log", tmp_path / "bin" / "g++"
    compiler.parent.mkdir()
    (tmp_path / "fresh").mkdir()
    compiler.write_text(REFUSING.format(real=real, log=log))
    compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
    environment = os.environ | {
        "PATH": f"{compiler.parent}:{os.environ['PATH']}",
        "TMPDIR": str(tmp_path / "fresh"),
    }

    def run(*arguments: str) -> tuple[subprocess.CompletedProcess[str], int]:
        command = [sys.executable, "-m", "mlx_drmario", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done, len(log.read_text().splitlines()) if log.exists() else 0

    return run


def test_training_goes_on_uncompiled_and_players_compile_nothing(run_refused, tmp_path):
    run = str(tmp_path / "run")
    small = ("--env.num_envs", "16", "--ppo.horizon", "16", "--ppo.minibatch", "64", "--decisions", "256")
    done, compilations = run_refused("train", "level0", *small, "--best.games", "8", "--out", run)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("cannot compile what MLX writes") == 1
    assert compilations == 1  # the attempt
    for policy in ("best", run):
        done, compilations = run_refused("eval", "--policy", policy, "--level", "1", "--seeds", "2", "--no-baselines")
        assert (done.returncode, done.stderr, compilations) == (0, "", 1)


def test_networks_use_no_function_that_mlx_compiles():
    """Functions of mlx.nn (nn.relu, nn.softplus, ...) are compiled at their first call; modules are capitalised."""
    for path in Path(nets.__file__).parent.glob("*.py"):
        assert not re.findall(r"\bnn\.[a-z]\w*\(", path.read_text()), path.name
