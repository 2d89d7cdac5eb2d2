"""Checkpoints survive kill -9 at any moment, damage is noticed, and only the newest are kept."""

import json
import shutil
import subprocess
import sys
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
from mlx_drmario.rl.runs.listing import summarize
from mlx_drmario.tui.advice import newest

NET = NetConfig(head="shift_score", width=8, depth=1)


def layout() -> ObservationLayout:
    games = dm.Decisions(num_envs=1)
    return ObservationLayout(games.plane_names, games.scalar_names)


def content(number: int) -> checkpoint.Content:
    """What says its number in every part."""
    model = make_policy(NET, layout(), seed=number)
    optimizer = {"step": mx.array(number), "big": mx.full((50_000,), number)}
    mx.eval(optimizer)
    state = {"numbers": {"array": np.full(20_000, number), "plain": number}}
    weights = dict(tree_flatten(model.parameters()))
    return checkpoint.Content(number, weights, NET, layout(), optimizer, state)


def write(run: Path, number: int, keep: int = 3) -> Path:
    return checkpoint.save(run, content(number), keep)


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
    (tmp_path / "checkpoints" / "step_old").mkdir()  # somebody else's
    (tmp_path / "checkpoints" / "step_000000000050.broken").mkdir()
    assert summarize(tmp_path).checkpoints == checkpoint.available(tmp_path)
    assert newest(tmp_path) == checkpoint.directory(tmp_path, 40)
    assert (tmp_path / "checkpoints" / "latest").resolve().name == "step_000000000040"
    for path, expected in ((tmp_path, 40), (tmp_path / "checkpoints" / "step_000000000030", 30)):
        loaded = checkpoint.load(path)
        assert loaded.decisions == expected
        check(loaded)
    assert checkpoint.load(tmp_path / "checkpoints" / "latest").decisions == 40


def linked(directory: str, names: list[str]) -> list[str]:
    """What `rsync -r` leaves out."""
    return [name for name in names if (Path(directory) / name).is_symlink()]


@pytest.mark.parametrize("ignore", [None, linked])
def test_the_best_is_known_in_a_copy_without_links(tmp_path, ignore):
    """With what links point to instead, as `cp -rL` and `scp -r` leave it; or without anything."""
    run, copy = tmp_path / "run", tmp_path / "copy"
    write(run, 1)
    checkpoint.promote(run, write(run, 2))
    shutil.copytree(run, copy, ignore=ignore)
    for each in (run, copy):
        assert checkpoint.number(checkpoint.best(each)) == 2 and summarize(each).best == checkpoint.best(each)
        promoted = checkpoint.promote(each, write(each, 3))
        assert checkpoint.best(each) == promoted and checkpoint.number(promoted) == 3
        assert (each / "checkpoints" / "best").is_symlink() and (each / "checkpoints" / "latest").is_symlink()


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
    with pytest.warns(RuntimeWarning, match=f"{newest} is damaged"):
        assert checkpoint.load(tmp_path).decisions == 1
    with pytest.raises(ValueError, match=str(newest)):
        checkpoint.load(newest)


def test_a_damaged_checkpoint_is_written_again(tmp_path):
    for number in (1, 2):
        write(tmp_path, number)
    file = tmp_path / "checkpoints" / "step_000000000002" / "model.safetensors"
    intact = file.read_bytes()
    file.write_bytes(intact[:-1])
    with pytest.warns(RuntimeWarning, match="step_000000000001 is used"):
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
    assert (policy.act(games.view) == np.asarray(log_probs).argmax(axis=1)).all()
    drawn = load_policy(tmp_path, mode="sample", seed=1).act(games.view)
    assert games.legal[np.arange(32), drawn].all()
    with pytest.raises(ValueError, match="mode"):
        load_policy(tmp_path, mode="greedy")
    extended = dm.Decisions(num_envs=1, planes="extended")
    with pytest.raises(ValueError, match="planes"):
        policy.act(extended.view)


def test_equal_arrays_are_equal_files_in_the_format(tmp_path):
    """In whatever order they come; MLX reads them back bit for bit."""
    arrays = {f"layer.{i}": mx.random.normal((3, i + 1), key=mx.random.key(i)) for i in range(20)}
    arrays |= {"step": mx.array(7, mx.uint64), "scalar": mx.array(0.5), "column": mx.arange(6.0).reshape(2, 3).T}
    for name, order in (("a", list(arrays)), ("b", list(arrays)[::-1])):
        checkpoint.write_safetensors(tmp_path / name, {key: arrays[key] for key in order})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    (tmp_path / "a").rename(tmp_path / "a.safetensors")
    loaded = mx.load(str(tmp_path / "a.safetensors"))
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(np.asarray(loaded[name]), np.asarray(array))


def as_format_2(path: Path, **changes: object) -> None:
    """Make a checkpoint look as versions before 3 wrote it."""
    policy = json.loads((path / "policy.json").read_text())
    policy["format"] = 2
    del policy["net"]["outcome_scale"]
    policy["net"] |= {"dtype": "float32", **changes}
    (path / "policy.json").write_text(json.dumps(policy))
    (path / "state.json").unlink()
    manifest = {file.name: checkpoint._fingerprint(file) for file in path.iterdir() if file.name != "manifest.json"}
    (path / "manifest.json").write_text(json.dumps(manifest))


def test_an_older_policy_is_played_and_not_trained(tmp_path):
    as_format_2(write(tmp_path, 7))
    games = dm.Decisions(num_envs=8)
    games.reset(3, 2, seeds.seeds("training", 8))
    model = make_policy(NET, layout(), seed=7)
    log_probs, _ = model(mx.array(games.planes), mx.array(games.scalars), mx.array(games.legal))
    assert (load_policy(tmp_path).act(games) == np.asarray(log_probs).argmax(axis=1)).all()
    with pytest.raises(ValueError, match=r"has format 2, this version reads 3; its policy can be played, but"):
        checkpoint.load(tmp_path)


def test_an_older_policy_with_a_head_that_is_gone(tmp_path):
    as_format_2(write(tmp_path, 7), head="autoregressive")
    with pytest.raises(ValueError, match="has a head autoregressive, which this version no longer plays"):
        load_policy(tmp_path)


KILLER = """
import os, shutil, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import test_checkpoint as t
from mlx_drmario.rl.runs import checkpoint

root, what = Path(sys.argv[1]), sys.argv[2]
t.write(root / "base", 1)
checkpoint.promote(root / "base", t.write(root / "base", 2))
next_one, following = t.content(3), t.content(4)

def act(run):
    path = checkpoint.save(run, next_one, keep=2)
    if what != "save":
        checkpoint.promote(run, path)

moment = 0
while True:
    moment += 1
    run = root / str(moment)
    shutil.copytree(root / "base", run, symlinks=what != "promote in a copy")
    if what != "save":
        checkpoint.save(run, next_one, keep=2)
    child = os.fork()
    if child == 0:
        left = moment

        def hook(event, arguments):
            global left
            if event.startswith(("open", "os.", "shutil.")) and event != "os.fork":
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        act(run)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    t.check_survivor(run, following)
    shutil.rmtree(run)
    if os.waitstatus_to_exitcode(status) == 0:
        break
print(moment - 1)
"""


def check_survivor(run: Path, following: checkpoint.Content) -> None:
    """Whatever the moment of the kill: newest, latest and best load whole, and the next writer tidies up."""
    for path in (run, run / "checkpoints" / "latest", checkpoint.best(run)):
        found = checkpoint.load(path)
        assert found.decisions in (2, 3)
        assert found.state["numbers"]["plain"] == found.decisions
    checkpoint.save(run, following, keep=2)
    assert checkpoint.load(run).decisions == 4
    assert not [path.name for path in (run / "checkpoints").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    "what", ["save", *(pytest.param(what, marks=pytest.mark.slow) for what in ("promote", "promote in a copy"))]
)
def test_kill_at_every_moment(tmp_path, what):
    """A writer is killed before its first, second, third ... operation on a file, until it gets through alive."""
    command = [sys.executable, "-c", KILLER.format(tests=str(Path(__file__).parent)), str(tmp_path), what]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
