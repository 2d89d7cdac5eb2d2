from mlx_drmario.spec import DOWN, LEFT, RIGHT, A, B
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
