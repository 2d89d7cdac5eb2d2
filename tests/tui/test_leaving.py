"""Ctrl+C and Ctrl+Q, whatever is on the screen."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlx_drmario.baselines import Greedy
from mlx_drmario.evaluate import evaluate
from mlx_drmario.traces.capture import Capture
from mlx_drmario.tui.messages import Reported, WorkerDied
from mlx_drmario.tui.protocol import Detach, Ended, Stop, TrainJob
from mlx_drmario.tui.recorded import Recording
from mlx_drmario.tui.screens.help import HelpScreen
from mlx_drmario.tui.screens.home import HomeScreen, demo_position
from mlx_drmario.tui.screens.live import LiveScreen
from mlx_drmario.tui.screens.play import DuelScreen, PlayScreen
from mlx_drmario.tui.screens.recorded import RecordedScreen
from mlx_drmario.tui.session import Died, Session, sweep

from .app import endless, greedy, in_app, until, watch_job
from .test_training import TINY

keys = pytest.mark.parametrize("key", ["ctrl+q", "ctrl+c"])


class Told(Session):
    """No worker; remembers what it is sent."""

    def start(self, hand_on):
        self.sent = []

    def send(self, command):
        self.sent.append(command)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traces")
    with Capture(folder, policy="greedy") as capture:
        evaluate(Greedy(), level=0, speed=2, seeds=[0x8988], observer=capture)
    return Recording(next(folder.glob("*.h5")))


def watching():
    return LiveScreen(Told(watch_job()), "greedy")


def over(screen, name, recording):
    """Open what may lie over a screen."""
    if name == "time travel":
        screen.post_message(Reported(recording.line(0)))
    elif name == "a crash":
        screen.post_message(WorkerDied(Died(1, "jelly", "", Path("log"))))


OVER = {"help": "question_mark", "the palette": "ctrl+p", "time travel": "", "a crash": ""}


@keys
@pytest.mark.parametrize("name", OVER)
def test_over_a_session(name, key, recording):
    async def check(pilot, screen):
        over(screen, name, recording)
        await pilot.press(*([OVER[name]] if OVER[name] else []))
        await until(pilot, lambda: pilot.app.screen is not screen and pilot.app.screen.is_mounted, name)
        await pilot.press(key)
        await until(pilot, lambda: not pilot.app.is_running, "the end of the app")
        assert Stop() in screen.session.sent

    in_app(watching(), check)


@keys
@pytest.mark.parametrize("helped", [False, True])
@pytest.mark.parametrize("kind", ["menu", "alone", "two players", "a trace"])
def test_on_the_other_screens(kind, helped, key, recording):
    screens = {
        "menu": lambda: HomeScreen(list, demo_position()),
        "alone": lambda: PlayScreen(0, 0, endless()),
        "two players": lambda: DuelScreen(0, 0, endless()),
        "a trace": lambda: RecordedScreen(recording, 0, greedy, "greedy"),
    }

    async def check(pilot, screen):
        if helped:
            await pilot.press("question_mark")
            await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
        await pilot.press(key)
        await until(pilot, lambda: not pilot.app.is_running, "the end of the app")

    in_app(screens[kind](), check)


def test_a_run_says_that_it_saves(recording, tmp_path):
    """What lay over it closes; the app ends when the run has saved."""

    async def check(pilot, screen):
        over(screen, "time travel", recording)
        await until(pilot, lambda: pilot.app.screen is not screen)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
        await pilot.press("ctrl+c")
        await until(pilot, lambda: pilot.app.screen is screen, "the screen of the run")
        assert "saving" in screen.title_bar.words and screen.session.sent[-1] == Stop()
        assert pilot.app.is_running
        screen.post_message(Reported(Ended("stopped")))
        await until(pilot, lambda: not pilot.app.is_running, "the end of the app")

    in_app(LiveScreen(Told(TrainJob(TINY, tmp_path)), "tiny"), check)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_wall_that_is_ended_from_outside_leaves_nothing_behind(number, monkeypatch):
    """No worker and no log of one. SIGHUP comes when the terminal is closed, and then ends the process as ever."""
    raised, screen = [], LiveScreen(Session(watch_job()), "greedy")
    log = screen.session.log
    monkeypatch.setattr(signal, "raise_signal", lambda number: raised.append((number, log.exists())))

    async def check(pilot, screen):
        await until(pilot, lambda: screen.picture is not None, "a picture")
        os.kill(os.getpid(), number)
        await until(pilot, lambda: not pilot.app.is_running, "the end of the app")

    in_app(screen, check)
    assert raised == [(signal.SIGHUP, False)] * (number == signal.SIGHUP)
    assert screen.session.process.poll() == 0 and not log.exists()


def test_a_run_that_is_ended_from_outside_is_saved(tmp_path):
    async def check(pilot, screen):
        os.kill(os.getpid(), signal.SIGTERM)
        await until(pilot, lambda: Stop() in screen.session.sent, "the request")
        assert screen.state[0] == "saving ..."
        screen.post_message(Reported(Ended("stopped")))
        await until(pilot, lambda: not pilot.app.is_running, "the end")

    in_app(LiveScreen(Told(TrainJob(TINY, tmp_path / "run")), "tiny"), check)


def test_logs_of_players_whose_app_was_killed_are_swept(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = {f"watch-{gone.pid}-{n}.log": text for n, text in enumerate(["", "it broke"])}
    for name, text in {**names, f"watch-{os.getpid()}-9.log": "", "watch-me-1.log": ""}.items():
        (tmp_path / name).write_text(text)
    sweep(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {f"watch-{gone.pid}-1.log", f"watch-{os.getpid()}-9.log", "watch-me-1.log"}


def test_a_run_that_ends_is_not_left_to_go_on(tmp_path):
    async def check(pilot, screen):
        await pilot.press("q")
        await pilot.press("d")
        sent = [type(command) for command in screen.session.sent]
        assert pilot.app.is_running and Stop in sent and Detach not in sent
        assert any("the run ends" in note.text for _, note in screen.events.notes)

    in_app(LiveScreen(Told(TrainJob(TINY, tmp_path / "run")), "tiny"), check)
