"""Input movies for emulators, FCEUX .fm2 and BizHawk .bk2: writing a recorded game, reading one back.

A movie starts at power-on and gives the buttons of every video frame. Formats: https://fceux.com/web/help/fm2.html and
https://tasvideos.org/Bizhawk/BK2Format.
"""

import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario.evaluate import FRAME_RATE
from mlx_drmario.files import replacing
from mlx_drmario.spec import SETUP, SPEED_NAMES
from mlx_drmario.traces import console, replay, schema
from mlx_drmario.traces.console import POWER, RESET
from mlx_drmario.traces.games import Games, require_recorded
from mlx_drmario.traces.menus import Menus
from mlx_drmario.traces.writer import TraceWriter

FM2_ORDER = "RLDUTSBA"
"""buttons of an .fm2 line from the left, T is Start: bits 0, 1, 2, 3, 4, 5, 6, 7"""
BK2_ORDER = ("Up", "Down", "Left", "Right", "Start", "Select", "B", "A")
BK2_BITS = (3, 2, 1, 0, 4, 5, 6, 7)
BK2_LETTERS = "UDLRSsBA"
FORMATS = (".fm2", ".bk2")
NUMBER = r"[0-9]{1,9}"
"""of frames, and of commands"""
AFTERWARDS = 120
"""frames without a button after the end of the game"""


@dataclass(frozen=True)
class Movie:
    """What both formats hold."""

    buttons: NDArray[np.uint8]
    """u8[T, 2]: controllers 1 and 2 in every frame from power-on"""
    commands: NDArray[np.uint8]
    """u8[T]: console.RESET and console.POWER, before the frame"""
    header: dict[str, str] = field(default_factory=dict)
    """keys of the file it was read from, or to add to the one written"""
    subtitles: tuple[tuple[int, str], ...] = ()
    """(frame, text)"""


def of_game(games: Games, e: int, menus: Menus | None = None) -> Movie:
    """The movie of an episode, from power-on through the menus to its end.

    Raises ValueError for a game that a console cannot start (another bottle or capsules than the seed's, a level above
    20), one with placements that cannot be reached, or one that is not as it was recorded.
    """
    table = games.episode
    if table["custom"][e]:
        raise ValueError("the game does not start as a console's game does; a movie cannot begin there")
    level, speed = np.atleast_1d(table["level"][e]), np.atleast_1d(table["speed"][e])
    seed = int(table["seed"][e])
    counter = int(table["frame_counter"][e])
    start = games.start[e : e + 1]
    at_setup = int(start["mode"][0]) == SETUP
    way = console.way_to(level, speed, seed, counter, menus)
    played = replay.buttons_of(games, e)
    require_recorded(games, e)
    head = way.buttons[: way.options + console.BUILD + 1] if at_setup else way.buttons
    lead = 0 if at_setup else _lead(start, level, speed, seed, counter)
    parts = [head, np.zeros((lead, 2), np.uint8), _both(played), np.zeros((AFTERWARDS, 2), np.uint8)]
    buttons = np.concatenate(parts)
    first = len(head) + lead
    seconds = int(table["frames"][e]) / FRAME_RATE
    name = f"level {'/'.join(map(str, level))} {'/'.join(SPEED_NAMES[s].upper() for s in speed)}, seed 0x{seed:04x}"
    title = f"{name}, {int(table['frames'][e])} frames ({seconds:.2f} s), mlx_drmario {dm.__version__}"
    return Movie(buttons, np.zeros(len(buttons), np.uint8), {}, ((first, title),))


def _both(buttons: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.pad(buttons, ((0, 0), (0, 2 - buttons.shape[1])))


def _lead(start: NDArray[np.void], level: NDArray[np.uint8], speed: NDArray[np.uint8], seed: int, counter: int) -> int:
    """Frames without a button from the first sample of play to the first state of an episode."""
    players = len(level)
    batch = dm.Batch(num_envs=1, players=players, threads=1)
    batch.reset(schema.for_reset(level), schema.for_reset(speed), seed, counter)
    wanted = dm.Batch(num_envs=1, players=players, threads=1)
    wanted.set_state(start)
    for frames in range(64):
        if batch.digest()[0] == wanted.digest()[0]:
            return frames
        batch.step(np.zeros((1, players), np.uint8))
    raise ValueError("the first state is not one that the game comes to by itself")


def games_of(movie: Movie, out: Path | str, name: str, menus: Menus | None = None) -> int:
    """Write a trace of everything that is played in a movie; returns the number of episodes.

    Raises ValueError when nothing is played, or players change between games.
    """
    found = console.stages(movie.buttons, movie.commands, menus)
    players = {stage.buttons.shape[1] for stage in found}
    if not found:
        raise ValueError(f"{name}: no game begins: Start is never read on the title and then on the options screen")
    if len(players) > 1:
        raise ValueError(f"{name}: games of one and of two players; a trace holds one kind")
    config = {"movie": name, "header": movie.header}
    with TraceWriter(out, players.pop(), config) as writer:
        for stage in found:
            game = writer.start(stage.start, name)
            writer.press(int(game[0]), stage.buttons)
    return len(found)


def write(path: Path | str, movie: Movie) -> None:
    """Write an .fm2 or .bk2 file, by the name's end. ValueError for another end."""
    path = Path(path)
    if path.suffix not in FORMATS:
        raise ValueError(f"path is {path}; movies end in .fm2 (FCEUX) or .bk2 (BizHawk)")
    data = fm2(movie).encode() if path.suffix == ".fm2" else bk2(movie)
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def read(path: Path | str) -> Movie:
    """Read an .fm2 or .bk2 file. ValueError names file and line of what cannot be read."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"path is {path}, which is a directory")
    if not path.is_file():
        raise FileNotFoundError(f"path is {path}, which does not exist")
    if path.suffix == ".bk2" or zipfile.is_zipfile(path):
        return _read_bk2(path)
    return _read_fm2(path)


# --- .fm2 ------------------------------------------------------------------------------------------------------------

_FM2_HEADER = {
    "version": "3",
    "emuVersion": "22020",
    "rerecordCount": "0",
    "palFlag": "0",
    "romFilename": "Dr. Mario",
    "romChecksum": "base64:AAAAAAAAAAAAAAAAAAAAAA==",
    "guid": "00000000-0000-0000-0000-000000000000",
    "fourscore": "0",
    "port0": "1",
    "port1": "1",
    "port2": "0",
}


def fm2(movie: Movie) -> str:
    """The text of an .fm2 file."""
    lines = [f"{key} {value}" for key, value in {**_FM2_HEADER, **movie.header}.items()]
    lines += [f"subtitle {frame} {text}" for frame, text in movie.subtitles]
    pads = _letters(movie.buttons, FM2_ORDER, range(8))
    lines += [f"|{int(command)}|{one}|{two}||" for command, (one, two) in zip(movie.commands, pads, strict=True)]
    return "\n".join(lines) + "\n"


def _letters(buttons: NDArray[np.uint8], letters: str, bits: Iterable[int]) -> Iterable[tuple[str, str]]:
    order = list(bits)
    texts = [
        "".join(c if byte >> bit & 1 else "." for c, bit in zip(letters, order, strict=True)) for byte in range(256)
    ]
    return ((texts[one], texts[two]) for one, two in buttons.tolist())


def _lines(data: bytes) -> list[str]:
    """The lines of a text of either format; other characters that end lines elsewhere are part of them."""
    return [line.removesuffix("\r") for line in data.decode("utf-8-sig", "replace").removesuffix("\n").split("\n")]


def _read_fm2(path: Path) -> Movie:
    header: dict[str, str] = {}
    subtitles: list[tuple[int, str]] = []
    pads: list[tuple[int, int]] = []
    commands: list[int] = []
    for number, line in enumerate(_lines(path.read_bytes()), start=1):
        where = f"{path}:{number}"
        if line.startswith("|"):
            if not header:
                raise ValueError(f"{where}: input before the header; the first line must be 'version 3'")
            command, pair = _fm2_frame(line, where, header.get("binary") == "1")
            commands.append(command)
            pads.append(pair)
        elif line.strip():
            key, _, value = line.partition(" ")
            if number == 1 and (key, value.strip()) != ("version", "3"):
                raise ValueError(f"{where}: the first line is {_shown(line)}, it must be 'version 3'")
            if key == "subtitle":
                subtitles.append(_fm2_subtitle(value, where))
            elif key in ("palFlag", "fourscore", "FDS") and value.strip() not in ("0", "false"):
                raise ValueError(f"{where}: {key} is {value}; only NTSC cartridges with two controllers are read")
            elif key == "savestate":
                raise ValueError(f"{where}: the movie starts from a savestate; only movies from power-on are read")
            else:
                header[key] = value.strip()
    if not pads:
        raise ValueError(f"{path}: no input in it; a movie has lines that begin with '|'")
    return Movie(np.array(pads, np.uint8), np.array(commands, np.uint8), header, tuple(subtitles))


def _shown(text: str) -> str:
    """Quoted, and not longer than a line."""
    return repr(text if len(text) <= 60 else f"{text[:60]}...")


def _fm2_subtitle(value: str, where: str) -> tuple[int, str]:
    frame, _, text = value.partition(" ")
    if not re.fullmatch(NUMBER, frame):
        raise ValueError(f"{where}: subtitle {_shown(value)} does not begin with a frame number")
    return int(frame), text


def _fm2_frame(line: str, where: str, binary: bool) -> tuple[int, tuple[int, int]]:
    if binary:
        raise ValueError(f"{where}: the input is binary; save the movie as text in FCEUX")
    parts = line.split("|")
    if len(parts) < 4 or not re.fullmatch(NUMBER, parts[1]):
        raise ValueError(f"{where}: {_shown(line)} is not '|commands|controller 1|controller 2|...|'")
    command = int(parts[1])
    if command & ~(RESET | POWER):
        raise ValueError(f"{where}: command {command}; known are 0, 1 (reset) and 2 (power)")
    one, two = (_pad(part, FM2_ORDER, range(8), where) for part in parts[2:4])
    return command, (one, two)


def _pad(text: str, letters: str, bits: Iterable[int], where: str) -> int:
    """The controller byte of a column of letters; an empty column is a controller that is not there."""
    if text == "":
        return 0
    if len(text) != len(letters):
        raise ValueError(
            f"{where}: controller {_shown(text)} has {len(text)} buttons, it must have {len(letters)} ({letters})"
        )
    return sum(1 << bit for letter, bit in zip(text, bits, strict=True) if letter not in " .")


# --- .bk2 ------------------------------------------------------------------------------------------------------------

_BK2_HEADER = {
    "MovieVersion": "BizHawk v2.0.0",
    "Author": "mlx_drmario",
    "emuVersion": "Version 2.9.1",
    "Platform": "NES",
    "GameName": "Dr. Mario",
    "SHA1": "0" * 40,
    "Core": "NesHawk",
    "rerecordCount": "0",
}
_LOG_KEY = "LogKey:#Reset|Power|" + "".join(
    "#" + "".join(f"P{player} {name}|" for name in BK2_ORDER) for player in (1, 2)
)


def bk2(movie: Movie) -> bytes:
    """The bytes of a .bk2 file; equal movies give equal bytes."""
    pads = _letters(movie.buttons, BK2_LETTERS, BK2_BITS)
    flags = {0: "..", RESET: "r.", POWER: ".P", RESET | POWER: "rP"}
    frames = [f"|{flags[int(c)]}|{one}|{two}|" for c, (one, two) in zip(movie.commands, pads, strict=True)]
    texts = {
        "Header.txt": [f"{key} {value}" for key, value in {**_BK2_HEADER, **movie.header}.items()],
        "Comments.txt": [],
        "Subtitles.txt": [f"subtitle {frame} 0 0 300 FFFFFFFF {text}" for frame, text in movie.subtitles],
        "SyncSettings.json": ['{"o":null}'],
        "Input Log.txt": ["[Input]", _LOG_KEY, *frames, "[/Input]"],
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, lines in texts.items():
            archive.writestr(zipfile.ZipInfo(name), "".join(f"{line}\r\n" for line in lines), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


_UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, UnicodeDecodeError)
"""What zip files raise that are damaged, or locked."""


def _read_bk2(path: Path) -> Movie:
    try:
        with zipfile.ZipFile(path) as archive:
            texts = {info.filename: _lines(archive.read(info)) for info in archive.infolist()}
    except _UNREADABLE as error:
        raise ValueError(f"{path}: not a .bk2 file: {error}") from None
    if "Input Log.txt" not in texts:
        raise ValueError(f"{path}: no 'Input Log.txt' in it; a .bk2 file holds one")
    header = dict(line.split(" ", 1) for line in texts.get("Header.txt", []) if " " in line)
    for key, wanted in (("Platform", "NES"), ("StartsFromSavestate", "False"), ("PAL", "False")):
        if header.get(key, wanted).strip().lower() != wanted.lower():
            raise ValueError(f"{path}, Header.txt: {key} is {header[key]}; only NES movies from power-on are read")
    subtitles = []
    for number, line in enumerate(texts.get("Subtitles.txt", []), start=1):
        match = re.fullmatch(rf"subtitle ({NUMBER}) \d+ \d+ \d+ \S+ (.*)", line)
        if match is None and line.strip():
            raise ValueError(f"{path}, Subtitles.txt:{number}: {_shown(line)} is not a subtitle")
        if match:
            subtitles.append((int(match[1]), match[2]))
    commands, pads = _bk2_frames(texts["Input Log.txt"], f"{path}, Input Log.txt")
    return Movie(np.array(pads, np.uint8), np.array(commands, np.uint8), header, tuple(subtitles))


def _bk2_frames(lines: list[str], where: str) -> tuple[list[int], list[tuple[int, int]]]:
    """(commands, controllers) of every frame; columns as the log key names them."""
    columns = _bk2_columns(_LOG_KEY, where)
    commands, pads = [], []
    for number, line in enumerate(lines, start=1):
        if line.startswith("LogKey:"):
            columns = _bk2_columns(line, f"{where}:{number}")
        if not line.startswith("|"):
            continue
        flat = line.replace("|", "")
        if len(flat) != len(columns):
            raise ValueError(f"{where}:{number}: {len(flat)} buttons, the log key names {len(columns)}")
        frame = [0, 0, 0]
        for letter, (target, bit) in zip(flat, columns, strict=True):
            if letter not in " .":
                frame[target] |= 1 << bit
        commands.append(frame[0])
        pads.append((frame[1], frame[2]))
    if not pads:
        raise ValueError(f"{where}: no input in it; a frame begins with '|'")
    return commands, pads


def _bk2_columns(key: str, where: str) -> list[tuple[int, int]]:
    """(0 for commands, else the player; bit) of every column."""
    bits = {
        f"P{player} {name}": (player, bit) for player in (1, 2) for name, bit in zip(BK2_ORDER, BK2_BITS, strict=True)
    }
    bits |= {"Reset": (0, 0), "Power": (0, 1)}
    columns = []
    for name in re.split(r"[|#]", key.removeprefix("LogKey:")):
        if name and name not in bits:
            raise ValueError(
                f"{where}: the log key names {_shown(name)}; known are Reset, Power and controllers P1 and P2"
            )
        columns += [bits[name]] if name else []
    return columns
