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
from mlx_drmario.rl.device import compiler_problem

REFUSING = """#!/bin/sh
case "$*" in *version*) exec {real} "$@";; esac
echo "$*" >> {log}
echo "error: redeclaration of C++ built-in type" >&2
exit 1
"""


def refusing(place: Path) -> dict[str, str]:
    """Makes a g++ in `place` that refuses all code; the environment in which it is found, and nothing compiled yet."""
    real = shutil.which("g++")
    if real is None or mx.default_device() == mx.gpu:
        pytest.skip("MLX has no use for g++ here")
    compiler = place / "bin" / "g++"
    compiler.parent.mkdir()
    (place / "fresh").mkdir()
    compiler.write_text(REFUSING.format(real=real, log=place / "log"))
    compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{compiler.parent}:{os.environ['PATH']}", "TMPDIR": str(place / "fresh")}


@pytest.fixture
def run_refused(tmp_path):
    """Runs a command where g++ refuses all code and nothing is compiled yet; returns (the process, runs of g++)."""
    environment, log = os.environ | refusing(tmp_path), tmp_path / "log"

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
    assert done.stderr.count("does not compile what MLX writes") == 1
    assert compilations == 1  # the attempt
    for policy in ("best", run):
        done, compilations = run_refused("eval", "--policy", policy, "--level", "1", "--seeds", "2", "--no-baselines")
        assert (done.returncode, done.stderr, compilations) == (0, "", 1)


def test_networks_use_no_function_that_mlx_compiles():
    """mlx.nn's activations (nn.relu, nn.ReLU, ...) are compiled at their first call; these are not."""
    for path in Path(nets.__file__).parent.glob("*.py"):
        text = path.read_text()
        assert set(re.findall(r"(?<!`)\bnn\.(\w+)", text)) <= {"Module", "Linear"}, path.name
        assert "from mlx.nn" not in text


def test_a_compiler_is_tried_though_another_one_compiled_before(tmp_path):
    """Kernels stay in the temporary folder, under names that do not say which compiler made them."""
    code = (
        "from mlx_drmario.rl.device import compiler_problem; problem = compiler_problem(); "
        "assert (problem is None) == {expected}, problem"
    )
    if compiler_problem() is not None:
        pytest.skip("no g++ here compiles what MLX writes")
    refused = os.environ | refusing(tmp_path)
    taken = refused | {"PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", code.format(expected=True)], env=taken, check=True)
    subprocess.run([sys.executable, "-c", code.format(expected=False)], env=refused, check=True)


def test_a_compiler_that_was_stopped_is_no_reason(monkeypatch):
    def stopped(*arrays):
        raise RuntimeError("[Compile::eval_cpu] Failed to compile function x: Failed to execute command")

    compiler_problem.cache_clear()
    monkeypatch.setattr("mlx_drmario.rl.device.mx.eval", stopped)
    with pytest.raises(RuntimeError, match="Failed to compile"):
        compiler_problem()
