"""Exports hold the recorded games: Parquet by pyarrow, Minari by its own loader, and its episodes play again."""

from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

import mlx_drmario as dm
from mlx_drmario import rewards
from mlx_drmario.cli import main
from mlx_drmario.traces import export, storage
from mlx_drmario.traces.capture import FrameCapture
from tests import strategies as sts
from tests.traces.conftest import capture_greedy, capture_random


def test_parquet(tmp_path: Path) -> None:
    paths = [*capture_random(tmp_path / "a"), *capture_greedy(tmp_path / "b")]
    assert main(["trace", "export", *map(str, paths), "--parquet", str(tmp_path / "x.parquet")]) == 0
    read = parquet.read_table(tmp_path / "x.parquet").to_pydict()
    row = 0
    for number, (games, e) in enumerate((g, e) for g in map(storage.read, paths) for e in range(len(g))):
        for at in range(*games.decisions_of(e).indices(games.rows)):
            assert read["episode"][row] == number and read["seed"][row] == games.episode["seed"][e]
            assert read["policy"][row] == games.episode["policy"][e].decode()
            assert read["bottle"][row] == games.decision["bottle"][at].tolist()
            assert read["action"][row] == games.decision["action"][at] and read["tau"][row] == games.decision["tau"][at]
            row += 1
    assert row == len(read["episode"])


@pytest.fixture
def minari_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("minari", reason='Minari is not installed: pip install "mlx-drmario[minari]"')
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    return tmp_path / "minari"


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_minari_loads_and_plays_again(tmp_path: Path, minari_home: Path) -> None:
    import minari

    paths = [*capture_random(tmp_path / "a", steps=60), *capture_greedy(tmp_path / "b")]
    assert main(["trace", "export", *map(str, paths), "--minari", "drmario/mixed-v0"]) == 0
    recorded = [(g, e) for g in map(storage.read, paths) for e in range(len(g))]
    dataset = minari.load_dataset("drmario/mixed-v0")
    assert dataset.total_episodes == len(recorded)
    metadata = list(dataset.storage.get_episode_metadata(range(dataset.total_episodes)))
    for (games, e), episode, about in zip(recorded, dataset.iterate_episodes(), metadata, strict=True):
        play = dm.Decisions(num_envs=1, threads=1)
        options = {name: int(value) for name, value in about["options"].items()}
        play.reset(options["level"], options["speed"], options["game_seed"], options["frame_counter"])
        assert len(episode.actions) == games.episode["decisions"][e]
        for step, action in enumerate(episode.actions):
            for name in ("planes", "scalars", "legal", "frames_to_lock"):
                np.testing.assert_array_equal(episode.observations[name][step], getattr(play, name)[0], name)
            play.step(np.array([action], np.int32))
            assert episode.rewards[step] == pytest.approx(rewards.compute(rewards.RewardConfig(), play)["total"][0])
            assert episode.terminations[step] == play.ended[0]
        np.testing.assert_array_equal(episode.observations["planes"][-1], play.planes[0])
        assert episode.terminations[-1] or episode.truncations[-1]


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_minari_knows_the_environment_of_one_level(tmp_path: Path, minari_home: Path) -> None:
    import minari

    paths = capture_greedy(tmp_path / "b", levels=(1, 1), seed=60)
    export.minari(paths, "drmario/greedy-v0")
    dataset = minari.load_dataset("drmario/greedy-v0")
    env = dataset.recover_environment()
    for episode, about in zip(dataset.iterate_episodes(), dataset.storage.get_episode_metadata([0, 1]), strict=True):
        observation, _ = env.reset(options={"game_seed": int(about["options"]["game_seed"])})
        for step, action in enumerate(episode.actions):
            np.testing.assert_array_equal(observation["planes"], episode.observations["planes"][step])
            observation, reward, terminated, truncated, _ = env.step(int(action))
            assert (reward, terminated, truncated) == pytest.approx(
                (episode.rewards[step], episode.terminations[step], episode.truncations[step])
            )
    with pytest.raises(ValueError, match="already exists"):
        export.minari(paths, "drmario/greedy-v0")


def test_what_cannot_be_exported(tmp_path: Path, minari_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    batch = dm.Batch(num_envs=1, players=2, threads=1)
    batch.reset(0, 2, 0x8988)
    with FrameCapture(tmp_path / "two.dmtrace.h5", batch) as capture:
        capture.run(sts.human_buttons(np.random.default_rng(0), 600, 1, 2))
    with pytest.raises(ValueError, match="games of two players; a Minari dataset holds one player's"):
        export.minari([tmp_path / "two.dmtrace.h5"], "aa/b-v0")
    batch = dm.Batch(num_envs=1, threads=1)
    with FrameCapture(tmp_path / "one.dmtrace.h5", batch) as capture:
        capture.run(np.zeros((600, 1, 1), np.uint8))
    with pytest.raises(ValueError, match="no episode that can be exported"):
        export.minari([tmp_path / "one.dmtrace.h5"], "aa/b-v0")
    assert main(["trace", "export", str(tmp_path / "one.dmtrace.h5")]) == 2
    assert "--parquet and --minari are both not given" in capsys.readouterr().err
