"""A run and several apps: which one it talks to, who may start it, and what the others are told."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from multiprocessing import Pipe

import pytest

from mlx_drmario.cli import tui as command
from mlx_drmario.files import LOCK, locked
from mlx_drmario.settings import to_json
from mlx_drmario.tui import address, link, protocol
from mlx_drmario.tui.link import Link
from mlx_drmario.tui.protocol import SESSION_FILE, Ended, Note, Pause, Progress, TakenOver
from mlx_drmario.tui.session import Died, Session, attach

from ..conftest import ROOT
from .app import PATIENCE, until
from .test_training import TINY, Ear, checkpoints, job, notes, training


def test_a_second_trainer_leaves_what_the_first_one_says(tmp_path):
    run = tmp_path / "run"
    first = Ear(Session(job(run)))
    first.next(Progress)
    said = address.read(run)
    assert said.pid == first.session.process.pid and address.trains(run)
    with pytest.raises(ValueError, match=f"{run} trains now; `drmario tui attach {run}` shows it"):
        command.training(["resume", str(run)])
    second = Session(protocol.TrainJob(TINY, run, resume=True))
    died = []
    second.start(died.append)
    second.over.wait(PATIENCE)
    second.process.wait(PATIENCE)
    assert address.read(run) == said and address.trains(run)
    first.session.close()
    first.session.process.wait(PATIENCE)
    assert not (run / SESSION_FILE).exists() and not address.trains(run)
    (told,) = [report for report in died if isinstance(report, Died)]
    assert "in use by another process" in told.error


def test_the_app_that_was_attached_before_is_told(tmp_path):
    run = tmp_path / "run"

    async def check(pilot, screen):
        other = Ear(attach(run))
        await until(pilot, lambda: "■ taken over" in screen.title_bar.words, "the news")
        words = f"another app has taken over; drmario tui attach {run} takes the run back"
        assert pilot.app.screen is screen and notes(screen)[-1] == words
        await until(pilot, screen.session.over.is_set, "the end of the connection")
        await pilot.press("c")
        assert notes(screen)[-1] == words
        assert other.picture().boards.count == 8
        await pilot.press("q")
        await until(pilot, lambda: not pilot.app.is_running, "the end of the app")
        other.next(Progress)  # the run is the other's now
        other.session.send(protocol.Stop())
        other.next(Ended)

    training(check, run)
    assert checkpoints(run)


def test_a_job_is_sent_before_anybody_reads_it(monkeypatch):
    """Sockets of macOS hold 8 kB, and an app that waits for a process to start is one that hangs."""
    pair = link.Pipe

    def narrow():
        ends = pair()
        for connection in ends:
            with link.as_socket(connection) as end:
                for size in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                    end.setsockopt(socket.SOL_SOCKET, size, 4096)
        return ends

    monkeypatch.setattr(link, "Pipe", narrow)
    ours, theirs = link.roomy_pipe()
    job = list(range(20_000))  # 50 kB
    sending = threading.Thread(target=ours.send, args=(job,), daemon=True)
    sending.start()
    sending.join(PATIENCE)
    assert not sending.is_alive()
    assert theirs.recv() == job


def test_a_link_obeys_the_newest_app_alone():
    link = Link()
    (first, worker), (second, other) = Pipe(), Pipe()
    link.report(Note("to nobody"))
    link.connect(worker)
    link.report(Note("to the first"))
    assert first.poll(PATIENCE) and first.recv() == Note("to the first")
    link.connect(other)
    assert first.poll(PATIENCE) and first.recv() == TakenOver()
    assert first.poll(PATIENCE)
    with pytest.raises(EOFError):
        first.recv()
    second.send(Pause(True))
    assert link.command(PATIENCE) == Pause(True)
    link.report(Note("to the second"))
    assert second.poll(PATIENCE) and second.recv() == Note("to the second")


def test_a_worker_that_hangs_up_but_lives_is_not_waited_for(tmp_path, monkeypatch):
    """And of its log only what it wrote itself is quoted."""
    monkeypatch.setattr("mlx_drmario.tui.session._PATIENCE", 0.1)
    session = Session(job(tmp_path / "run"))
    session.log.write_text("RuntimeError: of long ago\n")
    deaf = "import os, sys, time; os.close(int(sys.argv[1])); time.sleep(1000)"
    start = subprocess.Popen
    monkeypatch.setattr(
        "mlx_drmario.tui.session.subprocess.Popen",
        lambda args, **settings: start([sys.executable, "-c", deaf, args[-1]], **settings),
    )
    told = []
    session.start(told.append)
    assert session.over.wait(PATIENCE)
    end = time.monotonic() + PATIENCE
    while not told and time.monotonic() < end:
        time.sleep(0.01)
    session.process.kill()
    session.process.wait()
    (died,) = told
    assert (died.status, died.error, died.tail) == (None, "nothing was written to its log", "")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run in runs/ that says of itself that this process trains it."""
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "runs" / "some"
    made.mkdir(parents=True)
    (made / "config.json").write_text(to_json(TINY))
    address.announce(made, "nowhere")
    return made


def offered(name):
    return [entry.words for entry in command.entries(False) if entry.name == name]


def test_a_run_trains_when_the_process_that_says_so_holds_its_lock(run):
    assert not address.trains(run)  # no lock at all
    with locked(run):
        assert address.trains(run) and offered("some") == ["attach: it trains now"]
    assert not address.trains(run)  # released, though the number is still there and the process lives
    assert offered("some") == ["go on training", "watch it play"]
    with locked(run):
        (run / LOCK).write_text("1\n")  # somebody else trains, without an app
        assert not address.trains(run)
        (run / LOCK).write_text("")  # somebody else has just come
        assert not address.trains(run)


@pytest.mark.parametrize("said", ["{", "[]", "3", "{}", '{"pid": "x", "address": ""}', '{"pid": 1}', b"\xff\xff"])
def test_a_damaged_session_file_says_nothing(run, said):
    (run / SESSION_FILE).write_bytes(said if isinstance(said, bytes) else said.encode())
    with locked(run):
        assert address.read(run) is None and offered("some") == ["watch it play"]  # somebody trains there
    with pytest.raises(FileNotFoundError, match="does not train now"):
        attach(run)


def test_a_process_of_another_user_is_no_reason_not_to_open_the_menu(run):
    (run / SESSION_FILE).write_text(json.dumps({"pid": 1, "address": "nowhere"}))
    assert not address.trains(run) and offered("some") == ["go on training", "watch it play"]


def test_looking_leaves_the_lock_alone(run):
    with locked(run):
        assert address.trains(run)
        code = "import sys, pathlib, mlx_drmario.files as f\nwith f.locked(pathlib.Path(sys.argv[1])): pass"
        other = subprocess.run([sys.executable, "-c", code, run], capture_output=True, text=True, check=False, cwd=ROOT)
        assert f"in use by another process ({os.getpid()})" in other.stderr
    with locked(run):
        address.withdraw(run)
    assert not (run / SESSION_FILE).exists()
