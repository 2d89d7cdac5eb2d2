"""The console around a game: power-on, title and options screens, and which buttons lead through them.

The frames between the screens are those of docs/rules.md, sections 4 and 5.1. What it does not say, because it cannot
be known without the program, is in `Menus` (menus.py), a constant each.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.spec import DOWN, LEFT, OPTIONS, PLAY, RIGHT, SETUP, TITLE
from mlx_drmario.traces import schema
from mlx_drmario.traces.menus import Menus

SELECT, START, UP = 0x20, 0x10, 0x08
SCREEN_CHANGE = 3
"""frames from the Start on the title, or after a finished game, to the first of the options screen: docs/rules.md 4"""
BUILD = 3
"""frames from the Start on the options screen to the sample before the level set-up: docs/rules.md 5.1"""
DEMO_WRAPS = 8
"""wraps of the frame counter spent on the title after which the demo begins: docs/rules.md 16"""
MENU_LEVELS = 20
RESET, POWER = 1, 2
"""commands of a movie frame; 0 is none"""


@dataclass(frozen=True)
class Way:
    """How to get from power-on to a game."""

    buttons: NDArray[np.uint8]
    """u8[T, 2], up to and including the frame of the first sample of play"""
    title: int
    """frame in which Start is read on the title"""
    options: int
    """frame in which Start is read on the options screen"""


def way_to(
    level: NDArray[np.integer],
    speed: NDArray[np.integer],
    seed: int,
    frame_counter: int,
    menus: Menus | None = None,
) -> Way:
    """Buttons from power-on to the first sample of play of a game with these settings, level and speed [P].

    The seed is reached by waiting on the options screen (orbit[S - T - 2] is the seed of a game whose Start is read at
    T and at S), the frame counter, in the first sample of play, by waiting on the title.

    Raises:
        ValueError: a level above 20, which the menu does not offer, a seed off the orbit of the power-on state, or
            menus that would have the title wait until the demo begins.
    """
    menus = menus or Menus()
    for value in level.tolist():
        if not 0 <= value <= MENU_LEVELS:
            raise ValueError(f"level is {value}; the menu offers 0..{MENU_LEVELS}")
    at = np.flatnonzero(seeds.orbit() == seed)
    if not len(at):
        raise ValueError(f"seed is {seed}; a console only ever reaches the {seeds.PERIOD} states of its orbit")
    presses = _options_presses(level, speed, menus)
    wait = int(at[0]) + 2  # S - T
    least = SCREEN_CHANGE + menus.settle + menus.gap * (len(presses) + 1)
    while wait < least:
        wait += seeds.PERIOD
    intro = _intro_frames(level, speed, seed)
    # fc(n) = power_on_counter + n, and frame S + BUILD + intro is the first sample of play
    title = menus.title_frame + menus.gap * len(level)
    title += (frame_counter - menus.power_on_counter - title - wait - BUILD - intro) % 256
    demo = 256 * DEMO_WRAPS - menus.power_on_counter
    if title >= demo:
        raise ValueError(
            f"menus.title_frame is {menus.title_frame}; Start would come in frame {title}, the demo begins in {demo}"
        )
    options = title + wait
    buttons = np.zeros((options + BUILD + intro + 1, 2), np.uint8)
    if len(level) == 2:
        buttons[menus.title_frame, 0] = SELECT
    buttons[title, 0] = START
    for i, pair in enumerate(presses):
        buttons[title + SCREEN_CHANGE + menus.settle + i * menus.gap] = pair
    buttons[options, 0] = START
    return Way(buttons, title, options)


def _options_presses(level: NDArray[np.integer], speed: NDArray[np.integer], menus: Menus) -> list[tuple[int, int]]:
    """What both controllers press, one after the other, on the options screen."""

    def moves(steps: int) -> list[int]:
        return [RIGHT if steps > 0 else LEFT] * abs(steps)

    pads = []
    for seat in range(len(level)):
        music = moves(menus.music_off - menus.first_music) if seat == 0 else []
        pads.append([moves(int(level[seat]) - menus.first_level), moves(int(speed[seat]) - menus.first_speed), music])
    down = (DOWN, 0 if menus.one_cursor or len(pads) == 1 else DOWN)
    presses: list[tuple[int, int]] = []
    for row in range(3):
        columns = [pad[row] for pad in pads] + [[]] * (2 - len(pads))
        for i in range(max(map(len, columns))):
            first, second = (column[i] if i < len(column) else 0 for column in columns)
            presses.append((first, second))
        if row < 2:
            presses.append(down)
    return presses


def _intro_frames(level: NDArray[np.integer], speed: NDArray[np.integer], seed: int) -> int:
    """Frames from the sample before the level set-up to the first sample of play."""
    players = len(level)
    batch = dm.Batch(num_envs=1, players=players, threads=1)
    batch.reset(schema.for_reset(level), schema.for_reset(speed), seed, start="init")
    mode = np.asarray(batch.run(np.zeros((1000, 1, players), np.uint8), record=("mode",))["mode"])
    return int(np.argmax(mode[:, 0] == PLAY)) + 1


@dataclass(frozen=True)
class Stage:
    """A game, round or level that was played on the console."""

    start: NDArray[np.void]
    """[1], state before the level set-up"""
    buttons: NDArray[np.uint8]
    """u8[T, P], of the frames after it"""
    frame: int
    """number of the movie frame of `start`"""


def stages(buttons: NDArray[np.uint8], commands: NDArray[np.uint8], menus: Menus | None = None) -> list[Stage]:
    """Everything that is played when these buttons, u8[T, 2], and commands, u8[T], are given from power-on.

    Raises ValueError when the demo begins, which is not modelled.
    """
    return list(_Console(buttons, commands, menus or Menus()).play())


class _Console:
    """The program, frame by frame: title, options and what the engine plays."""

    def __init__(self, buttons: NDArray[np.uint8], commands: NDArray[np.uint8], menus: Menus) -> None:
        self.buttons, self.commands, self.menus = buttons, commands, menus
        self.power_on(0)

    def power_on(self, frame: int) -> None:
        self.rng = seeds.POWER_ON
        self.first = frame
        self.level = [self.menus.first_level] * 2
        self.speed = [self.menus.first_speed] * 2
        self.enter_title(frame)

    def enter_title(self, frame: int) -> None:
        self.screen, self.since, self.players = TITLE, frame + self.menus.title_frame, 1
        self.wraps = 0

    def enter_options(self, frame: int) -> None:
        self.screen, self.since, self.row = OPTIONS, frame + SCREEN_CHANGE, [0, 0]

    def counter_at(self, frame: int) -> int:
        return (self.menus.power_on_counter + frame - self.first) & 255

    def play(self) -> Iterator[Stage]:
        frame, total = 0, len(self.buttons)
        before = np.zeros(2, np.uint8)
        while frame < total:
            held = self.buttons[frame]
            if self.commands[frame] & (RESET | POWER):
                self.power_on(frame)
            pressed, before = held & ~before, held
            if self.screen == TITLE:
                self.title(frame, int(pressed[0]))
            elif frame >= self.since and self.options(pressed):
                start = frame + BUILD
                again = np.flatnonzero(self.commands[frame + 1 : start + 1] & (RESET | POWER))
                if len(again):  # before the game was there
                    frame += 1 + int(again[0])
                    before = self.buttons[frame - 1]
                    continue
                if start >= total:
                    return
                frame = yield from self.games(start)
                before = self.buttons[frame - 1]
                continue
            frame += 1

    def title(self, frame: int, pressed: int) -> None:
        self.wraps += frame > self.first and self.counter_at(frame) == 0
        if pressed:
            self.wraps = 0
        if self.wraps == DEMO_WRAPS:
            raise ValueError(f"frame {frame}: the demo begins, which is not modelled; press Start on the title before")
        if frame < self.since:
            return
        if pressed & SELECT:
            self.players = 3 - self.players
        if pressed & START:
            self.enter_options(frame)

    def options(self, pressed: NDArray[np.uint8]) -> bool:
        """One frame of the options screen; True when the game is started."""
        self.rng = seeds.step(self.rng)
        if pressed[0] == START:
            return True
        for seat in range(self.players):
            button = int(pressed[seat])
            self.move(seat, bool(button & DOWN) - bool(button & UP), bool(button & RIGHT) - bool(button & LEFT))
        return False

    def move(self, seat: int, rows: int, columns: int) -> None:
        own = 0 if self.menus.one_cursor else seat
        if seat == own:
            self.row[own] = min(max(self.row[own] + rows, 0), 2)
        values = (self.level, self.speed, [0, 0])[self.row[own]]
        values[seat] = min(max(values[seat] + columns, 0), (MENU_LEVELS, 2, 2)[self.row[own]])

    def games(self, frame: int) -> Generator[Stage, None, int]:
        """Plays from the set-up at `frame` until the program is back at a menu; returns the frame after it."""
        players = self.players
        batch = dm.Batch(num_envs=1, players=players, threads=1)
        level, speed = (schema.for_reset(np.array(values[:players])) for values in (self.level, self.speed))
        batch.reset(level, speed, self.rng, self.counter_at(frame), start="init")
        state = batch.state.copy()
        for seat in range(players):
            state[f"p{seat + 1}_held"] = self.buttons[frame, seat]
        batch.set_state(state)
        live, start, first = batch.state, batch.state.copy(), frame
        while frame + 1 < len(self.buttons) and not self.commands[frame + 1] & (RESET | POWER):
            frame += 1
            before = int(live["mode"][0])
            batch.step(np.ascontiguousarray(self.buttons[frame, :players][None]))
            mode = int(live["mode"][0])
            if mode == before or mode not in (TITLE, OPTIONS, SETUP):
                continue
            yield Stage(start, self.buttons[first + 1 : frame + 1, :players], first)
            start, first = batch.state.copy(), frame
            if mode != SETUP:
                self.rng = int(live["rng0"][0]) << 8 | int(live["rng1"][0])
                self.enter_title(frame) if mode == TITLE else self.enter_options(frame)
                return frame + 1
        yield Stage(start, self.buttons[first + 1 : frame + 1, :players], first)
        return frame + 1
