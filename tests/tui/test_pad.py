from mlx_drmario.spec import DOWN, LEFT, RIGHT, A, B
from mlx_drmario.tui.keyboard import KeyReleased, ReleaseParser
from mlx_drmario.tui.pad import FRAMES_HELD, Pad


def frames(pad, n):
    return [pad.frame() for _ in range(n)]


def test_a_press_is_held_for_its_frames_and_released():
    for button, held in FRAMES_HELD.items():
        pad = Pad()
        pad.press(button)
        assert frames(pad, held + 2) == [button] * held + [0, 0]


def test_key_repeat_keeps_a_button_held():
    pad = Pad()
    seen = []
    for _ in range(6):
        pad.press(LEFT)
        seen += frames(pad, 3)
    assert seen == [LEFT] * 18


def test_turns_are_released_between_presses():
    pad = Pad()
    seen = []
    for _ in range(2):
        pad.press(A)
        seen += frames(pad, 2)
    assert seen == [A, 0, A, 0]


def test_buttons_combine_but_left_and_right_exclude_each_other():
    pad = Pad()
    pad.press(LEFT)
    pad.press(DOWN)
    pad.press(B)
    assert frames(pad, 2) == [LEFT | DOWN | B, LEFT | DOWN]
    pad.press(RIGHT)
    assert frames(pad, 1) == [RIGHT | DOWN]


def test_with_releases_a_button_is_held_as_long_as_its_key():
    pad = Pad()
    pad.press(LEFT)
    pad.frame()
    pad.release(LEFT)  # the first release: this terminal reports them
    pad.press(RIGHT)
    pad.press(RIGHT)  # the terminal's repeat means nothing
    assert frames(pad, 40) == [RIGHT] * 40
    pad.press(LEFT)  # both down: the later one counts
    assert frames(pad, 2) == [LEFT] * 2
    pad.release(LEFT)
    assert frames(pad, 2) == [RIGHT] * 2
    pad.release(RIGHT)
    assert frames(pad, 2) == [0, 0]


def test_a_tap_between_two_frames_counts_for_one():
    pad = Pad()
    pad.release(A)
    pad.press(A)
    pad.release(A)
    assert frames(pad, 3) == [A, 0, 0]


def test_nothing_stays_held_when_the_terminal_loses_the_focus():
    pad = Pad()
    pad.release(LEFT)
    pad.press(LEFT)
    pad.press(DOWN)
    pad.release_all()
    assert frames(pad, 2) == [0, 0]


def parsed(sequence):
    return [(type(event).__name__, event.key) for event in ReleaseParser(False).feed(sequence)]


def test_the_parser_tells_presses_repeats_and_releases_apart():
    assert parsed("\x1b[1;1:1D") == [("Key", "left")]
    assert parsed("\x1b[1;1:2D") == [("Key", "left")]
    assert parsed("\x1b[1;1:3D") == [(KeyReleased.__name__, "left")]
    assert parsed("\x1b[1;2:1C") == [("Key", "shift+right")]
    assert parsed("\x1b[120;1:1;120u") == [("Key", "x")]
    assert parsed("\x1b[120;1:3u") == [("KeyReleased", "x")]
    assert parsed("\x1b[46;1:3u") == [("KeyReleased", "full_stop")]
    for modifiers in (2, 3, 5, 65):  # Shift, Alt, Ctrl, Caps Lock: down by the time the key goes up
        assert parsed(f"\x1b[1;{modifiers}:3C") == [("KeyReleased", "right")]
        assert parsed(f"\x1b[120;{modifiers}:3u") == [("KeyReleased", "x")]
    assert parsed("\x1b[C\x1b[122;1;122uq") == [("Key", "right"), ("Key", "z"), ("Key", "q")]  # as Textual has it
