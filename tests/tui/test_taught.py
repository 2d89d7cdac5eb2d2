"""A run that learns from search under the app."""

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.rl.clone.config import CloneConfig, CloneRunConfig
from mlx_drmario.rl.config import EnvConfig
from mlx_drmario.tui.protocol import Progress, TrainJob
from mlx_drmario.tui.screens.live import LiveScreen
from mlx_drmario.tui.screens.travel import TravelScreen
from mlx_drmario.tui.session import Session, settings_of

from .app import PATIENCE, in_app, until
from .test_training import Ear, checkpoints, notes


def test_a_run_that_learns_from_search_is_trained_too(tmp_path):
    """The same wall, curves of its own, saved and gone on with; what it cannot do it says."""
    run = tmp_path / "run"
    tiny = CloneRunConfig(
        name="taught",
        decisions=10_000_000,
        compile=False,
        env=EnvConfig(level=1, last_level=2, num_envs=8, max_decisions=32),
        net=NetConfig(head="features", width=4, depth=1, summary=16, hidden=8),
        clone=CloneConfig(teacher="1ply", horizon=4, minibatch=16, epochs=1),
    )

    async def check(pilot, screen):
        await until(pilot, lambda: screen.picture is not None and screen.progress is not None, "the first iteration")
        assert screen.progress.stage == "level 1 to 2 HI" and screen.picture.boards.count == 8
        assert screen.picture.choice.candidates and screen.picture.choice.value is not None
        await until(pilot, lambda: screen.side._points["stats/agreement"] and screen.side._points["episode/clear_rate"])
        for key in ("e", "l", "r", "right_square_bracket"):
            await pilot.press(key)
        words = "a run that learns from search is not evaluated while it trains, and keeps its games"
        await until(pilot, lambda: notes(screen).count(words) == 4, "four refusals")
        assert screen.games == 8
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
    ear.session.close()
    ear.session.process.wait(PATIENCE)
