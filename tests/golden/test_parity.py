"""The engine equals the retail program, frame by frame, in every recorded field that is not drawing."""

from pathlib import Path

import numpy as np
import pytest

import mlx_drmario as dm

from .recordings import PLAY, load, mismatches, recordings

FAMILIES = (
    "play_random",
    "maneuvers",
    "cascades",
    "stage_end",
    "speedup",
    "two_player",
    "two_player_special",
)


@pytest.mark.parametrize("family", FAMILIES)
def test_recordings_replay_equal(golden_dir: Path, family: str) -> None:
    path = golden_dir / f"{family}.npz"
    found = [line for recording in recordings(path) for line in mismatches(recording)]
    assert not found, "\n".join(found[:20])


def test_demo_replays_equal(golden_dir: Path) -> None:
    """The attract mode builds a fixed picture instead of a level, so it is compared from the first sample of play."""
    (demo,) = recordings(golden_dir / "demo.npz")
    first = int(np.argmax(demo.rows["mode"] == PLAY))
    assert mismatches(demo.from_row(first)) == []


def test_full_games_also_start_from_reset(golden_dir: Path) -> None:
    """`reset(start="init")` builds row 0 of the full_game recordings; their reserve then comes from our RNG."""
    for recording in recordings(golden_dir / "play_random.npz"):
        row = {name: int(values[0]) for name, values in recording.rows.items() if values.ndim == 1}
        batch = dm.Batch(num_envs=1, threads=1)
        batch.reset(
            row["p1_level"], row["p1_speed_setting"], row["rng0"] * 256 + row["rng1"], row["frame_counter"], "init"
        )
        batch.step(recording.buttons()[0])
        assert (batch.state["reserve"][0] == recording.reserve).all(), recording.name


@pytest.mark.parametrize("players", [1, 2])
def test_level_layouts(golden_dir: Path, players: int) -> None:
    data = load(golden_dir / "level_init.npz")
    rows = data["players"] == players
    level = np.stack([data["level"], data["level2"]], axis=-1)[rows, :players]
    batch = dm.Batch(num_envs=int(rows.sum()), players=players)
    batch.reset(level, 0, data["rng_before"][rows], start="init")

    def rng() -> np.ndarray:
        return batch.state["rng0"].astype(int) * 256 + batch.state["rng1"]

    nothing = np.zeros((batch.num_envs, players), np.uint8)
    batch.step(nothing)
    np.testing.assert_array_equal(batch.state["reserve"], data["reserve"][rows])
    np.testing.assert_array_equal(rng(), data["rng_after_reserve"][rows])
    to_add = [f"p{player + 1}_virus_to_add" for player in range(players)]
    played = batch.run(np.zeros((200, batch.num_envs, players), np.uint8), record=to_add)
    unfinished = np.any([played[name] > 0 for name in to_add], axis=0)
    np.testing.assert_array_equal(unfinished.sum(axis=0) + 1, data["frames"][rows])
    np.testing.assert_array_equal(rng(), data["rng_after_viruses"][rows])
    for player in range(players):
        suffix = "" if player == 0 else "2"
        p = f"p{player + 1}_"
        np.testing.assert_array_equal(batch.state[p + "bottle"], data[f"bottle{suffix}"][rows])
        np.testing.assert_array_equal(batch.state[p + "virus_left_bcd"], data[f"virus_left{suffix}_bcd"][rows])
