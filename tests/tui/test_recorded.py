"""Recorded games in the app."""

import numpy as np
import pytest

from mlx_drmario.baselines import Greedy
from mlx_drmario.cli import tui as command
from mlx_drmario.evaluate import evaluate
from mlx_drmario.traces.capture import Capture
from mlx_drmario.tui.game import LiveGame
from mlx_drmario.tui.messages import Reported
from mlx_drmario.tui.protocol import Note
from mlx_drmario.tui.recorded import Recording
from mlx_drmario.tui.screens.recorded import RecordedScreen

from .app import greedy, in_app, toasts_of, until

SEEDS = [0x8988, 4320, 76]


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traces")
    with Capture(folder, policy="greedy") as capture:
        evaluate(Greedy(), level=2, speed=2, seeds=SEEDS, observer=capture)
    (path,) = folder.glob("*.h5")
    return path


def test_a_recorded_game_is_played_again_to_its_end(trace):
    recording = Recording(trace)
    assert recording.count == 3
    seeds = set()
    for episode in range(3):
        line = recording.line(episode)
        result = evaluate(Greedy(), level=2, speed=2, seeds=[line.seed])
        assert len(line.states) == result.decisions[0] + 1 and line.frames[-1] == result.frames[0]
        assert len(line.choices) == len(line.states) and line.choices[-1] is None
        viruses = line.states["p1_virus_left_bcd"]
        assert (viruses[-1] == 0) == result.cleared[0]
        seeds.add(line.seed)
    assert seeds == set(SEEDS)


@pytest.mark.parametrize("players", [1, 2])
def test_games_by_hand_and_of_two_are_for_the_page(players, tmp_path):
    """Games are counted from 1, as the app does."""
    game = LiveGame(0, 2, 0x8988, players, tmp_path)
    for _ in range(300):
        game.step(*[0] * players)
    game.close()
    (path,) = tmp_path.iterdir()
    refused = f"game 1 of {path} was played by buttons" if players == 1 else f"path is {path}, of two players"
    with pytest.raises(ValueError, match=f"^{refused}; the app shows .*, `drmario trace html` others$"):
        Recording(path).line(0)


def test_scrubbing_jumping_to_clears_and_changing_the_game(trace):
    async def check(pilot, screen):
        assert screen.at == 0
        viruses = screen._viruses
        clears = [n for n in range(len(viruses) - 1) if viruses[n + 1] < viruses[n]]
        for expected in clears[:3]:
            await pilot.press("full_stop")
            assert screen.at == expected or expected == 0
        await pilot.press("comma")
        assert screen.at == clears[1]
        await pilot.press("end")
        assert screen.at == len(screen.line.states) - 1
        await pilot.click("#scrub", offset=(0, 0))
        await until(pilot, lambda: screen.at == 0)
        await pilot.click("#scrub", offset=(40, 0))
        await until(pilot, lambda: screen.at == screen.scrub.decision(40) > 0)
        first = screen.line.seed
        await pilot.press("pagedown")
        assert screen.game == 1 and screen.line.seed != first and screen.at == 0
        for key, game in (("left_square_bracket", 0), ("right_square_bracket", 1), ("pageup", 0), ("pageup", 0)):
            await pilot.press(key)
            assert screen.game == game
        assert screen.line.seed == first
        await pilot.press("down", "b")
        await until(pilot, lambda: len(screen.branch.states) > 2, "the branch, played on by another process")
        await pilot.press("escape")
        await until(pilot, lambda: not pilot.app.is_running)

    in_app(RecordedScreen(Recording(trace), 0, greedy, "greedy"), check, (120, 40))


def test_where_there_is_no_other_game_the_branch_stays(trace):
    async def check(pilot, screen):
        await pilot.press("right", "down", "b", "left_square_bracket")
        assert (screen.at, screen.root) == (1, 1) and screen.branch is not None

    in_app(RecordedScreen(Recording(trace), 0, greedy, "greedy"), check)


def test_a_trace_that_is_gone_is_named(trace, tmp_path):
    """With the brackets of its path, which are no markup; the game that is shown stays."""
    folder = tmp_path / "[old]"
    folder.mkdir()
    copy = folder / trace.name
    copy.write_bytes(trace.read_bytes())

    async def check(pilot, screen):
        copy.unlink()
        await pilot.press("pagedown")
        screen.post_message(Reported(Note("no [policy]", "error")))
        await until(pilot, lambda: len(toasts_of(pilot.app)) == 2)
        assert str(copy) in toasts_of(pilot.app)[0] and toasts_of(pilot.app)[1] == "no [policy]"
        assert screen.game == 0

    in_app(RecordedScreen(Recording(copy), 0, greedy, "greedy"), check, (200, 40), toasts=True)


def test_what_the_policy_said_is_shown(tmp_path):
    class Sure:
        """Plays as the greedy policy, and says with which probability."""

        def act(self, view):
            return Greedy().act(view)

        def act_with_details(self, view):
            action = self.act(view)
            log_probs = np.full((view.num_envs, 512), -1e9, np.float32)
            for n in np.flatnonzero(view.legal.any(axis=1)):
                log_probs[n, view.legal[n]] = np.log(0.3 / max(1, view.legal[n].sum() - 1))
                log_probs[n, action[n]] = np.log(0.7)
            return action, log_probs, np.full(view.num_envs, 2.5, np.float32)

    with Capture(tmp_path, policy="sure") as capture:
        evaluate(Sure(), level=2, speed=2, seeds=[77], observer=capture)
    choice = Recording(next(tmp_path.glob("*.h5"))).line(0).choices[0]
    assert choice.candidates[0].action == choice.action
    assert choice.candidates[0].probability == pytest.approx(0.7) and choice.value == pytest.approx(2.5)
    assert choice.entropy is None


def test_the_command_opens_traces_and_refuses_other_files(trace, tmp_path):
    screen = command.open_screen(command.parse(["trace", str(trace), "--game", "2"]))
    assert isinstance(screen, RecordedScreen) and screen.game == 1
    with pytest.raises(ValueError, match="game is 9; the file holds games 1 to 3"):
        command.open_screen(command.parse(["trace", str(trace), "--game", "9"]))
    with pytest.raises(FileNotFoundError):
        command.open_screen(command.parse(["trace", str(tmp_path / "none.h5")]))
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(ValueError, match="not an HDF5 file"):
        command.open_screen(command.parse(["trace", str(tmp_path / "text.h5")]))
