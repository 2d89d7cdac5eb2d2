"""The page of a trace is one small file that loads nothing, and a browser shows the recorded game in it."""

import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario.baselines import Greedy
from mlx_drmario.cli import main
from mlx_drmario.traces import html, replay, storage
from mlx_drmario.traces.capture import Capture, FrameCapture
from mlx_drmario.traces.details import annotate
from mlx_drmario.traces.games import Games
from tests import strategies as sts
from tests.traces.conftest import capture_rounds

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def detailed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A level 20 game with all that a policy can say, and a level 0 game that is cleared."""
    folder = tmp_path_factory.mktemp("page")
    play, policy, rng = dm.Decisions(num_envs=2, threads=1), Greedy(), np.random.default_rng(0)
    play.reset(np.array([20, 0]), 0, np.array([77, 40]))
    with Capture(folder, name="x", policy="<i>greedy</i></script>") as capture:
        while not play.ended.all():
            action = policy.act(play)
            score = np.where(play.legal, rng.random(play.legal.shape), -np.inf)
            score[:, 0] = np.where(play.ended, 0, score[:, 0])
            log_probs = score - np.log(np.exp(score).sum(axis=1, keepdims=True))
            quantiles = np.linspace(-1, 1, 21) + play.viruses_left[:, None]
            capture.before_step(play, action, log_probs.astype(np.float32), quantiles.astype(np.float32))
            play.step(action)
            capture.after_step(play)
    return folder / "x-00-0001.dmtrace.h5"


def test_one_small_file_that_loads_nothing(tmp_path: Path, detailed: Path) -> None:
    assert main(["trace", "html", str(detailed), "--out", str(tmp_path / "p.html"), "--episodes", "0"]) == 0
    page = (tmp_path / "p.html").read_text()
    assert len(page.encode()) < 1_000_000
    assert not re.search(r"https?:|<link|<img|<iframe|src=|@import|fetch\(|XMLHttp|WebSocket", page)
    assert "default-src 'none'" in page
    assert "seed 0x${game.seed.toString(16)" in page  # as --seed reads it
    assert page.count("</script>") == 1  # the policy's name cannot end the script


def test_a_long_game_stays_small(tmp_path: Path) -> None:
    """More than any real game: 600 capsules at level 20 on LOW."""
    play = dm.Decisions(num_envs=1, threads=1)
    play.reset(20, 0, 77)
    with Capture(tmp_path, name="x") as capture:
        for step in range(600):
            if play.state["p1_bottle"][0, :64].min() < 255:  # keep it going
                bottle = play.state["p1_bottle"].copy()
                bottle[0, :64] = 255
                play.set_bottles(bottle)
            action = play.sample_legal(step)
            capture.before_step(play, action, np.zeros((1, 512), np.float32), np.zeros((1, 21), np.float32))
            play.step(action)
            capture.after_step(play)
    games = storage.read(tmp_path / "x-00-0001.dmtrace.h5")
    assert games.rows == 600
    assert html.write(tmp_path / "p.html", games, range(len(games)), "x") < 1_000_000


def test_bad_input(tmp_path: Path, detailed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "html", str(detailed), "--out", str(tmp_path / "p.html"), "--episodes", "7"]) == 2
    assert re.search(r"--episodes is 7; .* holds the games 0\.\.1", capsys.readouterr().err)
    with pytest.raises(ValueError, match="episodes is empty"):
        html.write(tmp_path / "p.html", storage.read(detailed), [], "x")


def test_no_policy_is_asked_about_two_players(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = capture_rounds(tmp_path, games=1, steps=4)
    out = tmp_path / "p.html"
    assert main(["trace", "html", str(path), "--out", str(out), "--policy", "greedy"]) in (1, 2)
    sentence = "games.players is 2; a policy can only be asked about games of one player\n"
    assert capsys.readouterr().err.endswith(sentence) and not out.exists()
    with pytest.raises(ValueError, match=rf"^{sentence.strip()}$"):
        annotate(storage.read(path), Greedy(), "bitplane")
    assert main(["trace", "html", str(path), "--out", str(out)]) == 0


def test_games_keep_their_numbers_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, detailed: Path) -> None:
    """On the page, and where a policy is asked about them."""
    asked: list[int] = []

    def seen(games: Games, policy: object, planes: str, episodes: list[int]) -> Games:
        asked.extend(episodes)
        return games

    monkeypatch.setattr("mlx_drmario.traces.details.annotate", seen)
    out = tmp_path / "p.html"
    assert main(["trace", "html", str(detailed), "--out", str(out), "--policy", "greedy", "--episodes", "1"]) == 0
    assert re.findall(r'"number":(\d+)', out.read_text()) == ["1"] and asked == [1]


def test_only_the_games_of_the_page_are_asked_about(detailed: Path) -> None:
    games = storage.read(detailed)
    games.episode["buttons"][0] = 1
    assert len(annotate(games, Greedy(), "bitplane", [1])) == 2
    with pytest.raises(ValueError, match="episode 0 was played by buttons"):
        annotate(games, Greedy(), "bitplane", [0])


def test_a_game_that_is_over_too_early_is_named(detailed: Path) -> None:
    """Of a damaged file: its rows go on where the replay has ended."""
    games = storage.read(detailed).take(np.array([1]))
    longer = games.take(np.array([0, 0]))
    longer.episode["decisions"][0] = longer.rows
    with pytest.raises(ValueError, match=r"^episode 0 does not replay: its game is over before its last decision$"):
        annotate(longer, Greedy(), "bitplane")


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser to open the page with: none of {', '.join(BROWSERS)} is installed")
    return found


def shown(browser: str, page: Path, fragment: str, *options: str) -> str:
    """The document after its scripts have run."""
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,900", *options]
    command += ["--virtual-time-budget=8000", f"{page.as_uri()}#{fragment}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def bottle_at(games: Games, e: int, frame: int) -> list[str]:
    batch = dm.Batch(num_envs=1, players=games.players, threads=1)
    batch.set_state(games.start[e : e + 1])
    batch.run(replay.buttons_of(games, e)[:frame, None, :].copy())
    return [bottle.tobytes().hex() for bottle in batch.bottles[0]]


def test_a_browser_shows_the_game(browser: str, tmp_path: Path, detailed: Path) -> None:
    games = storage.read(detailed)
    html.write(tmp_path / "p.html", games, range(2), "x.dmtrace.h5")
    for e, frame in ((0, 700), (1, 2_000)):
        text = shown(browser, tmp_path / "p.html", f"game={e}&frame={frame}", "--dump-dom")
        assert f'data-bottles="{bottle_at(games, e, frame)[0]}"' in text
        assert f"frame {frame:,} of" in text and "Evaluator: " in text and "10 to 90 %" in text
        at = int(np.searchsorted(np.cumsum(games.decision["tau"][games.decisions_of(e)]), frame, side="right"))
        action = int(games.decision["top_action"][games.decisions_of(e)][at, 0])
        assert f"row {action % 128 // 8}, column {action % 8} " in text
        assert text.count("<li") >= 1 and ("cleared" in text if e else "top-out" in text)
        assert "&lt;i&gt;greedy" in text


def test_a_screenshot_has_the_bottle_in_it(browser: str, tmp_path: Path, detailed: Path) -> None:
    html.write(tmp_path / "p.html", storage.read(detailed), [1], "x.dmtrace.h5")
    shown(browser, tmp_path / "p.html", "frame=2000", f"--screenshot={tmp_path / 'p.png'}")
    picture = pixels((tmp_path / "p.png").read_bytes())
    for color in ((242, 201, 61), (231, 76, 70), (74, 134, 240)):
        assert (np.abs(picture[60:560, :260].astype(int) - color).max(axis=2) < 4).sum() > 200


def test_two_players_in_a_browser(browser: str, tmp_path: Path) -> None:
    batch = dm.Batch(num_envs=1, players=2, threads=1)
    batch.reset([[3, 5]], [[2, 1]], 0x8988)
    with FrameCapture(tmp_path / "two.dmtrace.h5", batch, policy=("one", "two")) as capture:
        capture.run(sts.human_buttons(np.random.default_rng(0), 1500, 1, 2))
    games = storage.read(tmp_path / "two.dmtrace.h5")
    html.write(tmp_path / "p.html", games, [0], "two")
    text = shown(browser, tmp_path / "p.html", "frame=900", "--dump-dom")
    assert f'data-bottles="{" ".join(bottle_at(games, 0, 900))}"' in text
    assert "level 3 / 5 HI / MED" in text and "the recording holds no evaluation" in text


def pixels(data: bytes) -> np.ndarray:
    """u8[H, W, 3] of an 8 bit RGB or RGBA PNG."""
    width, height = struct.unpack(">II", data[16:24])
    channels = {2: 3, 6: 4}[data[25]]
    packed, at = b"", 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += 12 + length
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * channels)
    picture = np.zeros((height + 1, width + 1, channels), np.int64)
    for y, line in enumerate(lines, start=1):
        row = line[1:].reshape(width, channels).astype(np.int64)
        up, kind = picture[y - 1], line[0]
        if kind == 0:
            picture[y, 1:] = row
        elif kind == 2:
            picture[y, 1:] = row + up[1:] & 255
        elif kind == 1:
            picture[y, 1:] = np.cumsum(row, axis=0) & 255
        else:
            for x in range(1, width + 1):
                left, above, corner = picture[y, x - 1], up[x], up[x - 1]
                guess = left + above - corner
                if kind == 3:
                    best = (left + above) // 2
                else:
                    distance = np.abs([guess - left, guess - above, guess - corner])
                    best = np.choose(distance.argmin(axis=0), [left, above, corner])
                picture[y, x] = row[x - 1] + best & 255
    return picture[1:, 1:, :3].astype(np.uint8)
