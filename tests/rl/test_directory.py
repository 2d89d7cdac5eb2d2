"""A run directory has one writer, and a run goes on whatever its files have suffered."""

import contextlib
import dataclasses
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from mlx_drmario import files
from mlx_drmario.baselines import Greedy
from mlx_drmario.cli import main
from mlx_drmario.cli.stopping import default_directory
from mlx_drmario.rl.clone import train as clone
from mlx_drmario.rl.clone.config import CloneRunConfig
from mlx_drmario.rl.config import BestConfig
from mlx_drmario.rl.evaluator import train as evaluator
from mlx_drmario.rl.evaluator.config import EvaluatorConfig
from mlx_drmario.rl.ppo.config import PPORunConfig
from mlx_drmario.rl.ppo.train import train
from mlx_drmario.rl.qrdqn import train as qrdqn
from mlx_drmario.rl.qrdqn.config import QRDQNRunConfig
from mlx_drmario.rl.runs import checkpoint
from mlx_drmario.rl.runs.directory import prepare
from mlx_drmario.rl.runs.listing import summarize
from mlx_drmario.rl.runs.metrics import read_metrics
from mlx_drmario.rl.runs.settings import read_config
from tests.training import StopAfter, content, on_cpu, timeless

HOLDER = """
import sys
from pathlib import Path
from mlx_drmario.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run with checkpoints of 256 and 512 decisions, stopped after two of its six iterations; 256 is the best."""
    from mlx_drmario.nets.config import NetConfig
    from mlx_drmario.rl.config import EnvConfig
    from mlx_drmario.rl.ppo.config import PPOConfig

    run = tmp_path_factory.mktemp("runs") / "run"
    config = PPORunConfig(
        decisions=6 * 256,
        checkpoint_every=1,
        shards=1,
        compile=False,
        best=BestConfig(games=64, every=1),
        env=EnvConfig(num_envs=32, max_decisions=12),
        net=NetConfig(encoder="mlp", head="dense", width=8),
        ppo=PPOConfig(horizon=8, minibatch=128, epochs=2),
    )
    train(config, run, StopAfter(2))
    return run


@pytest.fixture
def run(trained, tmp_path) -> Path:
    """A copy to break."""
    return shutil.copytree(trained, tmp_path / "run", symlinks=True)


def go_on(run: Path, iterations: int = 2) -> list[str]:
    """Resume for some iterations; returns what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(read_config(run), run, StopAfter(iterations), resume=True)
    return [str(warning.message) for warning in caught]


def newest(run: Path, file: str) -> Path:
    return checkpoint.available(run)[-1] / file


def test_one_writer_and_the_kernel_lets_go(run):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        for resume in (True, False):  # an --overwrite would move the directory away under a trainer
            config = dataclasses.replace(read_config(run), overwrite=True)
            with pytest.raises(BlockingIOError, match=rf"run is in use by another process \({holder.pid}\)"):
                train(config, run, resume=resume)
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
        assert not run.with_name("run.bak1").exists()
        holder.kill()
        holder.wait()
    assert go_on(run) == []


def test_the_lock_holds_within_a_process_and_ends_with_the_run(run):
    refused: list[OSError] = []

    class Rival(StopAfter):
        def on_iteration(self, snapshot):
            super().on_iteration(snapshot)

            def resume() -> None:
                try:
                    train(read_config(run), run, resume=True)
                except BlockingIOError as error:
                    refused.append(error)

            thread = threading.Thread(target=resume)
            thread.start()
            thread.join()

    rows = len(read_metrics(run))
    train(read_config(run), run, Rival(1), resume=True)
    assert len(refused) == 1
    assert len(read_metrics(run)) == rows + 1
    assert go_on(run) == []


def test_a_replaced_run_is_locked_too(run):
    with prepare(run, dataclasses.replace(read_config(run), overwrite=True), resume=False):
        for directory in (run, run.with_name("run.bak1")):
            with pytest.raises(BlockingIOError), files.locked(directory):
                pass
    for directory in (run, run.with_name("run.bak1")):
        with files.locked(directory):
            pass


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_a_lock_does_not_outlive_its_holder_in_a_forked_child(tmp_path, error):
    with contextlib.suppress(KeyboardInterrupt), files.locked(tmp_path):
        child = os.fork()
        if child == 0:
            signal.pause()
        if error:
            raise error
    try:
        with files.locked(tmp_path):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_default_names_are_unique(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.strftime", lambda form: "20261126-182000")
    names = [default_directory("demo").name for _ in range(3)]
    assert names == ["demo-20261126-182000", "demo-20261126-182000-2", "demo-20261126-182000-3"]
    assert default_directory("demo", make=False).name == "demo-20261126-182000-4"
    assert sorted(path.name for path in Path("runs").iterdir()) == names


@pytest.mark.parametrize(
    "name", ["../../x", "a/b", "/x", "", ".", "..", ".hidden", "-x", "a\nb", "a\0b", "a,b", "x" * 101]
)
def test_names_that_are_no_names(name):
    with pytest.raises(ValueError, match="name must be 1 to 100"):
        PPORunConfig(name=name)


@pytest.mark.parametrize(
    "begin",
    [
        lambda run: train(PPORunConfig(), run),
        lambda run: clone.train(CloneRunConfig(), run),
        lambda run: qrdqn.train(QRDQNRunConfig(), run),
        lambda run: evaluator.train(EvaluatorConfig(), run, Greedy(), "bitplane"),
    ],
    ids=["ppo", "clone", "qrdqn", "evaluator"],
)
def test_a_directory_may_be_text(begin, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"out must be a new or empty directory, got .*, which holds other files"):
        begin(str(tmp_path))


def unlink(run: Path, file: str) -> None:
    newest(run, file).unlink()


def directory_instead(run: Path, file: str) -> None:
    unlink(run, file)
    newest(run, file).mkdir()


def pointing_at_itself(run: Path, file: str) -> None:
    """Every access is an error of the system (ELOOP), as on a failing disk."""
    unlink(run, file)
    newest(run, file).symlink_to(file)


def empty_manifest(run: Path, file: str) -> None:
    newest(run, "manifest.json").write_text("{}")


def forged(run: Path, file: str) -> None:
    """JSON without its keys, or an empty file, and a manifest that says that this is right."""
    path = newest(run, file)
    path.write_text("{}" if path.suffix == ".json" else "")
    manifest = json.loads(newest(run, "manifest.json").read_text())
    manifest[file] = checkpoint._fingerprint(path)
    newest(run, "manifest.json").write_text(json.dumps(manifest))


def a_file_instead_of_all(run: Path, file: str) -> None:
    path = checkpoint.available(run)[-1]
    shutil.rmtree(path)
    path.touch()


FILES = ("model.safetensors", "optimizer.safetensors", "state.npz", "state.json", "policy.json", "manifest.json")
DAMAGES = [
    *((damage, file) for damage in (unlink, directory_instead, pointing_at_itself) for file in FILES),
    *((forged, file) for file in ("model.safetensors", "optimizer.safetensors", "state.npz", "policy.json")),
    (empty_manifest, ""),
    (a_file_instead_of_all, ""),
]


@pytest.mark.parametrize(("damage", "file"), DAMAGES, ids=lambda value: getattr(value, "__name__", value))
def test_an_unreadable_checkpoint_is_passed_over_in_one_sentence(run, damage: Callable[[Path, str], None], file):
    broken = checkpoint.available(run)[-1]
    damage(run, file)
    with pytest.warns(RuntimeWarning) as caught:
        assert checkpoint.load(run).decisions == 256
    (warning,) = caught
    assert str(broken) in str(warning.message) and "step_000000000256 is used" in str(warning.message)
    assert "\n" not in str(warning.message)


@on_cpu
@pytest.mark.parametrize("damage", [directory_instead, a_file_instead_of_all])
def test_a_run_goes_on_from_the_one_before(trained, run, tmp_path, damage):
    straight = shutil.copytree(trained, tmp_path / "straight", symlinks=True)
    assert go_on(straight, 2) == []
    damage(run, "model.safetensors")
    assert len(go_on(run, 3)) == 1
    assert content(run) == content(straight)
    assert timeless(run) == timeless(straight)
    assert all(checkpoint.verify(path) for path in checkpoint.available(run))


def damaged_file(run: Path) -> None:
    (run / "checkpoints" / "best" / "model.safetensors").write_bytes(b"")


def without_manifest(run: Path) -> None:
    (run / "checkpoints" / "best" / "manifest.json").unlink()


@pytest.mark.parametrize("damage", [damaged_file, without_manifest])
def test_a_damaged_best_checkpoint_does_not_end_a_run(run, damage):
    damage(run)
    (sentence,) = go_on(run)
    assert sentence.startswith("the best checkpoint is no longer known") and "\n" not in sentence
    best = checkpoint.best(run)
    assert checkpoint.verify(best) and checkpoint.number(best) in (3 * 256, 4 * 256)
    assert go_on(run, 1) == []


def linked(directory: str, names: list[str]) -> list[str]:
    """What `rsync -r` leaves out."""
    return [name for name in names if (Path(directory) / name).is_symlink()]


@on_cpu
@pytest.mark.parametrize("ignore", [None, linked])
def test_a_run_that_was_copied_without_links_keeps_its_best(run, tmp_path, ignore):
    """With what links point to instead, as `cp -rL` and `scp -r` leave it; or without anything."""
    copy = shutil.copytree(run, tmp_path / "copy", ignore=ignore)
    number = checkpoint.number(checkpoint.best(run))
    assert checkpoint.number(checkpoint.best(copy)) == checkpoint.number(summarize(copy).best) == number
    assert go_on(run) == go_on(copy) == []
    assert (copy / "best.jsonl").read_bytes() == (run / "best.jsonl").read_bytes()
    assert checkpoint.number(checkpoint.best(copy)) == checkpoint.number(checkpoint.best(run))


def test_a_damaged_line_of_comparisons_is_left_out(run):
    with open(run / "best.jsonl", "a") as file:
        file.write('{"decisions": "x"}\n[1]\n\0\0\n')
    assert len(set(go_on(run))) == 1
    assert [json.loads(line)["decisions"] for line in (run / "best.jsonl").read_text().splitlines()] == [
        256,
        512,
        768,
        1024,
    ]


@pytest.mark.parametrize("kept", [0, 1, -1])
def test_lost_rows_are_said_and_not_padded(run, kept):
    file = run / "metrics.jsonl"
    whole = file.read_bytes()
    first = whole.index(b"\n") + 1
    file.write_bytes(whole[: {0: 0, 1: first + 5, -1: len(whole) - 1}[kept]])
    (sentence,) = go_on(run)
    assert f"{file} has lost rows" in sentence
    assert b"\0" not in file.read_bytes()
    assert [row["step"] for row in read_metrics(run)] == [256, 768, 1024][kept == 0 :]


def test_what_killed_writers_left_is_swept(run):
    leftovers = [
        run / f"{files.WRITING}1-2-config.json",
        run / "checkpoints" / f"{files.WRITING}1-2-latest",
        run / "checkpoints" / f"{files.REMOVING}1-step_000000000001",
    ]
    for path in leftovers:
        path.symlink_to("nowhere")
    with prepare(run, read_config(run), resume=True):
        assert not [path for path in leftovers if path.is_symlink()]


FULL = """
import resource, sys
from pathlib import Path
from mlx_drmario.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
sys.exit(main(["train", "resume", sys.argv[1]]))
"""


@pytest.mark.parametrize(("room", "file"), [(100, "config.json"), (4_000, "checkpoints")])
def test_no_room_is_one_sentence_with_the_file(run, room, file):
    """The limit on a file's size fails writes in the middle, as a full disk does."""
    (run / "metrics.jsonl").write_text("")
    done = subprocess.run([sys.executable, "-c", FULL, str(run), str(room)], capture_output=True, text=True)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if "has lost rows" not in line]
    assert len(lines) == 1, done.stderr
    assert str(run / file) in lines[0] and os.strerror(errno.EFBIG) in lines[0]
    assert checkpoint.load(run).decisions == 512
    assert not list(run.rglob(f"{files.WRITING}*"))


def test_a_refused_resume_leaves_the_settings_as_they_were(run):
    """Neither a checkpoint that cannot be read nor a budget that is spent makes the run another one."""
    before = (run / "config.json").read_bytes()
    other = dataclasses.replace(read_config(run), env=dataclasses.replace(read_config(run).env, level=9))
    moved = (run / "checkpoints").rename(run / "away")
    shutil.copytree(moved, run / "checkpoints", symlinks=True)
    for path in (run / "checkpoints").glob("step_*"):
        (path / "model.safetensors").write_bytes(b"no")
    with pytest.raises(FileNotFoundError, match="no intact checkpoint"):
        train(other, run, resume=True)
    assert (run / "config.json").read_bytes() == before
    shutil.rmtree(run / "checkpoints")
    moved.rename(run / "checkpoints")
    assert train(dataclasses.replace(other, decisions=100), run, resume=True).finished
    assert (run / "config.json").read_bytes() == before and not (run / "changes.jsonl").exists()


def test_what_is_changed_on_the_way_is_kept(run, capsys):
    config = read_config(run)
    for level in (3, 3, 5):
        (run / "environment.json").write_text({3: "[", 5: "[]"}[level])  # damaged, which is no change to tell
        other = dataclasses.replace(config, overwrite=True, env=dataclasses.replace(config.env, level=level))
        train(other, run, StopAfter(1), resume=True)
    assert not read_config(run).overwrite  # it was meant for once, so this file repeats nothing of it
    rows = [json.loads(line) for line in (run / "changes.jsonl").read_text().splitlines()]
    assert [(row["decisions"], row["settings"]) for row in rows] == [
        (512, {"env.level": [0, 3]}),
        (1024, {"env.level": [3, 5]}),
    ]
    assert summarize(run).changes == rows
    main(["runs", "info", str(run)])
    assert "after          512 decisions: env.level 0 -> 3\n" in capsys.readouterr().out
