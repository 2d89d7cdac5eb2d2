"""Several processes train one run: two with a shard each equal one with two shards, bit for bit."""

import dataclasses
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mlx.utils import tree_flatten, tree_map

from mlx_drmario.nets.policy import make_policy
from mlx_drmario.rl.config import BestConfig, CurriculumConfig
from mlx_drmario.rl.parallel import ProcessGroup, ShardThreads
from mlx_drmario.rl.ppo.config import PPORunConfig
from mlx_drmario.rl.ppo.learner import Learner
from mlx_drmario.rl.ppo.train import resolve, train
from mlx_drmario.rl.ppo.update import make_gradient
from mlx_drmario.rl.runs import checkpoint
from mlx_drmario.settings import to_json
from tests.training import content, on_cpu, timeless

SESSION = """
import sys
from pathlib import Path
from mlx_drmario.rl.ppo.config import PPORunConfig
from mlx_drmario.rl.ppo.train import train
from mlx_drmario.settings import from_json
from tests.training import StopAfter
config, run = from_json(Path(sys.argv[1]).read_text(), PPORunConfig), Path(sys.argv[2])
callback = StopAfter(int(sys.argv[3]))
result = train(config, run, callback, resume=sys.argv[4] == "resume")
assert (len(callback.seen) > 0) == result.first
"""


def neighbouring_ports() -> int:
    """The first of two ports that the system says are free."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def launch(config: PPORunConfig, run: Path, *, stop: int = 99, mode: str = "new") -> subprocess.CompletedProcess[str]:
    """Two processes of `mlx.launch` (ring backend) on this machine; again if somebody takes a port before they do."""
    file = run.with_suffix(".json")
    file.write_text(to_json(config))
    program = run.with_suffix(".py")
    program.write_text(SESSION)
    session = [sys.executable, str(program), str(file), str(run), str(stop), mode]
    environment = {**os.environ, "CI": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    while True:
        command = [sys.executable, "-c", "from mlx._distributed_utils.launch import main; main()"]  # mlx.launch
        command += ["-n", "2", "--backend", "ring"]
        command += ["-p", str(neighbouring_ports()), "--", *session]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
        if "Couldn't bind socket" not in done.stdout + done.stderr:
            return done


@pytest.fixture
def halved(tiny: PPORunConfig) -> PPORunConfig:
    """Two shards, and a curriculum that advances and replays."""
    curriculum = CurriculumConfig(enabled=True, last_level=1, threshold=0.001, alpha=0.5, games=50_000, replay=0.4)
    env = dataclasses.replace(tiny.env, max_decisions=30)
    return dataclasses.replace(tiny, decisions=10 * 256, shards=2, env=env, curriculum=curriculum, compile=False)


def check_two_processes(config: PPORunConfig, directory: Path) -> list[dict[str, float]]:
    one, two = directory / "one", directory / "two"
    train(config, one)
    done = launch(config, two)
    assert done.returncode == 0 and "exited with code" not in done.stdout + done.stderr, done.stdout + done.stderr
    assert content(one) == content(two)
    assert timeless(one) == timeless(two)
    assert (one / "best.jsonl").read_text() == (two / "best.jsonl").read_text()
    return timeless(one)


@on_cpu
def test_two_processes_equal_one(halved, tmp_path):
    rows = check_two_processes(halved, tmp_path)
    assert rows[-1]["curriculum/stage"] >= 1


@on_cpu
def test_two_processes_equal_one_with_four_shards_and_comparisons(halved, tmp_path):
    net = dataclasses.replace(halved.net, head="outcome")
    best = BestConfig(games=64, every=1)
    config = dataclasses.replace(halved, shards=4, decisions=2 * 256, net=net, best=best, checkpoint_every=1)
    check_two_processes(config, tmp_path)
    assert len((tmp_path / "two" / "best.jsonl").read_text().splitlines()) == 2


@on_cpu
@pytest.mark.slow
def test_two_processes_equal_one_compiled(halved, tmp_path, monkeypatch):
    """From an empty kernel cache: both processes compile the same kernels at the same time."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    check_two_processes(dataclasses.replace(halved, compile=True), tmp_path)


@on_cpu
def test_a_run_moves_between_one_process_and_two(halved, tmp_path):
    one, moved = tmp_path / "one", tmp_path / "moved"
    train(halved, one)
    done = launch(halved, moved, stop=4)
    assert done.returncode == 0, done.stdout + done.stderr
    assert checkpoint.load(moved).decisions == 4 * 256
    train(halved, moved, resume=True)
    assert content(one) == content(moved)
    assert timeless(one) == timeless(moved)


def test_a_refused_directory_ends_all_processes(halved, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "thesis.tex").touch()
    done = launch(halved, run)
    output = done.stderr + done.stdout  # mlx.launch itself returns 0
    assert "other files" in output
    assert "the first process could not start" in output
    assert [file.name for file in run.iterdir()] == ["thesis.tex"]


def test_shards_together_take_the_step_of_the_whole_batch(tiny):
    """The mean of both shards' gradients is that of one network on both halves of the minibatch, up to rounding."""
    config = dataclasses.replace(tiny, shards=2, compile=False)
    with Learner(config) as learner:
        weights = learner.model.parameters()
        played = learner.shards.map(lambda shard: shard.collect(weights, None))
        batches = []

        def work(shard, given):
            rollout, (advantage, target) = given
            shard.prepare(rollout, advantage, target)
            flat, after, rows = next(shard.minibatches)
            batches.append((after.take(rows), after.first[1:][rows] - after.first[:-1][rows], [c[rows] for c in flat]))
            shard.minibatches = iter([(flat, after, rows)])
            return shard.differentiate(weights, 0.01)

        parts = learner.shards.map(work, played)
        mean = tree_map(lambda a, b: (a + b) / 2, *parts)
        decision, action, facts = map(np.concatenate, zip(*(rows for rows, _, _ in batches), strict=True))
        counts = np.concatenate([counts for _, counts, _ in batches])
        decision[len(batches[0][0][0]) :] += 64
        rank, planes, scalars, *others = map(np.concatenate, zip(*(columns for *_, columns in batches), strict=True))
        assert len(rank) == 128
        chosen = np.cumsum(counts) - counts + rank
        model = make_policy(config.net, learner.layout, config.seed)
        gradient = make_gradient(model, config.ppo, compile=False)
        whole = gradient(planes, scalars, (decision, action, facts), chosen, *others, np.float32(0.01))
    for (name, a), (_, b) in zip(tree_flatten(mean), tree_flatten(whole), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=2e-3, atol=2e-5, err_msg=name)
        assert name == "0" or np.abs(np.asarray(b)).max() > 0


@on_cpu
def test_resolve_divides_shards_among_processes(tiny):
    automatic = dataclasses.replace(tiny, shards=0)
    assert resolve(automatic).shards == resolve(automatic, 2).shards == 2
    assert resolve(automatic, 4).shards == 4
    with pytest.raises(ValueError, match="shards must be a multiple of the 4 processes, got 2"):
        resolve(dataclasses.replace(tiny, shards=2), 4)
    with pytest.raises(ValueError, match="must be multiples of the 3 processes, got 128 and 32"):
        resolve(automatic, 3)


def test_temporary_directories_are_private_and_go_with_their_process(tmp_path):
    code = (
        "import os; from mlx_drmario.rl.parallel import use_private_temporary_directory as use;"
        "use(); print(os.environ['TMPDIR'], oct(os.stat(os.environ['TMPDIR']).st_mode & 0o777))"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    seen = [subprocess.run(command, env=environment, capture_output=True, text=True).stdout.split() for _ in range(2)]
    (one, mode), (other, _) = seen
    assert one != other and mode == "0o700" and Path(one).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_what_a_shard_throws_in_its_thread_reaches_the_caller():
    def work(shard):
        if shard == thrower:
            raise ValueError(f"shard {shard}")
        return shard

    shards = ShardThreads([0, 1, 2])
    for thrower in (0, 1, 2):
        with pytest.raises(ValueError, match=f"shard {thrower}"):
            shards.map(work)
    thrower = None
    assert shards.map(work) == [0, 1, 2]  # and they go on
    shards.close()


def test_a_process_on_its_own():
    group = ProcessGroup()
    assert group.first and (group.rank, group.size) == (0, 1)
    np.testing.assert_array_equal(group.gather([np.arange(3), np.arange(3)]), [[0, 1, 2], [0, 1, 2]])
    thing = object()
    assert group.gather_objects([thing]) == [thing]  # itself: nothing travels, so nothing is copied
    assert group.any(True, False) == (True, False)
    with pytest.raises(OSError, match="no"):
        group.on_first(lambda: (_ for _ in ()).throw(OSError("no")))
