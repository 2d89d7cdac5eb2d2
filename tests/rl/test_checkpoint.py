"""Checkpoints survive kill -9 at any moment, damage is noticed, and only the newest are kept."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.policy import make_policy
from mlx_drmario.rl.player import load_policy
from mlx_drmario.rl.runs import checkpoint

NET = NetConfig(head="shift_score", width=8, depth=1)


def layout() -> ObservationLayout:
    games = dm.Decisions(num_envs=1)
    return ObservationLayout(games.plane_names, games.scalar_names)


def write(run: Path, number: int, keep: int = 3) -> Path:
    """A checkpoint whose every part says its number."""
    model = make_policy(NET, layout(), seed=number)
    optimizer = {"step": mx.array(number), "big": mx.full((50_000,), number)}
    state = {"numbers": {"array": np.full(20_000, number), "plain": number}}
    weights = dict(tree_flatten(model.parameters()))
    return checkpoint.save(run, checkpoint.Content(number, weights, NET, layout(), optimizer, state), keep)


def check(loaded: checkpoint.Checkpoint) -> None:
    number = loaded.decisions
    assert loaded.optimizer["step"].item() == number
    assert (np.asarray(loaded.optimizer["big"]) == number).all()
    assert (loaded.state["numbers"]["array"] == number).all() and loaded.state["numbers"]["plain"] == number
    model = make_policy(loaded.net, loaded.layout, seed=0)
    model.load_weights(list(loaded.model.items()))
    assert checkpoint.weights_digest(model) == checkpoint.weights_digest(make_policy(NET, loaded.layout, number))


def test_round_trip_and_pruning(tmp_path):
    for number in (10, 20, 30, 40):
        write(tmp_path, number, keep=2)
    assert [path.name for path in checkpoint.available(tmp_path)] == ["step_000000000030", "step_000000000040"]
    assert (tmp_path / "checkpoints" / "latest").resolve().name == "step_000000000040"
    for path, expected in ((tmp_path, 40), (tmp_path / "checkpoints" / "step_000000000030", 30)):
        loaded = checkpoint.load(path)
        assert loaded.decisions == expected
        check(loaded)
    assert checkpoint.load(tmp_path / "checkpoints" / "latest").decisions == 40


@pytest.mark.parametrize(
    "name", ["model.safetensors", "optimizer.safetensors", "state.npz", "state.json", "manifest.json"]
)
def test_a_damaged_checkpoint_is_passed_over(tmp_path, name):
    write(tmp_path, 1)
    newest = write(tmp_path, 2)
    file = newest / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    assert checkpoint.load(tmp_path).decisions == 1
    with pytest.raises(ValueError, match=str(newest)):
        checkpoint.load(newest)


def test_a_damaged_checkpoint_is_written_again(tmp_path):
    for number in (1, 2):
        write(tmp_path, number)
    file = tmp_path / "checkpoints" / "step_000000000002" / "model.safetensors"
    intact = file.read_bytes()
    file.write_bytes(intact[:-1])
    assert checkpoint.load(tmp_path).decisions == 1
    write(tmp_path, 2)  # training from 1 on reaches 2 again
    assert file.read_bytes() == intact
    check(checkpoint.load(tmp_path))
    assert not [path for path in (tmp_path / "checkpoints").iterdir() if path.name.startswith(".")]


def test_nothing_to_load(tmp_path):
    with pytest.raises(FileNotFoundError, match="no intact checkpoint"):
        checkpoint.load(tmp_path)


def test_policy_plays_the_same_after_loading(tmp_path):
    write(tmp_path, 7)
    games = dm.Decisions(num_envs=32)
    games.reset(3, 2, seeds.seeds("training", 32))
    model = make_policy(NET, layout(), seed=7)
    log_probs, _ = model(mx.array(games.planes), mx.array(games.scalars), mx.array(games.legal))
    policy = load_policy(tmp_path)
    assert (policy.act(games) == np.asarray(log_probs).argmax(axis=1)).all()
    drawn = load_policy(tmp_path, mode="sample", seed=1).act(games)
    assert games.legal[np.arange(32), drawn].all()
    with pytest.raises(ValueError, match="mode"):
        load_policy(tmp_path, mode="greedy")
    extended = dm.Decisions(num_envs=1, planes="extended")
    with pytest.raises(ValueError, match="planes"):
        policy.act(extended)


LOOP = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_checkpoint import write
number = int(sys.argv[2])
while True:
    write(Path(sys.argv[1]), number, keep=2)
    print(number, flush=True)
    number += 1
"""


def test_kill_at_random_moments(tmp_path):
    """SIGKILL a process that checkpoints in a loop, again and again in one directory: what it last reported as done, or
    newer, always loads intact."""
    rng = random.Random(0)
    number, rounds, killed_while_writing = 1, 0, 0
    while rounds < 12 or not killed_while_writing:
        rounds += 1
        assert rounds <= 60  # else the test does not hit what it is about
        command = [sys.executable, "-c", LOOP.format(tests=str(Path(__file__).parent)), str(tmp_path), str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as process:
            done = int(process.stdout.readline())
            time.sleep(rng.uniform(0, 0.15))
            process.send_signal(signal.SIGKILL)
            done = int((process.stdout.read().split() or [done])[-1])
        killed_while_writing += any((tmp_path / "checkpoints").glob(".writing-*"))
        loaded = checkpoint.load(tmp_path)
        assert loaded.decisions >= done
        check(loaded)
        number = loaded.decisions + 1
