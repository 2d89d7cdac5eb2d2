"""docs/rules.md, sections 10, 18 and 19, read from the page and checked on the engine."""

import itertools
import re

import numpy as np
import pytest

import mlx_drmario as dm
from tests.docs.pages import ROOT, drawings, section, tables

PAGE = (ROOT / "docs" / "rules.md").read_text()
EMPTY, VIRUS, SINGLE, YELLOW, RED, BLUE = 0xFF, 0xD0, 0x80, 0, 1, 2
FALL, RESOLVE, ATTACK, HANDOVER, GAP = 0, 1, 2, 3, 5
DROP = 3
A, B, START, DOWN, LEFT, RIGHT = 0x80, 0x40, 0x10, 0x04, 0x02, 0x01
LOW, HI = 0, 2
FIELDS = (
    "mode", "rng0", "rng1", "frame_counter", "p1_bottle", "p1_next_action", "p1_placed_step", "p1_pill_x",
    "p1_hor_velocity", "p1_pill_count_bcd", "p1_speed_counter", "p1_virus_to_add", "p1_level",
)  # fmt: skip


def bottle(cells: dict[tuple[int, int], int]) -> np.ndarray:
    """u8[128]: these cells, and a blue virus in the top right corner's column that no test reaches."""
    made = np.full((16, 8), EMPTY, np.uint8)
    made[15, 7] = VIRUS + BLUE
    for at, cell in cells.items():
        made[at] = cell
    return made.reshape(128)


def game(speed: int, board: np.ndarray, players: int = 1, frame_counter: int = 0, **fields: int) -> dm.Batch:
    """One game at its first sample of play, on `board` (both players'), with some fields of p1 set."""
    batch = dm.Batch(num_envs=1, players=players, threads=1)
    batch.reset(level=0, speed=speed, seed=0x8988, frame_counter=frame_counter)
    state = batch.state.copy()
    for player in range(1, players + 1):
        state[f"p{player}_bottle"] = board
        state[f"p{player}_virus_left_bcd"] = int((board & 0xF0 == VIRUS).sum())
    for name, value in fields.items():
        state[f"p1_{name}"] = value
    batch.set_state(state)
    return batch


def play(batch: dm.Batch, frames: int, held: object = 0, more: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Plays with the buttons `held` (a number, or [frames] numbers) of player 1; rows [frames, ...] of game 0."""
    buttons = np.zeros((frames, 1, batch.players), np.uint8)
    buttons[:, 0, 0] = held
    return {name: rows[:, 0] for name, rows in batch.run(buttons, record=(*FIELDS, *more)).items()}


def word(rows: dict[str, np.ndarray], frame: int) -> int:
    """The random number generator's state."""
    return int(rows["rng0"][frame]) << 8 | int(rows["rng1"][frame])


def numbers(pattern: str, text: str) -> tuple[int, ...]:
    """The groups of the first match: decimal, or hexadecimal with 0x."""
    match = re.search(pattern, text, re.MULTILINE)
    assert match, f"the page does not say {pattern}"
    return tuple(int(group, 0) for group in match.groups())


def first(condition: np.ndarray) -> int:
    assert condition.any(), "it never happened"
    return int(condition.argmax())


def spawns(rows: dict[str, np.ndarray]) -> list[int]:
    """Rows in which a capsule enters the bottle (the count is 1 before the first)."""
    return np.flatnonzero(np.diff(rows["p1_pill_count_bcd"], prepend=1)).tolist()


def locks(rows: dict[str, np.ndarray], player: int = 1) -> list[int]:
    action = rows[f"p{player}_next_action"]
    return (np.flatnonzero((action[1:] == RESOLVE) & (action[:-1] == FALL)) + 1).tolist()


# Section 18.


def listed(name: str) -> list[int]:
    """The list that section 18 calls `name`."""
    value = re.search(
        rf"^{name} = ([^#=]*?\](?:\*\d+)?(?: \+ \[[\d,]+\](?:\*\d+)?)*)", section(PAGE, "18"), re.MULTILINE
    )
    assert value
    return [int(number) for number in eval(value[1])]


def test_fall_frames() -> None:
    table, base = listed("FALL_FRAMES"), listed("BASE")
    cases = list(itertools.product(range(3), range(50)))
    batch = dm.Batch(num_envs=len(cases), threads=1)
    batch.reset(level=0, speed=[speed for speed, _ in cases], seed=0x8988)
    state = batch.state.copy()
    state["p1_speed_ups"] = [ups for _, ups in cases]
    batch.set_state(state)
    _, scalars = batch.observe()
    threshold = scalars[:, dm.Decisions(num_envs=1).scalar_names.index("gravity_threshold/40")] * 40
    np.testing.assert_allclose(threshold, [table[base[speed] + ups] for speed, ups in cases], rtol=1e-6)
    columns, *rows = tables(section(PAGE, "18"))[0]
    for speed, row in enumerate(rows):
        assert [int(cell) for cell in row[1:]] == [table[base[speed] + int(ups)] for ups in columns[1:]], row[0]


def test_virus_heights_and_counts() -> None:
    caps = listed("MAX_HEIGHT")
    seeds = np.random.default_rng(0).integers(2, 65536, 200)
    for level, cap in enumerate(caps):
        batch = dm.Batch(num_envs=200)
        batch.reset(level=level, speed=0, seed=seeds)
        viruses = batch.bottles[:, 0] & 0xF0 == VIRUS
        viruses &= batch.bottles[:, 0] != EMPTY
        assert (viruses.sum(axis=(1, 2)) == 4 * (min(level, 20) + 1)).all()
        heights = 15 - np.nonzero(viruses)[1]
        assert heights.max() == cap, level


# Section 10.


def test_drop_passes_of_the_drawing() -> None:
    text = next(block for block in drawings(section(PAGE, "10.1")) if "pass 1" in block)
    lines = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()[1:]]
    kinds = {".": EMPTY, "s": SINGLE, "t": SINGLE + RED, "<": 0x60, ">": 0x70 + BLUE, "V": VIRUS}
    boards = []
    for column in range(1, len(lines[0])):
        cells = {}
        for row, line in zip(range(12, 16), lines, strict=True):
            cells |= {(row, col): kinds[mark] for col, mark in enumerate(line[column].split())}
        boards.append(bottle(cells))
    batch = game(HI, boards[0], next_action=RESOLVE, placed_step=DROP, status=255)
    rows = play(batch, 16 * len(boards))
    for number, board in enumerate(boards):  # pass 0 is the first frame, and moves what the drawing calls pass 1
        np.testing.assert_array_equal(rows["p1_bottle"][16 * number], boards[min(number + 1, len(boards) - 1)])
        assert number == 0 or (board != boards[number - 1]).any()


# Section 19.


def test_orbit() -> None:
    text = section(PAGE, "19.1")
    words = [int(state, 16) for state in drawings(text)[0].split()]
    orbit = [0x8988]
    while len(orbit) < 500:
        orbit.append(orbit[-1] >> 1 | ((orbit[-1] >> 9 ^ orbit[-1] >> 1) & 1) << 15)
    assert orbit[: len(words)] == words
    index, seed, after = numbers(r"`orbit\[(\d+)\]` = (\w+); after the reserve (\w+)", text)
    assert [orbit[index], orbit[index + 128]] == [seed, after]
    for start in (0, index):  # the engine takes 128 steps for the reserve
        batch = dm.Batch(num_envs=1)
        batch.reset(level=0, speed=2, seed=orbit[start], start="init")
        rows = play(batch, 1)
        assert word(rows, 0) == orbit[start + 128]


def layout(text: str, prefix: str = "row") -> dict[int, list[int]]:
    """Row -> its 8 bytes, of a drawing whose lines begin with `prefix` and the row."""
    found = re.findall(rf"^{prefix} +(\d+) ((?: (?:\.\.|D\d)){{8}})$", text, re.MULTILINE)
    return {int(row): [EMPTY if cell == ".." else int(cell, 16) for cell in cells.split()] for row, cells in found}


@pytest.mark.parametrize("level", [0, 20])
def test_layouts(level: int) -> None:
    text = section(PAGE, "19.2")
    batch = dm.Batch(num_envs=1)
    batch.reset(level=level, speed=2, seed=0x8988, start="init")
    rows = play(batch, 250)
    reserve = next(block for block in drawings(text) if len(block.split()) == 128)
    assert batch.state["reserve"][0].tolist() == [int(entry) for entry in reserve.split()]
    last, after = numbers(rf"^Level {level}: V = I\+(\d+), the state after the viruses is (\w+)", text)  # row 0 is I
    assert rows["p1_virus_to_add"][last] == 0 < rows["p1_virus_to_add"][last - 1]
    assert word(rows, last) == after
    assert first(rows["mode"] == 4) == last + 129
    board = np.full((16, 8), EMPTY, np.uint8)
    for row, cells in layout(text[text.index(f"Level {level}:") :].split("```")[1]).items():
        board[row] = cells
    np.testing.assert_array_equal(rows["p1_bottle"][last].reshape(16, 8), board)


def test_layout_of_two_players() -> None:
    text = section(PAGE, "19.2")
    reserve, after, last = numbers(
        r"(0x\w+)\s+after\s+the\s+reserve,\s+(0x\w+)\s+after\s+the\s+viruses,\s+V\s+=\s+I\+(\d+)", text
    )
    batch = dm.Batch(num_envs=1, players=2)
    batch.reset(level=[[5, 12]], speed=2, seed=0x1234, start="init")
    rows = play(batch, 100, more=("p2_virus_to_add", "p2_bottle"))
    assert [word(rows, 0), word(rows, last)] == [reserve, after]
    assert rows["p2_virus_to_add"][last] == 0 < rows["p2_virus_to_add"][last - 1]
    for player in (1, 2):
        for row, cells in layout(text, f"P{player} row").items():
            assert rows[f"p{player}_bottle"][-1].reshape(16, 8)[row].tolist() == cells


def test_free_fall() -> None:
    text = section(PAGE, "19.3")
    _, *table = tables(text)[0]
    for ups, *cells in table:
        for speed, cell in enumerate(cells):
            rows = play(game(speed, bottle({}), speed_ups=int(ups)), 800)
            assert locks(rows)[0] - spawns(rows)[0] == int(cell), (ups, speed)
    even, odd = numbers(r"spawn\+(\d+) if `fc` at the spawn is even, \+(\d+) if odd", text)
    for counter in (0, 1):
        rows = play(game(HI, bottle({}), frame_counter=counter), 100, DOWN)
        spawn = spawns(rows)[0]
        assert locks(rows)[0] - spawn == (odd if rows["frame_counter"][spawn] & 1 else even)


def test_lock_to_spawn() -> None:
    (_, *rows_of), *lines = tables(section(PAGE, "19.4"))[0]
    bases = [range(int(cell.split("-")[0]), int(cell.split("-")[-1]) + 1) for cell in rows_of]
    kinds = {"1P MED, HI": (1, (1, 2)), "1P LOW": (1, (0,)), "2P": (2, (0, 1, 2))}
    for name, *cells in lines:
        players, speeds = kinds[name]
        # Soft drops lock on odd frames, LOW gravity on even ones.
        for (column, cell), speed, held in itertools.product(enumerate(cells), speeds, (0, DOWN)):
            for r in bases[column]:
                stack = {(row, col): SINGLE + (row + col) % 2 for row in range(r + 1, 16) for col in (3, 4)}
                rows = play(game(speed, bottle(stack), players), 900, held)
                lock = locks(rows)[0]
                spawn = next(spawn for spawn in spawns(rows) if spawn > lock)
                choices = [int(value) for value in cell.split("/")]
                odd = rows["frame_counter"][lock + max(4, r + 1) + 8] & 1
                assert spawn - lock == (choices[0] if odd else choices[-1]), (name, r, speed, held)


RED_ROW = {(15, col): VIRUS + RED for col in range(3)}
STACKS = {(row, col): SINGLE + (BLUE if row == 13 else YELLOW) for row in (13, 14) for col in (0, 1)}
CLEARS = {
    "A": (RED_ROW, RED, YELLOW),
    "B": (RED_ROW | STACKS, RED, YELLOW),
    "C": ({(row, 4): VIRUS + RED for row in (13, 14, 15)}, YELLOW, RED),
}


def test_clears() -> None:
    _, *table = tables(section(PAGE, "19.5"))[0]
    assert [row[0] for row in table] == list(CLEARS)
    for name, *cells in table:
        d0, marks, tidy, drops, spawn, fall = ([int(n) for n in re.findall(r"L\+(\d+)", cell)] for cell in cells)
        board, left, right = CLEARS[name]
        rows = play(game(HI, bottle(board), next_color_l=left, next_color_r=right), 500)
        lock = locks(rows)[0]
        kind, step = rows["p1_bottle"] & 0xF0, rows["p1_placed_step"]
        passes = np.flatnonzero((step[:-1] == DROP) & (step[1:] != DROP)) + 1 - lock
        assert passes[: 1 + len(drops)].tolist() == d0 + drops
        assert first((kind == 0xB0).any(axis=1)) == lock + marks[0]
        assert first(((kind == 0xF0) & (rows["p1_bottle"] != EMPTY)).any(axis=1)) == lock + tidy[0]
        assert spawns(rows)[1] == lock + spawn[0]
        assert rows["p1_speed_counter"][lock + fall[0] - 1 : lock + fall[0] + 1].tolist() == [0, 1]


def test_auto_repeat() -> None:
    _, exact, early = tables(section(PAGE, "19.6"))[0]
    spawn = spawns(play(game(LOW, bottle({})), 100))[0]
    for cells, pressed in ((exact, spawn + 2), (early, spawn)):
        rows = play(game(LOW, bottle({})), 150, np.where(np.arange(150) >= pressed, RIGHT, 0))
        moves = (np.flatnonzero(np.diff(rows["p1_pill_x"][spawn:])) + 1 - 2).tolist()  # from c = spawn + 2 on
        assert moves == [int(n or 0) for n in re.findall(r"\bc(?:\+(\d+))?", cells[1].split("(")[0])]


def pose(text: str) -> tuple[int, int]:
    """(rotation, column) of 'vertical, x = 4'; vertical is rotation 1, horizontal 0."""
    return int("vertical" in text), numbers(r"x = (\d)", text)[0]


def test_rotation() -> None:
    for before, when, after in tables(section(PAGE, "19.7"))[0][1:]:
        rotation, x = pose(before)
        row = 8
        filled = {}
        if "left of it" in before:
            filled[row, x - 1] = SINGLE
        if "right neighbour" in before:
            filled[row, x + (1 if rotation else 2)] = SINGLE
        held = [(A, r"\bA\b"), (B, r"\bB\b"), (LEFT, "Left"), (RIGHT, "Right")]
        buttons = sum(button for button, name in held if re.search(name, when))
        batch = game(
            LOW, bottle(filled), next_action=FALL, pill_x=x, pill_y=15 - row, pill_rotation=rotation,
            held=LEFT if "already held" in when else 0,
        )  # fmt: skip
        play(batch, 1, buttons)
        state = batch.state[0]
        expected = (rotation, x) if after == "unchanged" else pose(after)
        if after.startswith("x ="):
            expected = (rotation, expected[1])
        assert (state["p1_pill_rotation"] & 1, state["p1_pill_x"]) == expected, (before, when)
        if "`das`" in after:
            assert state["p1_hor_velocity"] == int(after.split()[-1])


def test_garbage() -> None:
    text = section(PAGE, "19.8")
    assert [int(n) for n in re.findall(r"L[12]\+(\d+)", text[text.index("|") :])] == [
        13, 16, 17, 33, 39, 40, 41, 16, 22, 48,
    ]  # fmt: skip
    columns = {(row, 3): SINGLE + RED for row in (13, 14, 15)} | {(row, 4): SINGLE + BLUE for row in (13, 14, 15)}
    for counter in range(4):
        batch = game(HI, bottle(columns), players=2, frame_counter=counter, next_color_l=RED, next_color_r=BLUE)
        state = batch.state.copy()
        state["p2_bottle"] = bottle({})
        state["p2_speed_ups"] = 1  # 13 rows of 14 frames for P1, 16 of 13 for P2
        batch.set_state(state)
        more = ("p2_bottle", "p2_next_action", "p1_attack_size", "p1_attack_color0", "p1_attack_color1")
        rows = play(batch, 500, more=more)
        one, two = locks(rows, 1)[0], locks(rows, 2)[0]
        assert two - one == numbers(r"L2 = L1\+(\d+)", text)[0]
        assert (rows["p1_placed_step"][one + 12 : one + 14] == [3, 4]).all()
        marked = (rows["p1_bottle"] & 0xF0 == 0xB0).sum(axis=1)
        assert marked[one + 15] == 0 and marked[one + 16] == 8
        assert rows["p1_next_action"][one + 38 : one + 42].tolist() == [ATTACK, GAP, 6, HANDOVER]
        assert rows["p1_attack_size"][one + 38 : one + 40].tolist() == [0, 2]
        assert [rows[f"p1_attack_color{i}"][one + 39] for i in (0, 1)] == [RED, BLUE]
        received = two + 22
        assert rows["p1_attack_size"][received - 1 : received + 1].tolist() == [2, 0]
        k = rows["frame_counter"][received] & 3
        for frame, row in ((received, 0), (received + 13, 0), (received + 14, 1), (received + 30, 2)):
            board = rows["p2_bottle"][frame].reshape(16, 8)
            assert [board[row, k], board[row, k + 4]] == [SINGLE + RED, SINGLE + BLUE]


def test_ends() -> None:
    text = section(PAGE, "19.9")
    level, start, setup, init = numbers(
        r"level \+ 1 at Z\+(\d+);.* accepted at Z\+(\d+); `mode=3` Z\+(\d+); init Z\+(\d+)", text
    )
    board = np.full(128, EMPTY, np.uint8)
    board[120:123] = VIRUS + RED
    rows = play(game(HI, board, next_color_l=RED, next_color_r=YELLOW), 500, np.where(np.arange(500) > 300, START, 0))
    end = locks(rows)[0] + 18
    assert first(rows["p1_level"] == 1) == end + level
    assert first((rows["p1_bottle"] == EMPTY).all(axis=1)) == end + start
    assert [first(rows["mode"] == mode) - end for mode in (3, 8)] == [setup, init]

    (accepted,) = numbers(r"1P top-out.*accepted from F\+(\d+)", text)
    full = bottle({(0, 3): SINGLE})
    frames = np.arange(400)
    for early in (1, 0):
        batch = game(HI, full)
        top = first(play(batch, 400)["mode"] == 5)
        rows = play(game(HI, full), 400, np.where(frames == top + accepted - early, START, 0))
        assert rows["mode"][top : top + 2].tolist() == [5, 7]
        assert (rows["mode"] == 1).any() == (not early)
