"""The menu, the command line, and what the app costs."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from textual.screen import Screen

from mlx_drmario.cli import main
from mlx_drmario.cli import tui as command
from mlx_drmario.cli.errors import WrongUse
from mlx_drmario.files import locked
from mlx_drmario.rl.clone.config import CloneRunConfig
from mlx_drmario.rl.ppo.config import PRESETS
from mlx_drmario.rl.qrdqn.config import QRDQNRunConfig
from mlx_drmario.settings import to_json
from mlx_drmario.tui.address import announce
from mlx_drmario.tui.bench import repaint
from mlx_drmario.tui.screens.home import Entry, HomeScreen, demo_position, newest_runs
from mlx_drmario.tui.screens.live import LiveScreen
from mlx_drmario.tui.screens.play import DuelScreen, PlayScreen
from mlx_drmario.tui.widgets.keys import shown_keys
from mlx_drmario.tui.widgets.title import Title

from ..conftest import ROOT
from .app import in_app, toasts_of, until
from .test_training import TINY


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A place with two runs, one of which trains."""
    monkeypatch.chdir(tmp_path)
    for index, name in enumerate(("old", "busy")):
        run = tmp_path / "runs" / name
        run.mkdir(parents=True)
        (run / "config.json").write_text(to_json(TINY))
        os.utime(run, (1000 + index, 1000 + index))
    (tmp_path / "runs" / "no-run").mkdir()
    with locked(tmp_path / "runs" / "busy"):
        announce(tmp_path / "runs" / "busy", "nowhere")
        os.utime(tmp_path / "runs" / "busy", (1001, 1001))
        yield tmp_path / "runs"


def test_the_menu_knows_the_runs(runs):
    assert [run.name for run in newest_runs(runs)] == ["busy", "old"]
    lines = [(entry.group, entry.name, entry.words) for entry in command.entries(False)]
    assert ("train", "level0", "a new run") in lines and ("runs", "busy", "attach: it trains now") in lines
    assert ("runs", "old", "go on training") in lines and ("runs", "old", "watch it play") in lines


def test_the_menu_opens_screens_and_says_what_cannot_be_opened(runs):
    entries = command.entries(False)

    async def check(pilot, screen):
        index = next(i for i, entry in enumerate(entries) if entry.name == "busy")
        screen.menu.highlighted = screen.menu.get_option_index(str(index))
        await pilot.press("enter")
        await until(pilot, lambda: any("nobody answers" in n.message for n in pilot.app._notifications))
        assert pilot.app.screen is screen
        await pilot.press("end", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, DuelScreen))
        await pilot.press("q")
        await until(pilot, lambda: not pilot.app.is_running)

    in_app(HomeScreen(lambda: entries, demo_position()), check)


@pytest.mark.parametrize("path", ["runs/[old]/x", "runs/a[/b]"])
def test_square_brackets_of_a_path_are_words(path):
    def refuse():
        raise ValueError(f"{path} holds no run")

    async def check(pilot, screen):
        await pilot.press("enter")
        await until(pilot, lambda: toasts_of(pilot.app) == [f"{path} holds no run"])

    in_app(HomeScreen(lambda: [Entry("runs", "a run", "watch it play", refuse)], demo_position()), check, toasts=True)


@pytest.mark.parametrize("facts", ["", "level 0", "薬 " * 40])
def test_the_state_is_to_be_seen_beside_letters_of_two_columns(facts):
    class Titled(Screen):
        def compose(self):
            yield Title("薬を飲む先生の実験")

    async def check(pilot, screen):
        screen.query_one(Title).show(facts, "▶ 学習中 1x")
        await pilot.pause()
        first = next(iter(screen._compositor.render_strips()))
        assert first.text.startswith(" 薬を飲む先生の実験 " + facts[:20]) and first.text.endswith(" ▶ 学習中 1x  ")

    in_app(Titled(), check)


@pytest.mark.parametrize("name", ["best", "memory", "greedy"])
def test_the_players_of_the_menu_play(runs, name):
    entry = next(entry for entry in command.entries(False) if (entry.group, entry.name) == ("watch", name))

    async def check(pilot, screen):
        await until(pilot, lambda: screen.picture is not None and screen.picture.position.frames > 50)

    in_app(entry.open(), check)


@pytest.mark.parametrize("port", [["--port", "8001"], ["--port=8001"]])
def test_options_of_the_app_may_stand_anywhere(port):
    for args in (["train", "level0", "--serve", *port], ["--serve", *port, "train", "level0"], ["--serve", *port]):
        config = command.parse(args)
        assert config.serve and config.port == 8001
        assert config.arguments == [word for word in args if word in ("train", "level0")]


def test_the_command_line_opens_the_right_screen(runs):
    def opened(*args):
        return command.open_screen(command.parse(list(args)))

    assert isinstance(opened(), HomeScreen)
    screen = opened("train", "level0", "--env.num-envs", "64", "--detach")
    job = screen.session.job
    assert isinstance(screen, LiveScreen) and job.config.env.num_envs == 64 and job.detach and not job.resume
    job = opened("resume", str(runs / "old"), "--decisions", "77").session.job
    assert job.resume and job.run == runs / "old" and job.config.decisions == 77 and not job.detach
    job = opened("train", "clone", "--clone.teacher", "2ply").session.job
    assert job.config.clone.teacher == "2ply" and job.run.name.startswith("clone-") and job.capture is None
    with pytest.raises(ValueError, match="evaluator is nothing that the app can train"):
        opened("train", "evaluator")
    with pytest.raises(FileNotFoundError, match="does not train now"):
        opened("attach", str(runs / "old"))
    with pytest.raises(FileNotFoundError, match=f"run is {runs / 'nope'}, which is no directory"):
        opened("attach", str(runs / "nope"))
    with pytest.raises(FileNotFoundError, match="holds no run"):
        opened("resume", str(runs / "no-run"))
    with pytest.raises(SystemExit, match="2"):
        opened("attach")
    for what in (("train", "clone"), ("resume", str(runs / "old"))):
        with pytest.raises(WrongUse, match=f"--dry-run must not be given here; `drmario train .*{what[1]} --dry-run`"):
            opened(*what, "--dry-run")
    assert isinstance(command.playing(1), PlayScreen)


def test_every_run_of_the_app_keeps_its_games_where_it_is_told(runs):
    (runs / "a-file").touch()
    for args in (["train", "level0"], ["train", "clone"], ["resume", str(runs / "old")]):
        screen = command.open_screen(command.parse([*args, "--capture", str(runs / "kept")]))
        assert screen.session.job.capture == runs / "kept" and (runs / "kept").is_dir()
        before = set(runs.iterdir())
        with pytest.raises(OSError, match=f"^--capture is {runs / 'a-file'}; it must be a directory"):
            command.open_screen(command.parse([*args, "--capture", str(runs / "a-file")]))
        assert set(runs.iterdir()) == before


def test_runs_that_the_app_cannot_train_are_not_offered_for_that(runs, capsys):
    run = runs / "old"
    (run / "config.json").write_text(to_json(QRDQNRunConfig()))
    assert [entry.words for entry in command.entries(False) if entry.name == "old"] == ["watch it play"]
    assert main(["tui", "resume", str(run)]) == 1
    words = f"{run} is no run that the app can train; `drmario train resume {run}` goes on with it"
    assert words in capsys.readouterr().err
    (run / "config.json").write_text(to_json(CloneRunConfig()))
    assert next(entry.words for entry in command.entries(False) if entry.name == "old") == "go on training"
    job = command.training(["resume", str(run), "--decisions", "77"]).session.job
    assert job.resume and job.config == dataclasses.replace(CloneRunConfig(), decisions=77)
    assert main(["tui", "resume", str(run), "--env.level", "3"]) == 2
    assert f"--env.level must not be given for {run}" in capsys.readouterr().err
    (run / "config.json").write_text("{")  # damaged: opening it says so
    assert next(entry.words for entry in command.entries(False) if entry.name == "old") == "go on training"


@pytest.mark.parametrize("name", ["greedy", "alone", "two players"])
def test_escape_leads_back_to_the_menu_and_q_out_of_the_app(name):
    asked = []

    def entries():
        asked.append(name)
        return [Entry("other", "first", "", Screen), *(e for e in command.entries(False) if e.name == name)]

    async def check(pilot, home):
        for key in ("escape", "q"):
            await pilot.press("down") if key == "escape" else None
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, LiveScreen | PlayScreen), "the screen")
            screen = pilot.app.screen
            assert ("esc", "menu") in shown_keys(screen)
            await pilot.press("question_mark", "escape")  # which closes the help alone
            assert pilot.app.screen is screen
            await pilot.press(key)
            if key == "escape":
                await until(pilot, lambda: pilot.app.screen is home, "the menu")
                assert home.menu.highlighted == 3 and len(asked) == 2  # where it was, with what there is now
        await until(pilot, lambda: not pilot.app.is_running, "the end")

    in_app(HomeScreen(entries, demo_position()), check)


def test_a_run_that_trains_elsewhere_is_only_watched(runs):
    """`drmario train` in another terminal holds the lock, and no app can attach there."""
    with locked(runs / "old"):
        assert [entry.words for entry in command.entries(False) if entry.name == "old"] == ["watch it play"]
        with pytest.raises(ValueError, match=rf"old is in use by another process \({os.getpid()}\): stop that one"):
            command.training(["resume", str(runs / "old")])


def test_a_run_whose_budget_is_spent_says_so_before_a_screen_opens(runs):
    run = runs / "old"
    row = {"step": TINY.decisions, "time/seconds": 1.0}
    (run / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(ValueError, match=f"nothing to do: the budget of {TINY.decisions:,} decisions is spent"):
        command.training(["resume", str(run)])
    assert command.training(["resume", str(run), "--decisions", str(2 * TINY.decisions)]).session.job.resume


def test_the_menu_plays_another_game_each_time():
    assert len({next(command.playing(1)._seeds) for _ in range(5)}) > 1


def test_the_last_level_of_a_run_is_watched(runs):
    (runs / "old" / "config.json").write_text(to_json(PRESETS["demo"]))
    watch = next(e for e in command.entries(False) if (e.name, e.words) == ("old", "watch it play"))
    assert watch.open.args[1:] == (20, 16)


def test_help_offers_what_the_app_does(capsys):
    def helped(*args):
        with pytest.raises(SystemExit) as ended:
            main(["tui", *args])
        assert ended.value.code == 0
        return capsys.readouterr().out

    for option in ("-h", "--help"):
        words = helped("train", option)
        assert all(f"  {name} " in words for name in (*PRESETS, "clone"))
        assert not any(name in words for name in ("evaluator", "qrdqn"))
        assert "--game" in helped("trace", option) and "counted from 1" in helped("trace", "some.h5", option)
    assert "--net.width" in helped("train", "level0", "--help")
    assert "--serve" in helped("--help") and "--serve" in helped("attach", "--help")


def test_without_a_terminal_or_a_package_it_says_so(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for args in ([], ["train", "level0", "--capture", "kept"]):
        assert main(["tui", *args]) == 2
        assert "terminal" in capsys.readouterr().err and not list(tmp_path.iterdir())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["tui", "--serve"]) == 1
    assert "pip install 'mlx-drmario[serve]'" in capsys.readouterr().err


def test_a_picture_costs_only_what_changed():
    """A second of one core paints many pictures; each sends a small part of a full screen."""
    rate, characters = repaint(games=16, size=(80, 24), pictures=30)
    assert rate > 0 and 100 < characters < 80 * 24 * 8
    rate, fewer = repaint(games=1, size=(80, 24), pictures=40)  # of which some change nothing
    assert rate > 0 and fewer < characters


def test_ctrl_c_ends_the_measurement_of_the_wall(monkeypatch):
    pressed = []

    def press(driver, data):
        if not pressed:
            pressed.append(data)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("mlx_drmario.tui.bench._Sink.write", press)
    with pytest.raises(KeyboardInterrupt):
        repaint(games=1, size=(80, 24), pictures=3)


def test_the_terminal_is_restored_when_the_app_crashes(tmp_path):
    """In a real pseudo-terminal: an error in the app, and the alternate screen, the cursor and the keys are back."""
    code = """
from mlx_drmario.tui.app import DrMarioApp
from mlx_drmario.tui.screens.play import PlayScreen
from itertools import cycle
class Broken(PlayScreen):
    def action_pause(self):
        raise RuntimeError("this screen is made of glass")
DrMarioApp(Broken(0, 0, cycle([2]))).run()
"""
    output = in_terminal(code, keys=b" ")
    assert b"this screen is made of glass" in output
    assert output.rindex(b"\x1b[?1049l") > output.rindex(b"\x1b[?1049h")
    assert output.rindex(b"\x1b[?25h") > output.rindex(b"\x1b[?25l")
    assert b"\x1b[>27u" in output and flags_left(output) == {"main": 0, "other": 0}


def test_the_terminal_keeps_no_flag_of_an_app_that_was_quit():
    code = """
from mlx_drmario.tui.app import DrMarioApp
from mlx_drmario.tui.screens.play import PlayScreen
from itertools import cycle
DrMarioApp(PlayScreen(0, 0, cycle([2]))).run()
"""
    output = in_terminal(code, keys=b"q")
    assert b"\x1b[>27u" in output and flags_left(output) == {"main": 0, "other": 0}


def flags_left(output):
    """How many keyboard flags are left on the stacks of a terminal's two screens (kitty's keyboard protocol)."""
    stacks, screen = {"main": 0, "other": 0}, "main"
    for found in re.finditer(rb"\x1b\[(\?1049[hl]|>\d*u|<\d*u)", output):
        what = found[1]
        if what.startswith(b"?"):
            screen = "other" if what.endswith(b"h") else "main"
        else:
            stacks[screen] += 1 if what.startswith(b">") else -1
    return stacks


def test_key_releases_reach_the_game_through_a_real_terminal():
    code = """
from mlx_drmario.tui.app import DrMarioApp
from mlx_drmario.tui.screens.play import PlayScreen
from itertools import cycle
class Told(PlayScreen):
    def on_key_released(self, message):
        super().on_key_released(message)
        self.app.exit(message=f"released {message.key}, exact {self.pads[0].exact}")
app = DrMarioApp(Told(0, 0, cycle([2])))
app.run()
print(app._exit_renderables)
"""
    assert b"released left, exact True" in in_terminal(code, keys=b"\x1b[1;1:1D\x1b[1;1:3D")


def in_terminal(code, keys):
    """What a program writes to a terminal of its own that sends these keys once the program has asked for releases."""
    import pty

    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=follower, stdout=follower, stderr=follower, cwd=ROOT, env=environment
    )
    os.close(follower)
    output, sent, end = b"", False, time.monotonic() + 60
    while time.monotonic() < end:
        try:
            data = os.read(leader, 65536)
        except OSError:  # the program has gone, and nobody holds the terminal
            break
        if not data:
            break
        output += data
        if not sent and b"\x1b[>27u" in output:
            os.write(leader, keys)
            sent = True
    os.close(leader)
    try:
        process.wait(10)
    finally:
        process.kill()  # one that does not end by itself would go on for ever
    return output


@pytest.mark.parametrize("size", [(80, 24), (23, 6), (20, 24), (20, 6), (8, 3)])
def test_a_page_of_nothing(size):
    """There may be no room for an entry."""

    async def check(pilot, screen):
        await pilot.press("pagedown", "pageup", "pagedown")
        assert pilot.app.screen is screen and pilot.app.is_running

    in_app(
        HomeScreen(lambda: [Entry("a", "one", "", Screen), Entry("a", "two", "", Screen)], demo_position()), check, size
    )


def test_what_is_chosen_twice_at_once_is_opened_once():
    """Keys wait while the app is busy, and come all together then."""

    async def check(pilot, screen):
        for _ in range(3):
            screen.menu.action_select()
        await until(pilot, lambda: len(pilot.app.screen_stack) > 2)
        await pilot.pause()
        assert len(pilot.app.screen_stack) == 3

    in_app(HomeScreen(lambda: [Entry("a", "one", "", Screen)], demo_position()), check, (80, 24))


def test_without_a_keyboard_it_says_so(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    monkeypatch.setattr("mlx_drmario.tui.app.DrMarioApp.run", lambda self: pytest.fail("an app was shown"))
    for name in ("tui", "play", "watch"):
        assert main([name]) == 2
        sentence = "takes its keys from a terminal; its input is not one"
        assert capsys.readouterr().err == f"drmario {name} {sentence}\n"
