import errno
import os
import shutil
import signal

import numpy as np
import pytest

from mlx_drmario.spec import LEFT
from mlx_drmario.tui.game import LiveGame
from mlx_drmario.tui.keyboard import KeyReleased
from mlx_drmario.tui.position import CLEARED, PLAYING, TOP_OUT
from mlx_drmario.tui.screens.play import DuelScreen, PlayScreen

from .app import endless, in_app, until


def by_hand(check, kind=PlayScreen, level=0, size=(80, 24)):
    """The test, not the clock, lets frames pass."""

    async def stopped(pilot, screen):
        screen.action_restart(True)
        screen.paused = True
        await check(pilot, screen)

    in_app(kind(level, 0, endless(0x8988, 4321)), stopped, size)


def pose(screen, seat=1):
    return tuple(screen.game.number(f"pill_{name}", seat) for name in ("x", "y", "rotation"))


def to_first_capsule(screen):
    while not screen.game.falling():
        screen.advance(1)


def test_keys_move_and_turn_the_capsule():
    async def check(pilot, screen):
        to_first_capsule(screen)
        assert pose(screen) == (3, 15, 0)
        steps = [("left", (2, 0)), ("left", (1, 0)), ("right", (2, 0)), ("x", (2, 3)), ("z", (2, 0))]
        for key, expected in [*steps, ("up", (2, 3)), ("z", (2, 0))]:
            await pilot.press(key)
            screen.advance(6)
            assert pose(screen)[::2] == expected
        height = pose(screen)[1]
        await pilot.press("down")
        screen.advance(6)
        assert height - pose(screen)[1] >= 3

    by_hand(check)


def test_a_held_key_runs_along_when_the_terminal_tells_of_releases():
    async def check(pilot, screen):
        to_first_capsule(screen)
        await pilot.press("z")
        screen.post_message(KeyReleased("z"))
        await until(pilot, lambda: screen.pads[0].exact)
        screen.advance(2)
        await pilot.press("right")
        screen.advance(16 + 6 * 2 + 4)  # DAS: the second step comes after 16 frames, then one every 6
        assert pose(screen)[0] > 5
        screen.post_message(KeyReleased("right"))
        await pilot.pause()
        await pilot.press("left")
        screen.advance(1)
        x = pose(screen)[0]
        screen.post_message(KeyReleased("left"))
        await until(pilot, lambda: not screen.pads[0]._held)
        screen.advance(20)
        assert pose(screen)[0] == x
        assert "held as pressed" in str(screen.facts.render())

    by_hand(check)


def test_two_players_share_a_keyboard():
    async def check(pilot, screen):
        to_first_capsule(screen)
        while not screen.game.falling(2):
            screen.advance(1)
        await pilot.press("a", "right")
        screen.advance(6)
        assert (pose(screen, 1)[0], pose(screen, 2)[0]) == (2, 4)
        await pilot.press("g", "comma")
        screen.advance(3)
        assert (pose(screen, 1)[2], pose(screen, 2)[2]) == (3, 1)
        for seat, bottle in enumerate(screen.bottles, 1):
            x, y, _ = pose(screen, seat)
            held = np.flatnonzero(bottle.position.cells != screen.game._states[0][f"p{seat}_bottle"])
            upright = [(row - y) * 8 + x for row in (14, 15) if row >= y]
            assert bottle.position.falling and held.tolist() == upright

    by_hand(check, DuelScreen, size=(120, 40))


def test_who_is_not_over_wins_a_duel():
    async def check(pilot, screen):
        while not screen.game.over:  # nobody touches a key: both fill up alike; then player 2 keeps left
            screen.pads[1].press(LEFT)
            screen.advance(4)
        outcomes = [screen.game.outcome(seat) for seat in (1, 2)]
        assert sorted(outcomes) == [PLAYING, TOP_OUT]
        winner = outcomes.index(PLAYING) + 1
        assert screen.winner() == winner and screen.wins[winner - 1] == 1
        screen.advance(5)
        assert sum(screen.wins) == 1
        screen.paused = False
        screen.show()
        assert f"player {winner} wins" in screen.title_bar.words

    by_hand(check, DuelScreen, level=15, size=(120, 40))


def test_the_board_on_the_screen_is_the_game():
    async def check(pilot, screen):
        to_first_capsule(screen)
        screen.advance(200)
        await pilot.pause()
        shown = screen.bottles[0].position
        assert np.array_equal(shown.cells, screen.game.position().cells)
        assert shown.frames == screen.game.frames[0] == 200 and shown.viruses == 4

    by_hand(check)


def test_the_clock_runs_at_the_console_s_rate_and_pause_stops_it():
    async def check(pilot, screen):
        await pilot.press("space")  # stopped by the fixture: this starts it
        assert not screen.paused
        clock = screen.game._states[0]
        before = int(clock["frame_counter"])
        await until(pilot, lambda: int(clock["frame_counter"]) - before >= 3)
        await pilot.press("space")
        stopped = int(clock["frame_counter"])
        screen._clock -= 1.0  # a second passes
        screen._tick()
        assert int(clock["frame_counter"]) == stopped
        screen.paused = False
        screen._clock -= 3 / 60.0988
        screen._tick()
        assert stopped + 3 <= int(clock["frame_counter"]) <= stopped + 6

    by_hand(check)


@pytest.mark.parametrize("away", [("space", "left", "space"), ("question_mark", "escape")])
def test_keys_of_before_and_during_a_pause_are_let_go(away):
    async def check(pilot, screen):
        screen.paused = False
        screen.pads[0].exact = True  # nobody tells of a release while help is open
        screen.pads[0].press(LEFT)
        await pilot.press(*away)
        await until(pilot, lambda: pilot.app.screen is screen)
        assert screen.pads[0].frame() == 0

    by_hand(check)


def test_again_next_and_quit():
    async def check(pilot, screen):
        first = screen.game
        await pilot.press("r")
        assert screen.game is not first and screen.game.seed == 0x8988 and not screen.paused
        await pilot.press("n")
        assert screen.game.seed == 4321
        await pilot.press("q")
        await until(pilot, lambda: not pilot.app.is_running)

    by_hand(check)


def test_frames_count_from_the_first_controllable_frame():
    game = LiveGame(0, 2, 0x8988)
    while not game.falling():
        game.step(0)
    assert game.frames == [0]
    game.step(LEFT)
    assert game.frames == [1] and game.capsules == [0]
    while game.falling():
        game.step(0)
    assert game.capsules == [1]
    before = game.frames[0]
    for _ in range(10):  # the bottle settles, the clock runs on
        game.step(0)
    assert game.frames == [before + 10]


def test_a_lost_game_stands_still():
    game = LiveGame(20, 2, 0x8988)
    while not game.over:
        game.step(0)
    assert game.outcome() == TOP_OUT != CLEARED
    frames = list(game.frames)
    game.step(0)
    assert game.frames == frames


def test_games_played_by_hand_are_kept(tmp_path):
    """What is on the screen is in the trace: both games of a session, and they replay."""
    from mlx_drmario.traces import replay, storage

    for players in (1, 2):
        game = LiveGame(0, 2, 0x8988, players, tmp_path / str(players))
        for frame in range(900):
            game.step(*[LEFT if frame % 40 < 3 else 0] * players)
        game.close()
        game.close()
        (path,) = (tmp_path / str(players)).iterdir()
        games = storage.read(path)
        assert replay.verify(games) == [] and games.rows > 1 and games.players == players
        assert games.episode["policy"].reshape(-1).tolist() == [b"human"] * players


@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize("key", ["n", "q"])
def test_a_place_for_games_that_is_lost_ends_no_game(key, replaced, tmp_path):
    """The next game is played and not kept; the end says so as well."""
    kept = tmp_path / "[old]"

    async def check(pilot, screen):
        screen.advance(1)
        shutil.rmtree(kept)
        if replaced:
            kept.touch()
        if key == "n":
            await pilot.press("n")
            screen.advance(1)
            await until(pilot, lambda: len(pilot.app._notifications))
            assert [note.message for note in pilot.app._notifications] == [screen.lost]
        await pilot.press("q")
        await until(pilot, lambda: not pilot.app.is_running, "the end of the app")
        assert pilot.app.return_code == 1 and str(kept) in screen.lost
        assert pilot.app._exit_renderables == [screen.lost]

    in_app(PlayScreen(0, 0, endless(), kept), check)
    assert list(tmp_path.iterdir()) == [kept] * replaced


def test_a_game_by_hand_goes_on_when_its_recording_cannot(tmp_path, monkeypatch):
    """A full disk is told once; the frame is played and counted."""

    def full(game, held):
        raise OSError(errno.ENOSPC, "No space left on device")

    async def check(pilot, screen):
        screen.paused = True
        to_first_capsule(screen)
        monkeypatch.setattr(screen.game._recorder.writer, "press", full)
        screen.advance(5)
        assert screen.game.frames == [5]
        await until(pilot, lambda: len(pilot.app._notifications))
        assert "No space left" in screen.lost and len(pilot.app._notifications) == 1

    in_app(PlayScreen(0, 0, endless(), tmp_path), check)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_game_by_hand_that_is_ended_from_outside_is_kept(number, tmp_path, monkeypatch):
    """A whole file, no journal. SIGHUP comes when the terminal is closed, and then ends the process as ever."""
    raised = []
    monkeypatch.setattr(signal, "raise_signal", raised.append)

    async def check(pilot, screen):
        screen.paused = True
        for _ in range(50):
            screen.advance(6)
        os.kill(os.getpid(), number)
        await until(pilot, lambda: not pilot.app.is_running, "the end of the app")

    in_app(PlayScreen(0, 0, endless(), tmp_path), check)
    assert raised == [signal.SIGHUP] * (number == signal.SIGHUP)
    assert [path.name.partition(".")[2] for path in tmp_path.iterdir()] == ["dmtrace.h5"]
