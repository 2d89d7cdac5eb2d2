"""Every key of the screen that shows a session, with a real worker process behind it."""

import subprocess
import sys

import pytest

from mlx_drmario.tui.messages import Reported
from mlx_drmario.tui.position import PLAYING
from mlx_drmario.tui.protocol import FASTEST, PACES, Note, Rates
from mlx_drmario.tui.screens.crash import CrashScreen
from mlx_drmario.tui.screens.help import HelpScreen, explained_keys
from mlx_drmario.tui.screens.live import LiveScreen
from mlx_drmario.tui.session import Session
from mlx_drmario.tui.widgets.keys import shown_keys, wrapped

from ..conftest import ROOT
from .app import broken, in_app, random_legal, toasts_of, until, watch_job, watch_screen, words_of
from .test_snapshots import Still


def live(check, size=(80, 24), view="grid", **settings):
    async def ready(pilot, screen):
        await until(pilot, lambda: screen.picture is not None, "the first picture")
        await check(pilot, screen)

    in_app(watch_screen(view, **{"games": 4, **settings}), ready, size)


def notes(screen):
    return [note.text for _, note in reversed(screen.events.notes)]


def frames(screen):
    return screen.picture.position.frames


def test_games_are_shown_and_move():
    async def check(pilot, screen):
        await until(pilot, lambda: screen.wall.boards is not None and screen.wall.boards.count == 4)
        assert screen.wall.boards.level.tolist() == [5] * 4 and screen.wall.boards.viruses.tolist() == [24] * 4
        await until(pilot, lambda: frames(screen) > 50)
        before = frames(screen)
        await until(pilot, lambda: frames(screen) > before)

    live(check, pace=4.0)


@pytest.mark.parametrize("wide", [False, True])
def test_what_happens_is_to_be_seen_at_any_width(wide):
    async def check(pilot, screen):
        said = Note("runs/[old] is saved", "good"), Note("the curriculum chooses the level", "warning")
        for note in said:
            screen.post_message(Reported(note))
        await until(pilot, lambda: len(screen.events.notes) == 2)
        assert (screen.events.region.height > 0) == wide
        screen.notify("last", severity="error")
        await until(pilot, lambda: "last" in toasts_of(pilot.app))
        assert toasts_of(pilot.app) == [*([] if wide else [note.text for note in said]), "last"]
        severities = [notification.severity for notification in pilot.app._notifications]
        assert severities == [*([] if wide else ["information", "warning"]), "error"]

    in_app(LiveScreen(Still(watch_job()), "greedy"), check, (120 if wide else 119, 30), toasts=True)


def test_views():
    async def check(pilot, screen):
        assert screen.wall.display and not screen.bottle.is_on_screen
        await pilot.press("g")
        await until(pilot, lambda: screen.bottle.is_on_screen)
        await until(pilot, lambda: screen.picture.choice is not None)
        await until(pilot, lambda: "legal" in str(screen.analysis.render()))
        assert "▶" in str(screen.analysis.render())
        await pilot.press("0")
        await until(pilot, lambda: screen.summary.is_on_screen)
        await pilot.press("0")
        await until(pilot, lambda: screen.wall.is_on_screen)
        await pilot.press("g", "g")
        await until(pilot, lambda: screen.wall.is_on_screen)

    live(check)


def test_tab_cycles_through_the_games_and_digits_jump():
    async def check(pilot, screen):
        for key, game in [("tab", 1), ("tab", 2), ("shift+tab", 1), ("4", 3), ("tab", 0), ("shift+tab", 3), ("9", 3)]:
            await pilot.press(key)
            await until(pilot, lambda game=game: screen.picture.game == game, f"{key} to game {game + 1}")
            assert screen.wall.selected == screen.game == game

    live(check)


def test_a_click_selects_a_game():
    async def check(pilot, screen):
        await until(pilot, lambda: screen.wall.boards is not None)
        await pilot.click("#wall", offset=(25, 3))
        await until(pilot, lambda: screen.picture.game == 1)

    live(check)


def test_pause_steps_and_pace():
    async def check(pilot, screen):
        await pilot.press("p")
        await until(pilot, lambda: screen.picture.paused)
        assert "paused" in screen.title_bar.words
        await until_falling(pilot, screen)
        before = frames(screen)
        await pilot.press("f")
        await until(pilot, lambda: frames(screen) == before + 1)
        made = screen.picture.position.decisions
        await pilot.press("n")
        await until(pilot, lambda: frames(screen) > before + 1)
        assert screen.picture.position.decisions in (made, made + 1)  # counted at the lock; the next choice comes later
        standing = frames(screen)
        for _ in range(3):  # pictures go on arriving, of a game that stands still
            shown = screen.picture
            await until(pilot, lambda shown=shown: screen.picture is not shown)
        assert frames(screen) == standing
        await pilot.press("space")
        await until(pilot, lambda: frames(screen) > standing)
        for key in ("plus", "right", "equals_sign", "minus", "left", "minus"):
            index = PACES.index(screen.pace)
            await pilot.press(key)
            assert PACES.index(screen.pace) == index + (1 if key in ("plus", "right", "equals_sign") else -1)
            await until(pilot, lambda: screen.picture.pace == screen.pace)
        for _ in PACES:
            await pilot.press("plus")
        assert screen.pace == FASTEST and "max" in screen.title_bar.words

    live(check)


async def until_falling(pilot, screen):
    """Frame by frame, to where a capsule can be moved (before the first one the clock stands still)."""
    while not screen.picture.position.falling or frames(screen) == 0:
        shown = screen.picture
        await pilot.press("f")
        await until(pilot, lambda shown=shown: screen.picture is not shown)


def test_fewer_and_more_games():
    async def check(pilot, screen):
        for key, count in [("right_square_bracket", 8), ("left_square_bracket", 4), ("left_square_bracket", 2)]:
            await pilot.press(key)
            await until(pilot, lambda count=count: screen.wall.boards.count == count, f"{count} games")
        assert screen.games == 2 and "2 games" in notes(screen)

    live(check)


def test_level_and_restart():
    async def check(pilot, screen):
        await pilot.press("l")
        await until(pilot, lambda: screen.picture.position.level == 6)
        await pilot.press("L", "L")
        await until(pilot, lambda: screen.picture.position.level == 4)
        await until(pilot, lambda: frames(screen) > 30)
        await pilot.press("r")
        await until(pilot, lambda: frames(screen) < 10)
        assert "all games started anew" in notes(screen)

    live(check)


def test_evaluate_says_what_it_found_and_what_needs_a_run_has_no_key():
    async def check(pilot, screen):
        await pilot.press("e")
        await until(pilot, lambda: any("of 64 validation games cleared" in text for text in notes(screen)))
        await pilot.press("c", "d")
        words = {words for _, words in shown_keys(screen)}
        assert "eval" in words and not {"save", "detach"} & words
        assert not any("training run" in text for text in notes(screen))

    live(check, level=0)


def test_help_footer_palette_and_manual_name_the_same_keys():
    manual = (ROOT / "docs" / "app.md").read_text().partition("## Keys")[2].partition("## ")[0]

    async def check(pilot, screen):
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
        await until(pilot, lambda: pilot.app.screen.query("#keys"))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        explained = {key: words for keys, words, _ in explained_keys(screen) for key in keys.split()}
        bindings = [binding for _, binding, _, _ in screen.active_bindings.values()]
        shown = {pilot.app.get_key_display(binding) for binding in bindings if binding.show and not binding.system}
        assert shown <= explained.keys() | {"^p"}
        assert set("0123456789gpfnlrseqtL[]-+?") <= explained.keys()
        assert [key for key in explained if len(key) == 1 and key.isascii() and f"`{key}`" not in manual] == [
            *"2345678"  # the manual says 1 to 9
        ]
        words = {binding.description for binding in bindings}
        titles = {command.title.lower() for command in pilot.app.get_system_commands(screen)}
        assert {word.lower() for word in words if word and word not in ("palette",)} <= titles | {"quit"}

    live(check)


def test_digits_jump_to_nine_games():
    async def check(pilot, screen):
        for number in (*range(1, 10), 1):
            await pilot.press(str(number))
            await until(pilot, lambda number=number: screen.picture.game == number - 1, f"game {number}")

    live(check, games=9)


def test_the_palette_opens_and_acts():
    async def check(pilot, screen):
        await pilot.press("ctrl+p")
        await until(pilot, lambda: pilot.app.screen is not screen and pilot.app.screen.query("CommandInput"))
        await pilot.press(*"pause")
        await until(pilot, lambda: pilot.app.screen.query_one("CommandList").option_count > 0)
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is screen and screen.picture.paused)

    live(check)


@pytest.mark.parametrize("key", ["ctrl+q", "ctrl+c"])
def test_the_usual_ways_out(key):
    async def check(pilot, screen):
        await pilot.press(key)
        await until(pilot, lambda: not pilot.app.is_running)
        await until(pilot, lambda: screen.session.process.poll() is not None)
        assert screen.session.process.returncode == 0

    live(check)


def test_themes_cycle():
    async def check(pilot, screen):
        seen = [pilot.app.theme]
        for _ in range(4):
            await pilot.press("t")
            seen.append(pilot.app.theme)
        assert seen == ["bottle-dark", "bottle-light", "bottle-dark-safe", "bottle-light-safe", "bottle-dark"]
        pilot.app.theme = "ansi-dark"  # any of Textual's own works too
        await until(pilot, lambda: screen.wall.boards is not None)

    live(check)


def test_every_key_is_in_the_footer_at_80_columns():
    async def check(pilot, screen):
        lines = wrapped(shown_keys(screen), 80)
        assert len(lines) == 2
        shown = {words for line in lines for _, words in line}
        assert {"game", "view", "summary", "pause", "step", "speed", "games", "level", "restart", "snapshot"} <= shown
        assert {"eval", "quit", "help"} <= shown
        assert all(sum(len(keys) + len(words) + 3 for keys, words in line) <= 80 for line in lines)

    live(check)


def test_finished_games_are_counted():
    async def check(pilot, screen):
        await until(pilot, lambda: screen.tally.finished >= 4)
        assert screen.tally.cleared == 0  # a random policy on level 15
        assert f"{screen.tally.cleared} of {screen.tally.finished} cleared" in screen.title_bar.words
        await until(pilot, lambda: screen.hud.rates is not None and screen.hud.rates.speedup)
        assert screen.picture.position.outcome in (PLAYING, 2)

    live(check, level=15, load_policy=random_legal, pace=FASTEST)


def test_the_hud_compares_with_one_game():
    async def check(pilot, screen):
        rates = Rates(games=4, frames=40_000, decisions=400, speedup=2.0, environment=0.5, policy=0.3, update=0.2)
        screen.post_message(Reported(rates))
        await until(pilot, lambda: screen.hud.rates is rates)
        words = str(screen.hud.render())
        assert "400 decisions/s (100/game)" in words and "2.0x" in words and "50%" in words

    live(check)


def test_q_ends_the_worker():
    async def check(pilot, screen):
        await pilot.press("q")
        await until(pilot, lambda: not pilot.app.is_running)
        await until(pilot, lambda: screen.session.process.poll() is not None)
        assert screen.session.process.returncode == 0

    live(check)


def test_a_dead_worker_is_reported_with_its_last_words_and_can_be_started_again():
    async def check(pilot, screen):
        await until(pilot, lambda: isinstance(pilot.app.screen, CrashScreen), "the report")
        await until(pilot, lambda: str(screen.session.log) in words_of(pilot.app.screen))
        assert "RuntimeError: the policy is made of jelly" in words_of(pilot.app.screen)
        first = screen.session.process
        await pilot.press("r")
        await until(pilot, lambda: screen.session.process not in (None, first))
        await until(pilot, lambda: isinstance(pilot.app.screen, CrashScreen), "the second report")
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert "died" in screen.title_bar.words

    in_app(LiveScreen(Session(watch_job(load_policy=broken)), "broken"), check)


def test_a_killed_worker_is_reported():
    async def check(pilot, screen):
        screen.session.process.kill()
        await until(pilot, lambda: isinstance(pilot.app.screen, CrashScreen), "the report")
        await until(pilot, lambda: pilot.app.screen.query("Vertical"))
        assert "signal 9" in pilot.app.screen.query_one("Vertical").border_title

    live(check)


def test_events_keep_their_order():
    async def check(pilot, screen):
        for n in range(5):
            screen.post_message(Reported(Note(f"note {n}")))
        await until(pilot, lambda: "note 4" in notes(screen))
        assert [text for text in notes(screen) if text.startswith("note")] == [f"note {n}" for n in range(5)]

    live(check)


def test_the_app_s_process_never_imports_mlx():
    code = """
import sys
from tests.tui.app import in_app, until, watch_screen
async def check(pilot, screen):
    await until(pilot, lambda: screen.picture is not None)
    await pilot.press("g", "0", "question_mark", "escape")
in_app(watch_screen(games=2), check)
import mlx_drmario.tui.screens.travel, mlx_drmario.tui.screens.home, mlx_drmario.tui.screens.play
print(sorted(name for name in sys.modules if name == "mlx" or name.startswith("mlx.")))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == "[]"


def test_bad_jobs():
    for setting, message in (
        ({"pace": 3.0}, "pace is 3"),
        ({"games": 0}, "games is 0"),
        ({"games": 300}, "games is 300"),
    ):
        with pytest.raises(ValueError, match=message):
            watch_job(**setting)


def test_without_a_terminal_the_commands_say_so(capsys):
    from mlx_drmario.cli import play
    from mlx_drmario.cli import watch as command

    assert command.run(command.WatchConfig()) == 2
    assert play.run(play.PlayConfig()) == 2
    assert capsys.readouterr().err.count("terminal") == 2
    with pytest.raises(ValueError, match="seed must be between 2 and 65,535, got 70000"):
        play.PlayConfig(seed=70_000)
    with pytest.raises(ValueError, match="policy is 'no-such-run'"):
        command.run(command.WatchConfig(policy="no-such-run"))


def test_the_seed_of_the_command_line_is_the_first_game():
    from mlx_drmario import seeds
    from mlx_drmario.cli import watch as command

    others = tuple(seeds.seeds("validation").tolist())
    for config, expected in (
        (command.WatchConfig(seed=0x1234, split="validation"), (0x1234, *others)),
        (command.WatchConfig(split="validation"), others),
    ):
        assert command.screen(config).session.job.seeds == expected
