"""A real run in a real process under the app: keys, crashes, leaving and coming back."""

import dataclasses
import json
import subprocess
import sys
import time
from multiprocessing import Pipe
from queue import Empty, Queue

import pytest

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.rl.config import BestConfig, EnvConfig
from mlx_drmario.rl.ppo.config import PPOConfig, PPORunConfig
from mlx_drmario.traces import replay, storage
from mlx_drmario.tui import protocol
from mlx_drmario.tui.choices import decide
from mlx_drmario.tui.protocol import Ended, Line, More, Pace, Pause, Picture, Progress, Rates, TakeLine, TrainJob
from mlx_drmario.tui.screens.live import LiveScreen
from mlx_drmario.tui.screens.travel import TravelScreen
from mlx_drmario.tui.session import Died, Session, attach
from tests.training import on_cpu

from ..conftest import ROOT
from .app import PATIENCE, in_app, keep_progress, until

TINY = PPORunConfig(
    name="tiny",
    decisions=10_000_000,
    checkpoint_every=1_000_000,
    compile=False,
    env=EnvConfig(level=1, num_envs=8, max_decisions=32),
    net=NetConfig(encoder="axial", head="shift_score", width=4, summary=16),
    ppo=PPOConfig(horizon=4, minibatch=16, epochs=1),
    best=BestConfig(games=0),
)
ODD = PPOConfig(horizon=4, minibatch=7, epochs=1)


def job(run, **settings):
    return TrainJob(dataclasses.replace(TINY, **settings), run)


def training(check, run, view="grid", **settings):
    async def ready(pilot, screen):
        await until(pilot, lambda: screen.picture is not None and screen.progress is not None, "the first iteration")
        await check(pilot, screen)

    in_app(LiveScreen(Session(job(run, **settings)), "tiny", view=view), ready, (160, 50))


def notes(screen):
    return [note.text for _, note in reversed(screen.events.notes)]


def checkpoints(run):
    return sorted(path.name for path in (run / "checkpoints").glob("step_*"))


class Ear:
    """A session without an app: reports in a queue."""

    def __init__(self, session):
        self.queue = Queue()
        self.session = session
        session.start(self.queue.put)

    def next(self, kind, where=lambda report: True):
        """The next report of this kind."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                report = self.queue.get(timeout=1)
            except Empty:
                continue
            if isinstance(report, kind) and where(report):
                return report
            assert not isinstance(report, Died), report
        pytest.fail(f"no {kind} came")

    def picture(self):
        self.session.send(More())
        return self.next(Picture)


@pytest.fixture
def ear(tmp_path):
    opened = Ear(Session(job(tmp_path / "run")))
    yield opened
    opened.session.close()
    opened.session.process.wait(PATIENCE)


@on_cpu
def test_games_are_kept_for_later(tmp_path):
    """`drmario tui train --capture`: what was played before the run stopped is in files that replay."""
    ear = Ear(Session(dataclasses.replace(job(tmp_path / "run"), capture=tmp_path / "kept")))
    seen = ear.next(Progress, lambda report: report.decisions >= 96)
    ear.session.close()
    ear.session.process.wait(PATIENCE)
    paths = sorted((tmp_path / "kept").iterdir())
    assert [path.suffix for path in paths] == [".h5", ".h5"]  # a file per shard
    parts = [storage.read(path) for path in paths]
    assert sum(part.rows for part in parts) >= seen.decisions and all(replay.verify(part) == [] for part in parts)
    assert parts[0].sources[0]["config"]["name"] == "tiny"


def test_pictures_show_the_games_and_what_the_policy_thought(ear):
    picture = ear.picture()
    assert picture.boards.count == 8 and set(picture.boards.level.tolist()) == {1}
    choice = picture.choice
    probabilities = [candidate.probability for candidate in choice.candidates]
    assert probabilities == sorted(probabilities, reverse=True) or choice.action == choice.candidates[-1].action
    assert 0 < sum(probabilities) <= 1 + 1e-5 and choice.value is not None and choice.legal >= len(probabilities)
    assert choice.action in [candidate.action for candidate in choice.candidates]
    position = picture.position
    assert position.falling and (position.cells[3:5] != 0xFF).all() and position.level == 1
    ear.session.send(protocol.Look(6))  # a game of the other shard
    end = time.monotonic() + PATIENCE
    while (picture := ear.picture()).game != 6 or picture.position.decisions < 3:
        assert time.monotonic() < end
    assert picture.earned["decision"] == 0 and picture.earned["total"] == pytest.approx(
        sum(value for name, value in picture.earned.items() if name != "total"), abs=1e-4
    )


def test_a_paused_run_stands_still_takes_single_decisions_and_still_answers(ear):
    ear.next(Progress)
    ear.session.send(Pause(True))
    end = time.monotonic() + PATIENCE
    while not (picture := ear.picture()).paused:
        assert time.monotonic() < end
    before = ear.picture()
    assert (ear.picture().boards.cells == before.boards.cells).all()
    ear.session.send(protocol.Step("decision"))
    while (picture := ear.picture()).position.decisions == before.position.decisions:
        assert time.monotonic() < end
    while not ((after := ear.picture()).boards.cells == picture.boards.cells).all():  # the other shard follows
        assert time.monotonic() < end
        picture = after
    assert after.position.decisions in (before.position.decisions + 1, 0)  # 0: its game had ended
    assert after.paused
    ear.session.send(protocol.Look(5))
    while ear.picture().game != 5:
        assert time.monotonic() < end
    ear.session.send(Pause(False))
    ear.next(Progress)


def test_time_travel_goes_back_to_the_first_decision(ear):
    ear.next(Progress)
    ear.next(Progress)
    ear.session.send(TakeLine(7))
    line = ear.next(Line)
    assert len(line.states) == len(line.choices) == len(line.frames) >= 1
    assert line.frames[0] == 0 and (line.frames[1:] > line.frames[:-1]).all()
    for state, after, choice in zip(line.states[:-1], line.states[1:], line.choices, strict=False):
        played = decide(state[None], choice.action, 0, 0)
        assert (played.states[1]["p1_bottle"] == after["p1_bottle"]).all()


def test_rates_are_measured(ear):
    rates = ear.next(Rates)
    assert rates.games == 8 and rates.decisions > 0 and rates.frames > rates.decisions and rates.speedup > 0
    assert 0 < rates.environment < 1 and 0 < rates.policy < 1 and 0 < rates.update < 1
    assert rates.environment + rates.policy + rates.update == pytest.approx(1, abs=0.01)


def test_a_slow_pace_slows_the_run_down(ear):
    ear.next(Progress)
    ear.session.send(Pace(0.25))
    end = time.monotonic() + PATIENCE
    while ear.picture().pace != 0.25:
        assert time.monotonic() < end
    ear.session.send(Pace(protocol.FASTEST))
    ear.next(Progress)


def test_an_app_that_does_not_read_never_stops_the_run(tmp_path):
    """Nobody asks for a picture, nobody reads: progress is made all the same."""
    run = tmp_path / "run"
    ours, theirs = Pipe()
    command = [sys.executable, "-m", "mlx_drmario.tui.worker", str(theirs.fileno())]
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(command, pass_fds=(theirs.fileno(),), stdout=log, stderr=log, cwd=ROOT)
    theirs.close()
    ours.send(job(run, decisions=32 * 300, keep=1))
    for _ in range(50):
        ours.send(More())
    assert process.wait(4 * PATIENCE) == 0, (tmp_path / "log").read_text()
    assert [int(name.removeprefix("step_")) for name in checkpoints(run)] == [32 * 300]


def test_keys_of_a_run(tmp_path):
    run = tmp_path / "run"

    async def check(pilot, screen):
        assert screen.progress.stage == "level 1 HI"
        await pilot.press("c")
        await until(pilot, lambda: any(text.startswith("saved step_") for text in notes(screen)), "a checkpoint")
        await pilot.press("e")
        await until(pilot, lambda: "best.games is 0, so this run is not evaluated" in notes(screen))
        await pilot.press("3")
        await until(pilot, lambda: screen.picture.game == 2)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: screen.games == 16 and screen.picture.boards.count == 16, "16 games")
        assert screen.picture.game == 2  # the game in focus stays that
        before = screen.progress.decisions
        assert before > 0  # the run goes on where it was
        await pilot.press("l")
        await until(pilot, lambda: screen.picture.position.level == 2, "level 2")
        await until(pilot, lambda: screen.progress.stage == "level 2 HI" and screen.progress.decisions > before)
        await until(pilot, lambda: screen.progress.games >= 16, "games that ended")
        before, since = screen.progress.decisions, keep_progress(screen)
        await pilot.press("r")
        await until(pilot, lambda: any("all games anew" in text for text in notes(screen)))
        await until(pilot, lambda: any(progress.games < 16 for progress in since), "other games")
        assert screen.progress.decisions > before  # learned weights and counters stay
        await pilot.press("0")
        await until(pilot, lambda: len(screen.summary.curves._points["loss/entropy"]) > 3)
        await until(pilot, lambda: "level 2 HI" in str(screen.summary.facts.render()))
        await pilot.press("left_square_bracket", "left_square_bracket", "left_square_bracket", "left_square_bracket")
        await until(pilot, lambda: any("must" in text for text in notes(screen)) or screen.games < 4)
        await pilot.press("q")
        await until(pilot, lambda: not pilot.app.is_running, "the end")
        await until(pilot, lambda: screen.session.process.poll() == 0)

    training(check, run)
    assert checkpoints(run)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [row["step"] for row in rows]
    assert steps == sorted(steps) and len(set(steps)) == len(steps)
    assert not (run / protocol.SESSION_FILE).exists()


def test_d_leaves_a_run_that_stands_still_or_takes_single_decisions(tmp_path):
    run = tmp_path / "run"

    async def check(pilot, screen):
        await pilot.press("p")
        await until(pilot, lambda: screen.picture.paused)
        for key in ("n", "f"):  # a run knows decisions only
            made = screen.picture.position.decisions
            await pilot.press(key)
            await until(pilot, lambda made=made: screen.picture.position.decisions != made, key)
            assert screen.picture.paused
        await pilot.press("space")
        before = screen.progress.decisions
        await until(pilot, lambda: screen.progress.decisions > before)
        await pilot.press("d")
        await until(pilot, lambda: not pilot.app.is_running)
        assert screen.session.process.poll() is None
        again = Ear(attach(run))
        again.next(Progress, lambda progress: progress.decisions > before)
        again.session.send(protocol.Stop())
        again.next(Ended)

    training(check, run)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda file: file.write_text("{"), "{run}/config.json is not of this version or damaged"),
        (lambda file: file.unlink(), "{run} holds no run (no config.json)"),
    ],
)
def test_an_edited_config_that_is_none_is_reported(tmp_path, change, words):
    run = tmp_path / "run"

    async def check(pilot, screen):
        change(run / "config.json")
        await pilot.press("r")
        await until(pilot, lambda: any(words.format(run=run) in text for text in notes(screen)), "a complaint")
        before = screen.progress.decisions
        await until(pilot, lambda: screen.progress.decisions > before)

    training(check, run)


def test_a_run_of_one_shard_is_shown_too(tmp_path):
    """Odd numbers are not divided, and on a GPU nothing is."""
    opened = Ear(Session(job(tmp_path / "run", env=dataclasses.replace(TINY.env, num_envs=7), ppo=ODD)))
    try:
        assert opened.picture().boards.count == 7
    finally:
        opened.session.close()
        opened.session.process.wait(PATIENCE)


def test_evaluate_now_compares_with_the_best(tmp_path):
    async def check(pilot, screen):
        await pilot.press("e")
        await until(
            pilot, lambda: any("is the first best checkpoint" in text for text in notes(screen)), "an evaluation"
        )

    training(check, tmp_path / "run", best=BestConfig(games=64, every=1000))


def test_a_branch_of_a_run_is_played_on_by_another_process(tmp_path):
    async def check(pilot, screen):
        await pilot.press("s")
        await until(pilot, lambda: isinstance(pilot.app.screen, TravelScreen), "time travel")
        travel = pilot.app.screen
        await pilot.press("home", "down", "b", "question_mark")  # help lies over it when the answer comes
        assert travel.branch is not None
        await until(pilot, lambda: len(travel.branch.states) > 2, "the branch")
        assert pilot.app.screen is not travel
        await pilot.press("escape", "escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        adviser = screen._advice
        await pilot.press("c")
        await until(pilot, lambda: any(text.startswith("saved step_") for text in notes(screen)), "a checkpoint")
        await pilot.press("s")
        await until(pilot, lambda: isinstance(pilot.app.screen, TravelScreen), "time travel")
        await pilot.press("home", "b")
        assert screen._advice is not adviser  # which played by the rules of thumb that there are before a checkpoint
        await until(pilot, lambda: len(pilot.app.screen.branch.states) > 2, "the branch by the checkpoint")

    training(check, tmp_path / "run")


def test_a_detached_trainer_goes_on_and_can_be_attached_again(tmp_path):
    run = tmp_path / "run"
    first = Ear(Session(job(run)))
    before = first.next(Progress)
    first.session.send(protocol.Detach())
    first.session.close()
    again = Ear(attach(run))
    try:
        ready = again.next(protocol.Ready)
        assert (ready.name, ready.games) == ("tiny", 8)
        assert "loss/entropy" in again.next(protocol.History).points[0][1]
        assert again.next(Progress, lambda progress: progress.decisions > before.decisions)
        assert again.picture().boards.count == 8
        third = Ear(attach(run))  # another app takes over
        again.session.over.wait(PATIENCE)
        assert third.picture().boards.count == 8
        third.session.send(protocol.Stop())
        assert "stopped at" in third.next(Ended).text
    except BaseException:
        first.session.process.terminate()  # else it would go on for ever
        raise
    finally:
        first.session.process.wait(PATIENCE)
    with pytest.raises(FileNotFoundError, match="does not train now"):
        attach(run)


def test_attaching_where_nobody_answers(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / protocol.SESSION_FILE).write_text(json.dumps({"pid": 1, "address": str(tmp_path / "none")}))
    with pytest.raises(ValueError, match="nobody answers"):
        attach(tmp_path)


def test_a_finished_run_says_so(tmp_path):
    async def check(pilot, screen):
        await until(pilot, lambda: "■ done" in screen.title_bar.words, "the end of the run")
        assert any(text.startswith("finished; saved") for text in notes(screen))
        await pilot.press("d")
        assert any("nobody trains here any more" in text for text in notes(screen)) and pilot.app.is_running
        await pilot.press("q")
        await until(pilot, lambda: not pilot.app.is_running)

    training(check, tmp_path / "run", decisions=32 * 100)
