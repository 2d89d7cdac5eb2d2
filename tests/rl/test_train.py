"""A run is a function of its config; it resumes bit for bit; it learns."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mlx_drmario import seeds
from mlx_drmario.baselines import RandomLegal
from mlx_drmario.cli import main
from mlx_drmario.evaluate import evaluate
from mlx_drmario.rl.config import CurriculumConfig
from mlx_drmario.rl.episodes import EpisodeWindow
from mlx_drmario.rl.player import load_policy
from mlx_drmario.rl.ppo.config import PRESETS, PPORunConfig
from mlx_drmario.rl.ppo.learner import Learner
from mlx_drmario.rl.ppo.train import resolve, train
from mlx_drmario.rl.qrdqn import train as qrdqn
from mlx_drmario.rl.qrdqn.config import QRDQNRunConfig
from mlx_drmario.rl.runs import checkpoint
from mlx_drmario.rl.runs.directory import backups, prepare, record
from mlx_drmario.rl.runs.metrics import read_metrics
from mlx_drmario.rl.runs.settings import read_config
from mlx_drmario.settings import from_json, to_json
from tests.training import StopAfter, content, legal_of, on_cpu, timeless


def curve(run: Path, tag: str) -> list[tuple[int, float]]:
    """(step, value) of every point that TensorBoard shows."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return [(point.step, point.value) for point in events.Scalars(tag)]


def digest(run: Path) -> str:
    return checkpoint.weights_digest(load_policy(run).model)


@on_cpu
def test_same_config_same_bytes(tiny, tmp_path):
    for name in ("a", "b"):
        train(tiny, tmp_path / name)
    train(dataclasses.replace(tiny, seed=1), tmp_path / "c")
    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "c")
    rows = timeless(tmp_path / "a")
    assert rows == timeless(tmp_path / "b")
    assert [row["step"] for row in rows] == [256 * i for i in range(1, 7)]
    assert all(np.isfinite(value) for row in rows for value in row.values())


def test_compiled_and_uncompiled_agree(tiny):
    weights = []
    for compiled in (True, False):
        with Learner(dataclasses.replace(tiny, compile=compiled)) as learner:
            learner.iterate()
            weights.append(np.asarray(learner.model.value.weight))
    np.testing.assert_allclose(weights[0], weights[1], atol=2e-4)


def test_rollouts_account_for_every_game(tiny):
    """Frames, rewards and ends of a game add up over its decisions, and games are cut exactly at the limit."""
    with Learner(tiny) as learner:
        limit = tiny.env.max_decisions
        length, total, finished = np.zeros(32, int), np.zeros(32), []
        window = EpisodeWindow.empty()
        for _ in range(4):
            rollout, _ = learner.shards.shards[0].collect(learner.model.parameters())
            window.add(rollout.episodes)
            assert legal_of(rollout.after)[np.arange(8)[:, None], np.arange(32), rollout.action].all()
            assert (rollout.tau > 0).all()
            for t in range(8):
                length += 1
                total += rollout.reward[t]
                assert (rollout.truncated[t] == (~rollout.terminated[t] & (length >= limit))).all()
                assert (rollout.final_value[t][~rollout.truncated[t]] == 0).all()
                for n in np.flatnonzero(rollout.terminated[t] | rollout.truncated[t]):
                    finished.append((length[n], total[n]))
                    length[n], total[n] = 0, 0.0
        games = window.games[: window.count]
        assert len(games) == len(finished) >= 32
        np.testing.assert_array_equal(games["decisions"], [n for n, _ in finished])
        np.testing.assert_allclose(games["total"], [r for _, r in finished], rtol=1e-3, atol=1e-5)


SESSION = """
import sys
from pathlib import Path
from mlx_drmario.rl.ppo.config import PPORunConfig
from mlx_drmario.rl.ppo.train import train
from mlx_drmario.settings import from_json
from tests.training import StopAfter
run, resume, stop = Path(sys.argv[1]), sys.argv[2] == "resume", int(sys.argv[3])
train(from_json(Path(sys.argv[4]).read_text(), PPORunConfig), run, StopAfter(stop), resume=resume)
"""


def session(config_file: Path, run: Path, mode: str, stop: int) -> list[str]:
    return [sys.executable, "-c", SESSION, str(run), mode, str(stop), str(config_file)]


@on_cpu
@pytest.mark.parametrize(("how", "shards"), [("stopped", 1), ("stopped", 2), ("killed", 1), ("killed", 2)])
def test_resume_is_bitwise(tiny, tmp_path, how, shards):
    """Straight through = interrupted (asked to stop, or killed) and resumed in a new process: weights and metrics."""
    tiny = dataclasses.replace(tiny, shards=shards)
    config = tmp_path / "config.json"
    config.write_text(to_json(tiny))
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    subprocess.run(session(config, straight, "new", 99), check=True)
    if how == "stopped":
        subprocess.run(session(config, broken, "new", 3), check=True)
        assert checkpoint.load(broken).decisions == 3 * 256
    else:
        with subprocess.Popen(session(config, broken, "new", 99)) as process:
            while not checkpoint.available(broken):
                assert process.poll() is None
                time.sleep(0.002)
            process.send_signal(signal.SIGKILL)
        with open(broken / "metrics.jsonl", "ab") as lines:  # lines after the checkpoint, the last one torn
            lines.write(b'{"step": 99999999}\n{"st')
    subprocess.run(session(config, broken, "resume", 99), check=True)
    assert content(straight) == content(broken)
    assert timeless(straight) == timeless(broken)
    assert curve(straight, "loss/value") == curve(broken, "loss/value")


@on_cpu
def test_resume_before_the_first_checkpoint_starts_again(tiny, tmp_path):
    run = tmp_path / "run"
    made(run, tiny)
    train(tiny, run, resume=True)
    train(tiny, tmp_path / "straight")
    assert digest(run) == digest(tmp_path / "straight")


def test_run_directory(tiny, tmp_path):
    run = tmp_path / "run"
    train(tiny, run)
    assert from_json((run / "config.json").read_text(), PPORunConfig) == tiny
    facts = json.loads((run / "environment.json").read_text())
    assert {
        "python",
        "mlx",
        "numpy",
        "device",
        "blas",
        "cpu_count",
        "OPENBLAS_NUM_THREADS",
        "MLX_ENABLE_TF32",
    } <= facts.keys()
    assert any((run / "tensorboard").glob("events.out.tfevents.*"))
    before = digest(run)
    with pytest.raises(FileExistsError, match="--overwrite"):
        train(dataclasses.replace(tiny, seed=5), run)
    assert digest(run) == before
    train(dataclasses.replace(tiny, seed=5, overwrite=True), run)
    assert digest(run) != before
    with pytest.raises(FileNotFoundError, match="no run"):
        train(tiny, tmp_path / "nowhere", resume=True)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="other files"):
        made(foreign, dataclasses.replace(tiny, overwrite=True))
    assert (foreign / "thesis.tex").exists()


def test_tensorboard_reads_the_metrics(tiny, tmp_path):
    train(tiny, tmp_path / "run")
    rows = read_metrics(tmp_path / "run")
    for tag in ("loss/policy", "stats/approx_kl", "episode/clear_rate", "reward/total", "perf/sps_frames_total"):
        steps, values = zip(*curve(tmp_path / "run", tag), strict=True)
        assert list(steps) == [row["step"] for row in rows]
        np.testing.assert_allclose(values, [row[tag] for row in rows], rtol=1e-5)


def made(run: Path, config: PPORunConfig) -> None:
    """A run directory in which nothing was trained yet."""
    with prepare(run, config, resume=False):
        record(run, config, 0)


def command(*arguments: str) -> list[str]:
    """`drmario train ...`"""
    return [sys.executable, "-c", "import sys; from mlx_drmario.cli import main; sys.exit(main())", "train", *arguments]


SMALL = ["--env.num-envs", "32", "--ppo.horizon", "8", "--ppo.minibatch", "128", "--net.width", "8", "--no-compile"]


def test_interrupt_saves_and_says_how_to_resume(tmp_path):
    run = tmp_path / "run"
    new = command("level0", "--out", str(run), *SMALL)
    rest = stopped(new, lambda process: process.send_signal(signal.SIGINT))
    assert f"drmario train resume {run}" in rest
    reached = checkpoint.load(run).decisions
    assert reached > 0
    again = subprocess.run(new, capture_output=True, text=True)
    assert again.returncode == 2
    assert "--overwrite" in again.stderr
    resume = command("resume", str(run), "--decisions", str(reached + 256))
    subprocess.run(resume, check=True, env={**os.environ, "NO_COLOR": "1"})
    assert checkpoint.load(run).decisions == reached + 256


WAYS = {
    "SIGTERM": lambda process: process.send_signal(signal.SIGTERM),
    "SIGHUP": lambda process: process.send_signal(signal.SIGHUP),
    "closed": lambda process: process.stdout.close(),
}


@pytest.mark.parametrize("way", WAYS)
def test_other_ways_to_stop_save_too(tmp_path, way):
    run = tmp_path / "run"
    rest = stopped([sys.executable, "-c", EAGER, "train", "level0", "--out", str(run), *SMALL], WAYS[way])
    assert way == "closed" or f"drmario train resume {run}" in rest
    rows, reached = read_metrics(run), checkpoint.load(run).decisions
    assert rows[-1]["step"] == reached < PRESETS["level0"].decisions


EAGER = """
import sys
from mlx_drmario.cli import main
from mlx_drmario.cli.progress import Progress
Progress.PLAIN_SECONDS = 0.0  # a line per iteration
sys.exit(main())
"""


def stopped(arguments: list[str], stop: Callable[[subprocess.Popen[str]], None]) -> str:
    """Train in a process of its own, stop it after its first iteration, and return what it said then."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(arguments, **pipes) as process:
        process.stdout.readline()  # the header
        process.stdout.readline()  # the first iteration
        stop(process)
        rest = "" if process.stdout.closed else process.stdout.read()
        error = process.stderr.read()
    assert process.returncode == 130 and error == ""
    return rest


def test_dry_run_prints_what_would_be_stored(tmp_path, capsys):
    run = tmp_path / "run"
    arguments = ["train", "level0", "--out", str(run), "--shards", "1", "--ppo.gamma", "0.5", "--dry-run"]
    assert main(arguments) == 0
    assert not list(tmp_path.iterdir())
    ppo = dataclasses.replace(PRESETS["level0"].ppo, gamma=0.5)
    assert from_json(capsys.readouterr().out, PPORunConfig) == dataclasses.replace(
        PRESETS["level0"], out=run, shards=1, ppo=ppo
    )
    assert main(["train", "level0", "--dry-run"]) == 0
    assert from_json(capsys.readouterr().out, PPORunConfig) == resolve(PRESETS["level0"])
    run.mkdir()
    (run / "thesis.tex").touch()
    assert main(arguments) == 2
    assert "other files" in capsys.readouterr().err


def test_resume_says_what_changes(tiny, tmp_path, capsys):
    run = tmp_path / "run"
    made(run, tiny)
    assert main(["train", "resume", str(run), "--decisions", "99", "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert from_json(out, PPORunConfig) == dataclasses.replace(tiny, out=run, decisions=99)
    assert [line for line in err.splitlines() if "changed" in line] == ["changed decisions: 1536 -> 99"]
    assert read_config(run) == tiny
    assert main(["train", "resume", str(run), "--dry-run"]) == 0
    assert "changed" not in capsys.readouterr().err


def test_overwrite_keeps_three_backups(tiny, tmp_path, monkeypatch):
    run = tmp_path / "run"
    for seed in range(6):
        made(run, dataclasses.replace(tiny, seed=seed, overwrite=True))
        (run / "weights").write_text(str(seed))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run.bak1", "run.bak2", "run.bak3"]
    for name, seed in (("run", 5), ("run.bak1", 4), ("run.bak2", 3), ("run.bak3", 2)):
        assert read_config(tmp_path / name).seed == seed
        assert (tmp_path / name / "weights").read_text() == str(seed)
    monkeypatch.chdir(run)
    with pytest.raises(ValueError, match="directory you are in"):
        made(Path("../run"), dataclasses.replace(tiny, overwrite=True))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.bak2" / "config.json").unlink()
    with pytest.raises(ValueError, match=r"run\.bak2, the place of a backup"):
        made(Path("run"), dataclasses.replace(tiny, overwrite=True))
    assert (run / "weights").read_text() == "5"
    shutil.rmtree(tmp_path / "run.bak2")  # a gap: only the backups before it move
    made(Path("run"), dataclasses.replace(tiny, seed=6, overwrite=True))
    assert [read_config(place).seed for place in backups(run)] == [5, 4, 2]


def test_config_errors(tiny):
    with pytest.raises(ValueError, match="minibatch must divide"):
        dataclasses.replace(tiny, ppo=dataclasses.replace(tiny.ppo, minibatch=100))
    with pytest.raises(ValueError, match="seed must be between"):
        dataclasses.replace(tiny, seed=-1)
    with pytest.raises(ValueError, match=r"net\.head must be one of dense, .*, got 'afterstate'"):
        dataclasses.replace(tiny.net, head="afterstate")
    with pytest.raises(ValueError, match=r"env\.last_level must not be given with a curriculum"):
        env, ladder = dataclasses.replace(tiny.env, last_level=3), CurriculumConfig(enabled=True)
        dataclasses.replace(tiny, env=env, curriculum=ladder)
    with pytest.raises(ValueError, match=r"env\.last_level must be between 0 and 24, got 25"):
        dataclasses.replace(tiny.env, last_level=25)
    with pytest.raises(ValueError, match="shards must"):
        dataclasses.replace(tiny, shards=3)
    with pytest.raises(ValueError, match=r"env\.level"):
        dataclasses.replace(tiny.env, level=99)
    with pytest.raises(ValueError, match=r"ppo\.gama"):
        from_json(to_json(tiny).replace('"gamma"', '"gama"'), PPORunConfig)


def test_training_learns(tmp_path):
    """Forty thousand decisions (under a minute): far fewer viruses left than after random play of the same games."""
    config = dataclasses.replace(PRESETS["level0"], decisions=40_000)
    train(config, tmp_path / "run")
    games = {"level": 0, "speed": 2, "seeds": seeds.seeds("validation", 400), "max_decisions": 300}
    trained = evaluate(load_policy(tmp_path / "run", mode="sample"), **games)
    random = evaluate(RandomLegal(0), **games)
    difference = random.viruses_left.astype(float) - trained.viruses_left  # paired: the same games
    standard_error = difference.std(ddof=1) / np.sqrt(len(difference))
    assert difference.mean() > 0.3
    assert difference.mean() > 8 * standard_error


@pytest.mark.parametrize(
    ("what", "metrics"),
    [
        ("weights", {"stats/param_norm": float("nan")}),
        ("gradients", {"stats/param_norm": 1.0, "stats/grad_norm": float("inf")}),
    ],
)
def test_weights_that_are_no_numbers_end_a_run_and_are_not_kept(tiny, tmp_path, monkeypatch, what, metrics):
    """In PPO's loop, and in that of all others, here QR-DQN's."""
    for learner in (Learner, qrdqn.Learner):
        monkeypatch.setattr(learner, "iterate", lambda self, *_: metrics)
    for begin, config in ((train, tiny), (qrdqn.train, QRDQNRunConfig(env=tiny.env, compile=False))):
        run = tmp_path / type(config).__name__
        with pytest.raises(ValueError, match=rf"^the {what} are not finite any more after 0 decisions"):
            begin(config, run, StopAfter(1))
        assert checkpoint.available(run) == [] and not (run / "metrics.jsonl").read_bytes()


def test_a_run_that_was_taken_away_is_not_made_again_by_half(tiny, tmp_path):
    run = tmp_path / "run"

    class TakeAway(StopAfter):
        def on_iteration(self, snapshot):
            super().on_iteration(snapshot)
            if len(self.seen) == 2:
                shutil.rmtree(run)

    later = dataclasses.replace(tiny, checkpoint_every=4)  # none is being written when it is taken away
    with pytest.raises(FileNotFoundError, match=f"^{run} holds no run any more"):
        train(later, run, TakeAway(6))
    assert not run.exists()


def test_a_run_whose_budget_is_spent_stays_as_it_is(tiny, tmp_path):
    def files(run: Path) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != ".lock"}

    for begin, config in ((train, tiny), (qrdqn.train, QRDQNRunConfig(env=tiny.env, decisions=512, compile=False))):
        run = tmp_path / type(config).__name__
        assert begin(config, run).finished
        before = files(run)
        assert begin(config, run, resume=True).finished
        assert files(run) == before
