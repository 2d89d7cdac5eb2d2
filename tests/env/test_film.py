"""Pictures of the placement environment: one a capsule, or every frame between them; and Gymnasium's own recorders."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import RecordVideo

from mlx_drmario.envs import PlacementEnv, PlacementVectorEnv


def test_every_frame_is_shown_and_the_last_is_what_follows():
    film = PlacementEnv(level=3, max_decisions=0, render_mode="rgb_array_list")
    still = PlacementEnv(level=3, max_decisions=0, render_mode="rgb_array")
    assert (film.metadata["render_fps"], still.metadata["render_fps"]) == (60, 2)
    for env in (film, still):
        env.reset(options={"game_seed": 77})
    (first,) = film.render()
    assert np.array_equal(first, still.render())
    assert film.render() == []
    rng, ended = np.random.default_rng(0), False
    while not ended:
        action = int(rng.choice(np.flatnonzero(film.action_masks())))
        _, _, terminated, truncated, info = film.step(action)
        still.step(action)
        pictures = film.render()
        assert len(pictures) == info["tau"]
        assert np.array_equal(pictures[-1], still.render())
        assert not np.array_equal(pictures[0], pictures[-1])
        ended = terminated or truncated
    assert info["frames"] > 500


def test_films_of_a_vector_are_apart_and_begin_with_the_game():
    games = PlacementVectorEnv(2, level=0, render_mode="rgb_array_list")
    _, info = games.reset(seed=0)
    for _ in range(2):
        _, _, _, _, info = games.step(info["legal"].argmax(axis=1))
    games.reset(options={"reset_mask": np.array([True, False])})
    assert [len(film) for film in games.render()] == [1, 1 + info["frames"][1]]


def test_an_illegal_action_plays_no_frame():
    env = PlacementEnv(level=0, render_mode="rgb_array_list")
    observation, _ = env.reset(seed=0)
    env.render()
    env.step(int(observation["legal"].argmin()))
    assert env.render() == []


def length(path) -> tuple[int, float]:
    """(pictures, pictures a second) of a video file."""
    from moviepy import VideoFileClip

    with VideoFileClip(str(path)) as clip:
        return clip.n_frames, clip.fps


@pytest.mark.filterwarnings("ignore")
def test_gymnasium_records_it(tmp_path):
    pytest.importorskip("moviepy", reason='MoviePy is not installed: pip install "mlx-drmario[video]"')
    from gymnasium.utils.save_video import save_video

    env = RecordVideo(gym.make("DrMarioPlacement-v0", render_mode="rgb_array"), str(tmp_path / "a"))
    observation, _ = env.reset(seed=0)
    for _ in range(4):
        observation, *_ = env.step(int(observation["legal"].argmax()))
    env.close()
    assert length(tmp_path / "a" / "rl-video-episode-0.mp4") == (5, 2.0)
    film = gym.make("DrMarioPlacement-v0", render_mode="rgb_array_list")
    observation, _ = film.reset(seed=0)
    for _ in range(4):
        observation, _, _, _, info = film.step(int(observation["legal"].argmax()))
    fps = film.metadata["render_fps"]
    save_video(film.render(), str(tmp_path / "b"), episode_trigger=lambda episode: True, fps=fps)
    pictures, fps = length(tmp_path / "b" / "rl-video-episode-0.mp4")
    assert fps == 60.0 and abs(pictures - (1 + info["frames"])) <= 1  # MoviePy counts by the duration
