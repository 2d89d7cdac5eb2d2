"""Keys of a run that is paused, is being evaluated, or is over."""

import dataclasses

from mlx_drmario.rl.config import BestConfig

from .app import until
from .test_training import TINY, checkpoints, notes, training


def test_other_games_for_a_run_that_is_paused(tmp_path):
    run = tmp_path / "run"

    async def check(pilot, screen):
        await pilot.press("p")
        await until(pilot, lambda: screen.picture.paused)
        for key, games in (("left_square_bracket", 4), ("right_square_bracket", 8), ("r", 8)):
            told = len(notes(screen))
            await pilot.press(key)
            ready = f"tiny: {games} games"
            await until(pilot, lambda told=told, ready=ready: ready in notes(screen)[told:], ready)
            screen.picture = None
            await until(pilot, lambda: screen.picture is not None, "a picture of them")
            assert screen.picture.boards.count == games and screen.picture.paused
            assert screen.picture.position.decisions == 0 and "paused" in screen.title_bar.words
        before = screen.progress.decisions
        await pilot.press("p")
        await until(pilot, lambda: screen.progress.decisions > before, "the run to go on")
        await pilot.press("p")
        await until(pilot, lambda: screen.picture.paused)
        await pilot.press("q")  # saves all the same
        await until(pilot, lambda: screen.session.process.poll() == 0, "the end of the worker")

    training(check, run)
    assert checkpoints(run)


def test_q_during_an_evaluation_waits_for_it_and_saves(tmp_path):
    run = tmp_path / "run"

    async def check(pilot, screen):
        await pilot.press("e")
        await until(pilot, lambda: any("plays against the best" in text for text in notes(screen)), "an evaluation")
        await pilot.press("q")
        assert "saving" in screen.title_bar.words
        await until(pilot, lambda: not pilot.app.is_running, "the end")
        await until(pilot, lambda: screen.session.process.poll() == 0)

    training(check, run, best=BestConfig(games=256, every=1_000_000))
    assert (run / "best.jsonl").read_text().count("\n") == 1
    assert checkpoints(run)


def test_keys_of_a_run_that_is_over_say_so(tmp_path):
    async def check(pilot, screen):
        await until(pilot, lambda: "■ done" in screen.title_bar.words, "the end of the run")
        await until(pilot, screen.session.over.is_set, "the end of the worker")
        for key in ("r", "c", "e", "s", "l", "left_square_bracket", "right_square_bracket", "p", "n", "plus"):
            told = len(notes(screen))
            await pilot.press(key)
            new = notes(screen)[told:]
            assert any("nobody trains here any more; drmario tui resume" in text for text in new), (key, new)
        told = notes(screen)
        await pilot.press("tab", "g", "0", "g", "3")  # looking around is possible
        assert notes(screen) == told
        await pilot.press("q")
        await until(pilot, lambda: not pilot.app.is_running)

    training(check, tmp_path / "run", decisions=32 * 60)  # longer than the app takes to ask for a picture


def test_the_curriculum_chooses_the_level(tmp_path):
    async def check(pilot, screen):
        assert screen.progress.stage == "1 virus HI"
        await pilot.press("l")
        await until(pilot, lambda: "the curriculum chooses the level" in notes(screen))
        await until(pilot, lambda: "clear rate above" in str(screen.summary.facts.render()))

    curriculum = dataclasses.replace(TINY.curriculum, enabled=True)
    training(check, tmp_path / "run", curriculum=curriculum)
