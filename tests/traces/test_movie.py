"""Movies lead from power-on to the game they were made of, as an independent model of the menus plays them."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.cli import main, solve
from mlx_drmario.traces import movie, replay, storage
from mlx_drmario.traces.capture import FrameCapture
from mlx_drmario.traces.console import POWER, RESET, stages, way_to
from mlx_drmario.traces.games import Games
from mlx_drmario.traces.menus import Menus
from mlx_drmario.traces.movie import Movie
from mlx_drmario.traces.schema import CLEARED
from tests import strategies as sts
from tests.strategies import DOWN, LEFT, RIGHT, SELECT, START, UP

LONG = "9" * 5_000
"""a number that Python itself does not read"""


def console(buttons: np.ndarray, counter: int = 0, first_speed: int = 1) -> tuple[dm.Batch, int, dict[str, int]]:
    """The menus as docs/rules.md tells them (4, 5.1, 16), written again: plays a movie to its end.

    Returns the engine in the last frame, the frame of the first sample of play, and what was chosen.
    """
    pressed = buttons & ~np.concatenate([np.zeros((1, 2), np.uint8), buttons[:-1]])
    t = int(np.flatnonzero(pressed[:, 0] & START)[0])
    assert t < 8 * 256 - counter, "the demo would have begun"
    players = 1 + int((pressed[:t, 0] & SELECT > 0).sum()) % 2
    choice = [[0, 0], [first_speed, first_speed], [0, 0]]
    top, row, word, frame = (20, 2, 2), 0, 0x8988, t + 3
    while True:
        word = word >> 1 | ((word >> 9 & 1) ^ (word >> 1 & 1)) << 15
        if pressed[frame, 0] == START:
            break
        for player in range(players):
            keys = int(pressed[frame, player])
            if player == 0:
                row = min(2, max(0, row + (keys & DOWN > 0) - (keys & UP > 0)))
            step = (keys & RIGHT > 0) - (keys & LEFT > 0)
            choice[row][player] = min(top[row], max(0, choice[row][player] + step))
        frame += 1
    assert choice[2][0] == 2, "music must be off"
    levels, speeds = (np.array([values[:players]]) for values in choice[:2])
    batch = dm.Batch(num_envs=1, players=players, threads=1)
    start = frame + 3
    batch.reset(levels, speeds, word, (counter + start) & 255, start="init")
    held = np.ascontiguousarray(buttons[start + 1 :, None, :players])
    modes = np.asarray(batch.run(held, record=("mode",))["mode"])[:, 0]
    return batch, start + 1 + int(np.argmax(modes == 4)), {"seed": word, "level": levels[0, 0], "speed": speeds[0, 0]}


def test_the_example_of_the_rules() -> None:
    """Start on the title at T and on the options at T + 107 gives the seed 0x193D (docs/rules.md 19)."""
    way = way_to(np.array([0]), np.array([1]), 0x193D, 0, Menus(settle=20, gap=4))
    assert way.options - way.title == 107


@given(sts.levels, sts.speeds, st.integers(0, 32766), sts.frame_counters, sts.frame_counters, st.integers(1, 6))
@settings(max_examples=25)
def test_menus_lead_to_the_game(level: int, speed: int, position: int, counter: int, power_on: int, gap: int) -> None:
    seed = int(seeds.orbit()[position])
    menus = Menus(power_on_counter=power_on, gap=gap + 1)
    way = way_to(np.array([level]), np.array([speed]), seed, counter, menus)
    batch, first, chosen = console(way.buttons, power_on)
    assert chosen == {"seed": seed, "level": level, "speed": speed}
    assert first == len(way.buttons) - 1
    expected = dm.Batch(num_envs=1, threads=1)
    expected.reset(level, speed, seed, counter)
    assert batch.digest()[0] == expected.digest()[0]


@pytest.mark.parametrize(
    ("option", "value"),
    [("gap", 1), ("first_level", 21), ("first_speed", 3), ("first_music", 3), ("music_off", 3), ("title_frame", 2048)],
)
def test_menus_that_cannot_be_are_refused(option: str, value: int) -> None:
    with pytest.raises(ValueError, match=rf"^menus\.{option} must be between \d+ and [\d,]+, got {value}$"):
        Menus(**{option: value})
    assert main(["trace", "movie", "x", "--out", "x.fm2", f"--menus.{option.replace('_', '-')}", str(value)]) == 2


def test_the_title_waits_no_longer_than_the_demo() -> None:
    """One frame before the demo is early enough, as the import knows it too."""
    for title in range(2040, 2048):
        menus = Menus(title_frame=title, gap=2)
        for counter in range(8):
            try:
                way = way_to(np.array([0]), np.array([1]), 0x8988, counter, menus)
            except ValueError as error:
                assert re.search(
                    r"title_frame is 20\d\d; Start would come in frame 2\d\d\d, the demo begins in 2048$", str(error)
                )
            else:
                assert way.title < 2048 and len(stages(way.buttons, np.zeros(len(way.buttons), np.uint8), menus)) == 1


@given(sts.levels, sts.levels, sts.speeds, sts.speeds, st.integers(0, 32766), sts.frame_counters)
@settings(max_examples=10)
def test_menus_of_two_players(a: int, b: int, fast: int, slow: int, position: int, counter: int) -> None:
    seed = int(seeds.orbit()[position])
    way = way_to(np.array([a, b]), np.array([fast, slow]), seed, counter)
    batch, _, chosen = console(way.buttons)
    assert chosen["seed"] == seed
    expected = dm.Batch(num_envs=1, players=2, threads=1)
    expected.reset([[a, b]], [[fast, slow]], seed, counter)
    assert batch.digest()[0] == expected.digest()[0]


@pytest.mark.parametrize("suffix", [".fm2", ".bk2"])
def test_games_of_placements_end_as_recorded(
    tmp_path: Path, greedy_games: Games, random_games: Games, suffix: str
) -> None:
    """The file, read again and played by the model above, ends in the recorded state."""
    for games, episodes in ((greedy_games, (0, 1, 2)), (random_games, (0, 1, 2, 5))):
        for e in episodes:
            path = tmp_path / f"a{suffix}"
            movie.write(path, movie.of_game(games, e))
            played = movie.read(path).buttons
            batch, _, _ = console(played[: len(played) - movie.AFTERWARDS])
            state = batch.state.copy()
            state["p1_hor_velocity"] = games.start["p1_hor_velocity"][e]
            batch.set_state(state)
            assert batch.digest()[0] == games.episode["end_digest"][e]


@pytest.mark.parametrize("start", ["play", "init"])
@pytest.mark.parametrize("players", [1, 2])
def test_games_of_buttons_come_back_from_their_movie(tmp_path: Path, players: int, start: str) -> None:
    """Game -> movie -> trace gives the same game, and both replay."""
    rng = np.random.default_rng(players)
    seed = int(seeds.orbit()[4321])
    batch = dm.Batch(num_envs=1, players=players, threads=1)
    batch.reset(4, 2, seed, 77, start=start)
    with FrameCapture(
        tmp_path / "a.dmtrace.h5", batch, policy=("a", "b")[:players] if players == 2 else "a"
    ) as capture:
        capture.run(sts.human_buttons(rng, 1500, 1, players))
    games = storage.read(tmp_path / "a.dmtrace.h5")
    made = movie.of_game(games, 0)
    model, _, _ = console(made.buttons[: len(made.buttons) - movie.AFTERWARDS])
    assert model.digest()[0] == games.episode["end_digest"][0]
    assert movie.games_of(made, tmp_path / "b.dmtrace.h5", "b.fm2") == 1
    again = storage.read(tmp_path / "b.dmtrace.h5")
    assert replay.verify(again) == [] and replay.verify(games) == []
    for name in ("seed", "level", "speed"):
        assert (again.episode[name] == games.episode[name]).all(), name
    assert not again.episode["custom"][0] and again.rows >= games.rows
    for name in ("bottle", "action", "tau", "frame_counter", "player"):
        assert (again.decision[name][: games.rows] == games.decision[name]).all(), name


def random_movie(rng: np.random.Generator, frames: int = 300) -> Movie:
    commands = np.where(rng.random(frames) < 0.01, rng.choice([RESET, POWER, RESET | POWER], frames), 0)
    text = ((0, "start"), (7, "a subtitle | with, signs"))
    return Movie(rng.integers(0, 256, (frames, 2), np.uint8), commands.astype(np.uint8), {}, text)


@given(sts.generators)
@settings(max_examples=10)
def test_files_hold_what_was_written(tmp_path_factory: pytest.TempPathFactory, rng: np.random.Generator) -> None:
    made = random_movie(rng)
    for suffix in (".fm2", ".bk2"):
        path = tmp_path_factory.mktemp("m") / f"a{suffix}"
        movie.write(path, made)
        again = movie.read(path)
        assert (again.buttons == made.buttons).all() and (again.commands == made.commands).all()
        assert again.subtitles == made.subtitles


def test_lines_of_the_formats(tmp_path: Path) -> None:
    """Letters stand where FCEUX and BizHawk expect them."""
    buttons = np.array([[sts.A | RIGHT, sts.B | UP], [START, SELECT], [LEFT | DOWN, 0]], np.uint8)
    made = Movie(buttons, np.array([0, RESET, POWER], np.uint8))
    text = movie.fm2(made)
    assert text.startswith("version 3\n") and "port0 1\n" in text
    assert text.endswith("|0|R......A|...U..B.||\n|1|....T...|.....S..||\n|2|.LD.....|........||\n")
    (tmp_path / "a.bk2").write_bytes(movie.bk2(made))
    with zipfile.ZipFile(tmp_path / "a.bk2") as archive:
        log = archive.read("Input Log.txt").decode().split("\r\n")
    assert log[1].startswith("LogKey:#Reset|Power|#P1 Up|P1 Down|P1 Left|P1 Right|P1 Start|P1 Select|P1 B|P1 A|#P2 Up|")
    assert log[2:6] == ["|..|...R...A|U.....B.|", "|r.|....S...|.....s..|", "|.P|.DL.....|........|", "[/Input]"]
    assert movie.bk2(made) == movie.bk2(made)


def test_resets_and_several_games_are_followed(tmp_path: Path) -> None:
    """Power-cycling and the reset button start over; a game after a top-out begins at the options again."""
    one = movie.of_game(game(tmp_path / "1.dmtrace.h5", 100, 2), 0)
    two = movie.of_game(game(tmp_path / "2.dmtrace.h5", 2000, 0), 0)
    for command in (RESET, POWER):
        commands = np.concatenate([one.commands, two.commands])
        commands[len(one.buttons)] = command
        made = Movie(np.concatenate([one.buttons, two.buttons]), commands)
        out = tmp_path / f"out{command}.dmtrace.h5"
        assert movie.games_of(made, out, "x") == 2
        games = storage.read(out)
        assert games.episode["seed"].tolist() == [int(seeds.orbit()[100 + 32767 * 0]), int(seeds.orbit()[2000])]
        assert games.episode["speed"].tolist() == [2, 0] and replay.verify(games) == []


@pytest.mark.parametrize("late", [1, 2, 3])
def test_a_reset_before_the_game_is_there_is_seen(tmp_path: Path, late: int) -> None:
    """Between Start on the options screen and the first frame of the game."""
    one = movie.of_game(game(tmp_path / "1.dmtrace.h5", 100, 2), 0)
    options = int(np.flatnonzero(one.buttons[:, 0] & START)[1])
    begun = options + late
    commands = np.concatenate([one.commands[:begun], one.commands])
    commands[begun] = RESET
    made = Movie(np.concatenate([one.buttons[:begun], one.buttons]), commands)
    (stage,) = stages(made.buttons, made.commands)
    assert stage.frame == begun + options + 3


def game(path: Path, position: int, speed: int) -> Games:
    batch = dm.Batch(num_envs=1, threads=1)
    batch.reset(0, speed, int(seeds.orbit()[position]))
    with FrameCapture(path, batch) as capture:
        capture.run(np.zeros((700, 1, 1), np.uint8))
    return storage.read(path)


def test_a_game_after_a_lost_one(tmp_path: Path) -> None:
    """Top-out, Start, options again: the random generator goes on where the level set-up left it."""
    first = movie.of_game(game(tmp_path / "1.dmtrace.h5", 500, 2), 0)
    idle = np.zeros((12_000, 2), np.uint8)
    idle[9_000, 0] = START  # the lost game is long over
    idle[9_100, 0] = START
    made = Movie(np.concatenate([first.buttons, idle]), np.zeros(len(first.buttons) + 12_000, np.uint8))
    assert movie.games_of(made, tmp_path / "out.dmtrace.h5", "x") == 2
    games = storage.read(tmp_path / "out.dmtrace.h5")
    after = games.start["rng0"][1].astype(int) << 8 | games.start["rng1"][1]
    ended = dm.Batch(num_envs=1, threads=1)
    ended.reset(0, 2, int(seeds.orbit()[500]))
    word = int(ended.state["rng0"][0]) << 8 | int(ended.state["rng1"][0])
    position = int(np.flatnonzero(seeds.orbit() == word)[0])
    assert after == seeds.orbit()[(position + 100 - 2) % 32767]  # one step per frame from T + 3 to S
    assert games.episode["level"].tolist() == [0, 0] and replay.verify(games) == []


def test_a_solved_line_can_be_kept_and_played(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`drmario solve`: the trace replays, and the movie clears the level on the console."""
    out, kept = tmp_path / "line.fm2", tmp_path / "t"
    line = ["solve", "--level", "0", "--seed", "0x1235", "--frame-counter", "7", "--width", "30", "--threads", "1"]
    assert main([*line, "--movie", str(out), "--capture", str(kept)]) == 0
    told = re.search(r"cleared in ([\d,]+) frames", capsys.readouterr().out)
    assert main(["trace", "verify", str(kept), "--jobs", "1"]) == 0
    (path,) = kept.iterdir()
    games = storage.read(path)
    assert told is not None and games.episode["frames"].tolist() == [int(told[1].replace(",", ""))]
    assert games.episode["outcome"].tolist() == [CLEARED] and games.episode["frame_counter"].tolist() == [7]
    batch, _, _ = console(movie.read(out).buttons)
    assert batch.state["p1_virus_left_bcd"][0] == 0
    for wrong, message in (
        (["--movie", str(tmp_path / "line.avi")], "must end in .fm2 or .bk2"),
        (["--movie", str(tmp_path / "no" / "line.fm2")], "--movie is"),
        (["--movie", str(out), "--level", "21"], "which offers 0 to 20"),
    ):
        assert main([*line, *wrong]) == 2
        assert message in capsys.readouterr().err


def test_a_line_without_a_capsule_is_not_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after Ctrl-C before the first layer."""
    searched = solve.solve

    def stopped(search: dm.Search, *arguments: object) -> dm.Line:
        search.stop()
        return searched(search, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(solve, "solve", stopped)
    out, kept = tmp_path / "line.fm2", tmp_path / "t"
    assert main(["solve", "--width", "1", "--threads", "1", "--movie", str(out), "--capture", str(kept)]) == 1
    assert "stopped before the first capsule: there is no line to write\n" in capsys.readouterr().out
    assert not out.exists() and list(kept.iterdir()) == []


def test_a_line_and_its_movie_need_two_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["solve", "--level", "0", "--width", "1", "--json", "x.fm2", "--movie", str(tmp_path / "x.fm2")]) == 2
    sentence = "drmario solve: --json is x.fm2, which --movie is as well; each needs a file of its own\n"
    assert capsys.readouterr() == ("", sentence) and list(tmp_path.iterdir()) == []


def test_what_no_console_can_start_is_refused(tmp_path: Path, random_games: Games) -> None:
    for level, seed, message in ((21, 0x8988, "level is 21; the menu offers"), (0, 0x8989, "seed is 35209; a console")):
        with pytest.raises(ValueError, match=message):
            way_to(np.array([level]), np.array([0]), seed, 0)
    custom = random_games.take(np.arange(1))
    custom.episode["custom"][0] = 1
    with pytest.raises(ValueError, match="does not start as a console's game does"):
        movie.of_game(custom, 0)
    with pytest.raises(ValueError, match=r"movies end in \.fm2"):
        movie.write(tmp_path / "a.txt", movie.of_game(random_games, 0))
    with pytest.raises(ValueError, match="no game begins"):
        movie.games_of(Movie(np.zeros((50, 2), np.uint8), np.zeros(50, np.uint8)), tmp_path / "x.dmtrace.h5", "m")
    with pytest.raises(ValueError, match="the demo begins"):
        movie.games_of(Movie(np.zeros((3000, 2), np.uint8), np.zeros(3000, np.uint8)), tmp_path / "x.dmtrace.h5", "m")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("version 3", "version 2"), r"a\.fm2:1: the first line is 'version 2'"),
        (lambda t: t.replace("|0|R.......|", "|0|R......|"), r"a\.fm2:13: controller 'R\.\.\.\.\.\.' has 7 buttons"),
        (lambda t: t.replace("|0|R.......|", "|x|R.......|"), r"a\.fm2:13: .* is not '\|commands\|controller 1"),
        (lambda t: t.replace("|0|R.......|", "|4|R.......|"), r"a\.fm2:13: command 4; known are 0, 1 \(reset\)"),
        (lambda t: t.replace("|0|R.......|", f"|{LONG}|R.......|"), r"a\.fm2:13: .* is not '\|commands\|controller 1"),
        (lambda t: t.replace("subtitle 3", f"subtitle {LONG}"), r"a\.fm2:12: subtitle '9.* does not begin with"),
        (lambda t: t.replace("palFlag 0", "palFlag 1"), r"a\.fm2:4: palFlag is 1; only NTSC"),
        (lambda t: t.replace("rerecordCount 0", "binary 1"), r"the input is binary"),
        (lambda t: t.replace("rerecordCount 0", "savestate base64:AA"), r"a\.fm2:3: the movie starts from a savestate"),
        (lambda t: t.replace("subtitle 3", "subtitle x"), r"a\.fm2:12: subtitle 'x hello' does not begin with a f"),
        (lambda t: "".join(line for line in t.splitlines(True) if line[0] != "|"), "no input in it"),
        (lambda t: t[t.index("|") :], r"a\.fm2:1: input before the header"),
    ],
)
def test_bad_fm2_files(tmp_path: Path, change: Callable[[str], str], message: str) -> None:
    good = movie.fm2(Movie(np.array([[RIGHT, 0]] * 3, np.uint8), np.zeros(3, np.uint8), {}, ((3, "hello"),)))
    path = tmp_path / "a.fm2"
    path.write_text(good)
    assert movie.read(path).buttons[:, 0].tolist() == [RIGHT] * 3
    path.write_text(change(good))
    with pytest.raises(ValueError, match=message):
        movie.read(path)


def test_letters_of_other_scripts_in_fm2_files(tmp_path: Path) -> None:
    """A mark of the encoding, a comment with a line separator, and a digit that is no number."""
    good = movie.fm2(Movie(np.array([[RIGHT, 0]] * 3, np.uint8), np.zeros(3, np.uint8), {"comment": "a\u2028|b"}))
    path = tmp_path / "a.fm2"
    for text in (good, "\ufeff" + good, good.replace("\n", "\r\n")):
        path.write_bytes(text.encode())
        assert movie.read(path).buttons[:, 0].tolist() == [RIGHT] * 3
        assert movie.read(path).header["comment"] == "a\u2028|b"
    path.write_bytes(good.replace("comment ", "subtitle ² ").encode())
    with pytest.raises(ValueError, match=r"a\.fm2:\d+: subtitle '².* does not begin with a frame number"):
        movie.read(path)


def test_damaged_and_locked_bk2_files(tmp_path: Path) -> None:
    good = movie.bk2(Movie(np.array([[RIGHT, 0]] * 300, np.uint8), np.zeros(300, np.uint8)))
    entry, listed = good.index(b"PK\x03\x04"), good.index(b"PK\x01\x02")
    path, large = tmp_path / "a.bk2", (2**30).to_bytes(4, "little") * 2
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        packed = archive.infolist()[0].compress_size
    at = entry + 30 + len("Header.txt")
    for bad in (
        good[:at] + bytes([7]) * packed + good[at + packed :],  # zlib.error
        good[: listed + 8] + b"\x01" + good[listed + 9 :],  # locked with a password
        good[: listed + 10] + b"\x63" + good[listed + 11 :],  # a compression that nobody knows
        good[: listed + 9] + b"\x08" + good[listed + 10 : listed + 46] + b"\xed" + good[listed + 47 :],  # no UTF-8
        good[: listed + 10] + b"\0" + good[listed + 11 : listed + 20] + large + good[listed + 28 :],  # after its end
    ):
        path.write_bytes(bad)
        with pytest.raises(ValueError, match=r"a\.bk2: not a \.bk2 file: "):
            movie.read(path)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("Input Log.txt", lambda t: t.replace("|..|...R....|", "|..|...R...|"), r"Input Log\.txt:3: 17 buttons"),
        ("Input Log.txt", lambda t: t.replace("P1 Up", "P1 Turbo"), "the log key names 'P1 Turbo'"),
        ("Input Log.txt", lambda t: "[Input]\r\n", "no input in it"),
        ("Header.txt", lambda t: t.replace("Platform NES", "Platform SNES"), "Platform is SNES; only NES"),
        ("Header.txt", lambda t: t + "StartsFromSavestate True\r\n", "StartsFromSavestate is True"),
        ("Subtitles.txt", lambda t: f"subtitle {LONG} 0 0 1 F x", r"Subtitles\.txt:1: 'subtitle 9.* is not a subtitle"),
        ("Subtitles.txt", lambda t: "what\r\n", r"Subtitles\.txt:1: 'what' is not a subtitle"),
    ],
)
def test_bad_bk2_files(tmp_path: Path, name: str, change: Callable[[str], str], message: str) -> None:
    path, bad = tmp_path / "a.bk2", tmp_path / "b.bk2"
    path.write_bytes(movie.bk2(Movie(np.array([[RIGHT, 0]] * 3, np.uint8), np.zeros(3, np.uint8))))
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(bad, "w") as target:
        for info in source.infolist():
            text = source.read(info).decode()
            target.writestr(info.filename, change(text) if info.filename == name else text)
    with pytest.raises(ValueError, match=message):
        movie.read(bad)
    bad.write_bytes(b"PK not a zip")
    with pytest.raises(ValueError, match=r"not a \.bk2 file"):
        movie.read(bad)
    with zipfile.ZipFile(bad, "w") as target:
        target.writestr("x", "y")
    with pytest.raises(ValueError, match=r"no 'Input Log\.txt' in it"):
        movie.read(bad)
