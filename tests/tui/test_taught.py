"""A run that learns from search under the app, and what a worker warns of."""

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.rl.clone.config import CloneConfig, CloneRunConfig
from mlx_drmario.rl.config import EnvConfig
from mlx_drmario.tui.protocol import Evaluate, Games, Level, Note, Progress, Rates, Restart, TrainJob
from mlx_drmario.tui.screens.live import LiveScreen
from mlx_drmario.tui.screens.travel import TravelScreen
from mlx_drmario.tui.session import Session, settings_of

from ..rl.test_compiler import refusing
from .app import PATIENCE, in_app, until
from .test_training import Ear, checkpoints, job, notes


def test_a_run_that_learns_from_search_is_trained_too(tmp_path):
    """The same wall, curves of its own, saved and gone on with; what it cannot do it says."""
    run = tmp_path / "run"
    tiny = CloneRunConfig(
        name="taught",
        decisions=10_000_000,
        compile=False,
        env=EnvConfig(level=1, last_level=2, num_envs=8, max_decisions=32),
        net=NetConfig(head="features", width=4, depth=1, summary=16, hidden=8),
        clone=CloneConfig(teacher="1ply", horizon=4, retries=0, minibatch=16, epochs=20),
    )

    async def check(pilot, screen):
        await until(pilot, lambda: screen.picture is not None and screen.progress is not None, "the first iteration")
        assert screen.progress.stage == "level 1 to 2 HI" and screen.picture.boards.count == 8
        assert screen.picture.choice.candidates and screen.picture.choice.value is not None
        await until(pilot, lambda: screen.side._points["stats/agreement"] and screen.side._points["episode/clear_rate"])
        offered = {binding.binding.action for binding in screen.active_bindings.values()}
        assert "checkpoint" in offered and not offered & {"evaluate", "level(1)", "restart", "games(1)"}
        for command in (Evaluate(), Level(2), Restart(), Games(16)):  # of an app that does not know
            screen.send(command)
        words = "a run that learns from search is not evaluated while it trains, and keeps its games"
        await until(pilot, lambda: notes(screen).count(words) == 4, "four refusals")
        assert screen.games == 8
        await until(pilot, lambda: "learning ..." in screen.title_bar.words, "the part of an iteration without games")
        await pilot.press("c")
        await until(pilot, lambda: any(text.startswith("saved step_") for text in notes(screen)), "a checkpoint")
        await pilot.press("p")
        await until(pilot, lambda: screen.picture.paused, "the pause")
        await pilot.press("s")
        await until(pilot, lambda: isinstance(pilot.app.screen, TravelScreen), "time travel")
        await pilot.press("escape", "q")
        await until(pilot, lambda: not pilot.app.is_running, "the end")
        await until(pilot, lambda: screen.session.process.poll() == 0)

    in_app(LiveScreen(Session(TrainJob(tiny, run)), "taught"), check, (160, 50))
    saved = checkpoints(run)
    ear = Ear(Session(TrainJob(settings_of(run), run, resume=True)))
    assert ear.next(Progress).decisions == int(saved[-1].removeprefix("step_")) + 32
    assert ear.next(Rates).speedup is None
    while not ear.picture().learning:
        pass
    ear.session.close()
    ear.session.process.wait(PATIENCE)


def test_what_the_worker_warns_of_is_told(tmp_path, monkeypatch):
    for name, value in refusing(tmp_path).items():
        monkeypatch.setenv(name, value)
    ear = Ear(Session(job(tmp_path / "run", compile=True)))
    ear.next(Note, lambda note: note.kind == "warning" and "mx.compile is not possible" in note.text)
    assert ear.next(Progress).decisions > 0
    ear.session.close()
    ear.session.process.wait(PATIENCE)
