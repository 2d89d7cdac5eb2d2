"""A run whose output nobody reads any more stops and is saved, whatever kind it is."""

import os
import subprocess
import sys

import pytest

from mlx_drmario.rl.runs import checkpoint

MANY = "--decisions 10000000 --env.num-envs 16 --env.max-decisions 8 --no-compile --checkpoint-every 100000"
KINDS = {
    "level0": f"{MANY} --best.games 0 --ppo.horizon 8 --ppo.minibatch 64 --net.width 8",
    "clone": f"{MANY} --clone.horizon 8 --clone.minibatch 64 --clone.teacher 1ply --net.width 8 --net.summary 16",
    "qrdqn": f"{MANY} --qrdqn.horizon 8 --qrdqn.steps 2 --qrdqn.minibatch 16 --qrdqn.gradients 2 --net.width 8",
    "evaluator": "--data.policy greedy --data.levels 0 --data.games 300 --data.max-decisions 20 --fit.epochs 1000"
    " --fit.minibatch 64 --net.width 8 --net.summary 16 --no-compile --checkpoint-every 100000",
}
RUN = """
import sys
import mlx_drmario
from mlx_drmario.cli import main, progress
progress.Progress.PLAIN_SECONDS = 0.0
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_saved(kind, tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-u", "-c", RUN, "train", kind, "--out", str(run), *KINDS[kind].split()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        learning = any("rows/s" in line or "decisions" in line for line in process.stdout)  # up to that line
        process.stdout.close()
        error = process.stderr.read()
    assert (process.returncode, error) == (130, "") and learning
    assert checkpoint.available(run)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_letters_that_a_terminal_lacks_end_nothing(encoding, tmp_path):
    out = tmp_path / "line.json"
    command = [sys.executable, "-m", "mlx_drmario", "solve", "--level", "0", "--width", "5", "--json", str(out)]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"") and b"?" in done.stdout and out.exists()
