"""What is left when a trainer, or the app before it, dies; and what cannot begin."""

import dataclasses
import os
import signal
import tempfile
from pathlib import Path
from queue import Queue

from mlx_drmario.settings import to_json
from mlx_drmario.tui import protocol
from mlx_drmario.tui.link import hang_up
from mlx_drmario.tui.protocol import Progress, Ready
from mlx_drmario.tui.screens.crash import CrashScreen
from mlx_drmario.tui.screens.live import LiveScreen
from mlx_drmario.tui.session import Died, Session, attach, log_of

from .app import PATIENCE, broken, greedy, in_app, until, watch_job, words_of
from .test_training import TINY, Ear, checkpoints, job, notes, training


def test_a_killed_trainer_is_reported_and_resumed(tmp_path):
    run = tmp_path / "run"

    async def check(pilot, screen):
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: screen.games == 16 and screen.picture.boards.count == 16, "16 games")
        await pilot.press("c")
        await until(pilot, lambda: any(text.startswith("saved step_") for text in notes(screen)))
        saved = checkpoints(run)
        os.kill(screen.session.process.pid, signal.SIGKILL)
        await until(pilot, lambda: isinstance(pilot.app.screen, CrashScreen))
        await until(pilot, lambda: f"{run}.log" in words_of(pilot.app.screen))
        assert "resume from the newest checkpoint" in words_of(pilot.app.screen)
        await pilot.press("r")
        await until(pilot, lambda: pilot.app.screen is screen)
        screen.progress = None
        await until(pilot, lambda: screen.progress is not None, "progress of the resumed run")
        assert screen.progress.decisions > int(saved[0].removeprefix("step_"))
        assert screen.games == 16  # as when it died

    training(check, run)


def test_a_run_that_stood_in_the_way_is_left_alone(tmp_path):
    """Starting again is not going on with a run that another session made."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text(to_json(dataclasses.replace(TINY, seed=7)))
    before = (run / "config.json").read_text()

    async def check(pilot, screen):
        for _ in range(2):
            await until(pilot, lambda: isinstance(pilot.app.screen, CrashScreen))
            await until(pilot, lambda: "already holds a run" in words_of(pilot.app.screen))
            words = words_of(pilot.app.screen)
            assert "start again" in words and "newest" not in words
            await pilot.press("r")
            await until(pilot, lambda: pilot.app.screen is screen)
        assert (run / "config.json").read_text() == before

    in_app(LiveScreen(Session(job(run)), "tiny"), check)


def test_a_place_where_no_log_can_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    died = []
    session = Session(job(tmp_path / "file" / "run"))
    session.start(died.append)
    assert "the worker's log cannot be written" in died[0].error and session.over.is_set()
    assert log_of(job(Path("."))).name == f"{Path.cwd().name}.log"  # not in the directory, which must be empty


def test_every_player_has_a_log_of_its_own_which_goes_when_it_ends_well(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed, ended, failed = (Session(watch_job(load_policy=policy)) for policy in (greedy, greedy, broken))
    said = Queue()
    for session, kind in ((killed, Ready), (ended, Ready), (failed, Died)):
        session.start(said.put)
        while not isinstance(told := said.get(timeout=PATIENCE), kind):
            pass
    assert told.error == "RuntimeError: the policy is made of jelly"
    killed.process.kill()
    while not isinstance(told := said.get(timeout=PATIENCE), Died):
        pass
    assert told.error == "nothing was written to its log"
    for session in (killed, ended, failed):
        assert session.log.exists()
        session.close()
    assert [session.log.exists() for session in (killed, ended, failed)] == [True, False, True]


def test_a_temporary_directory_of_a_long_name_is_no_hindrance(tmp_path, monkeypatch):
    """The name of a socket has 103 characters at most."""
    place = tmp_path / ("long" * 30)
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    run = tmp_path / "run"
    ear = Ear(Session(job(run)))
    ear.next(Progress)
    other = Ear(attach(run))
    assert other.picture().boards.count == 8
    other.session.send(protocol.Stop())
    assert ear.session.process.wait(PATIENCE) == 0


def test_an_error_of_the_trainer_is_shown_with_its_log(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "notes.txt").write_text("not a run")

    async def check(pilot, screen):
        await until(pilot, lambda: isinstance(pilot.app.screen, CrashScreen))
        await until(pilot, lambda: f"{run}.log" in words_of(pilot.app.screen))
        assert "ValueError: out must be a new or empty directory" in words_of(pilot.app.screen)

    in_app(LiveScreen(Session(job(run)), "tiny"), check)


def test_when_the_app_dies_the_trainer_saves_and_ends(tmp_path):
    run = tmp_path / "run"
    ear = Ear(Session(job(run)))
    ear.next(Progress)
    connection, ear.session._connection = ear.session._connection, None
    hang_up(connection)  # what the system does when a process dies
    assert ear.session.process.wait(PATIENCE) == 0
    assert len(checkpoints(run)) == 1 and not (run / protocol.SESSION_FILE).exists()
