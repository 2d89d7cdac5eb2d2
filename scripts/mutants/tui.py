"""Deliberate faults in the app: each replaces a text that occurs once, and the test named must then fail."""

WALL, TABLE, CHOICES, PAD = "tui/widgets/wall.py", "tui/table.py", "tui/choices.py", "tui/pad.py"
KEYBOARD, LINK, SESSION = "tui/keyboard.py", "tui/link.py", "tui/session.py"
ONLOOKER, PART, GATE, TRAINER = "tui/onlooker.py", "tui/part.py", "tui/gate.py", "tui/trainer.py"
POSITION, TRAVEL, CURVE, SUMMARY = (
    "tui/position.py",
    "tui/screens/travel.py",
    "tui/widgets/curve.py",
    "tui/widgets/summary.py",
)
GAME, PLAY, PLAYER, THEMES = "tui/game.py", "tui/screens/play.py", "tui/player.py", "tui/themes.py"
TEST_WALL, TEST_TABLE, TEST_PAD = "tests/tui/test_wall.py", "tests/tui/test_table.py", "tests/tui/test_pad.py"
TEST_PLAY, TEST_TRAINING, TEST_TRAVEL = (
    "tests/tui/test_play.py",
    "tests/tui/test_training.py",
    "tests/tui/test_travel.py",
)
TEST_LIVE, TEST_CURVE, TEST_HOME = "tests/tui/test_live.py", "tests/tui/test_curve.py", "tests/tui/test_home.py"
RECORDED, TEST_RECORDED = "tui/recorded.py", "tests/tui/test_recorded.py"
TEST_PART, TEST_CALLBACK = "tests/tui/test_part.py", "tests/rl/test_callback.py"
PAINTED, EVENTS, TEST_MEMORY = "tui/widgets/painted.py", "tui/widgets/events.py", "tests/tui/test_memory.py"

# (name, file, old text, new text, test that fails)
MUTANTS: list[tuple[str, str, str, str, str]] = [
    (
        "the wall keeps old lines of changed cells",
        WALL,
        "self._strips.pop(y, None)",
        "self._strips.get(y, None)",
        TEST_WALL,
    ),
    (
        "the wall repaints whole lines",
        WALL,
        "start = form.column(first)",
        "start = 0",
        TEST_WALL,
    ),
    (
        "the lower cell is painted above",
        WALL,
        "classes[:, 0::2] * np.uint8(CLASSES) + classes[:, 1::2]",
        "classes[:, 1::2] * np.uint8(CLASSES) + classes[:, 0::2]",
        TEST_WALL,
    ),
    ("a click picks the board before", WALL, "+ row * columns + column\n", "+ row * columns + column - 1\n", TEST_WALL),
    ("a virus as bright as a half", THEMES, '"virus-0": "#8a6a00"', '"virus-0": "#f4cf45"', TEST_WALL),
    ("the clock starts a frame early", TABLE, "((self.frames > 0) | falling) & playing", "playing", TEST_TABLE),
    ("a finished game goes on", TABLE, "self._last[over] = self._states[over]", "pass", TEST_TABLE),
    (
        "scripts are held a frame late",
        TABLE,
        "self._at[n], self._length[n] = 0, len(script)",
        "self._at[n], self._length[n] = -1, len(script)",
        TEST_TABLE,
    ),
    ("the shown reward is the best placement's", CHOICES, "column[rows][chosen]", "column[rows].max()", TEST_TABLE),
    (
        "a turned capsule is drawn lying",
        POSITION,
        "upright = rotation % 2 == 1",
        "upright = rotation % 2 == 2",
        TEST_TABLE,
    ),
    (
        "the second half lies on the other side",
        POSITION,
        "(1, 8, -1, -8)[orientation]",
        "(-1, 8, 1, -8)[orientation]",
        TEST_TABLE,
    ),
    ("a tap between frames is lost", PAD, "for button in self._tapped if", "for button in () if", TEST_PAD),
    ("left and right together", PAD, "if button in _OPPOSITE][-1:]", "if button in _OPPOSITE]", TEST_PAD),
    (
        "releases are presses",
        KEYBOARD,
        "yield KeyReleased(event.key) if kind == _RELEASE else event",
        "yield event",
        TEST_PAD,
    ),
    ("releases are not asked for", KEYBOARD, "app._driver.write(_ASK if on else _END)", "pass", TEST_HOME),
    ("a picture is sent unasked", LINK, "        if self._wanted:\n", "        if True:\n", TEST_TRAINING),
    ("the trainer outlives its app", LINK, "if not self.detached:\n", "if False:\n", TEST_TRAINING),
    ("a detached trainer ends with its app", LINK, "self.detached = True", "pass", TEST_TRAINING),
    (
        "a dead worker is not reported",
        SESSION,
        "if not ended and self._connection is not None:",
        "if False:",
        TEST_LIVE,
    ),
    ("pause is ignored", GATE, "            self.paused = on\n", "            self.paused = False\n", TEST_TRAINING),
    (
        "other games start a new run",
        TRAINER,
        "resume, fresh = self._next, None, True, True",
        "resume, fresh = self._next, None, False, True",
        TEST_TRAINING,
    ),
    ("earned rewards outlive their game", PART, "total[games.decisions == 0] = 0", "pass", TEST_TRAINING),
    ("time travel mixes two games", PART, "break  # the game before", "pass  # the game before", TEST_TRAINING),
    ("the second shard's games are the first's", ONLOOKER, "self._parts[:part])", "self._parts[:0])", TEST_TRAINING),
    (
        "a branch starts a decision late",
        TRAVEL,
        "self.line.states[self.at : self.at + 1]",
        "self.line.states[self.at - 1 : self.at]",
        TEST_TRAVEL,
    ),
    ("an old branch is shown", TRAVEL, "if line.request == self._request:", "if True:", TEST_TRAVEL),
    (
        "a playout ignores the asked placement",
        PLAYER,
        "actions = np.array([command.action], np.int32)\n",
        "actions = self._policy.act(games.view)\n",
        TEST_TABLE,
    ),
    (
        "a curve is upside down",
        CURVE,
        "(1 - (min(max(y, low), high) - low) / (high - low))",
        "((min(max(y, low), high) - low) / (high - low))",
        TEST_CURVE,
    ),
    ("a curve keeps what was done again", SUMMARY, "points[-1][0] >= x", "points[-1][0] > 1e18", TEST_CURVE),
    (
        "frames are counted before the first capsule",
        GAME,
        "self.frames[index] > 0 or falling[index]",
        "True",
        TEST_PLAY,
    ),
    ("player 2 plays for player 1", PLAY, "self.pads[seat - 1].press(button)", "self.pads[0].press(button)", TEST_PLAY),
    (
        "a recorded game ends a decision early",
        RECORDED,
        "range(rows.start, rows.stop)",
        "range(rows.start, rows.stop - 1)",
        TEST_RECORDED,
    ),
    (
        "a closed screen is kept",
        PAINTED,
        "self.app.theme_changed_signal.unsubscribe(self)",
        "pass",
        TEST_MEMORY,
    ),
    ("the event log keeps everything", EVENTS, "deque(maxlen=_KEPT)", "deque()", TEST_MEMORY),
    ("a curve keeps every point", SUMMARY, "if len(points) > _MOST_POINTS:", "if False:", TEST_MEMORY),
    ("reports wait without end", LINK, "deque(maxlen=MAX_WAITING)", "deque()", TEST_MEMORY),
    ("decisions are remembered for ever", PART, "deque(maxlen=_REMEMBERED)", "deque()", TEST_MEMORY),
    (
        "restart goes on with the same games",
        TRAINER,
        "resume, fresh = self._next, None, True, True",
        "resume, fresh = self._next, None, True, False",
        TEST_TRAINING,
    ),
    ("a run of one shard is not shown", ONLOOKER, "range(config.shards)", "range(2)", TEST_TRAINING),
    ("a game that ended is shown for ever", PART, "self.resting -= shown", "pass", TEST_PART),
    ("a pause wears out what is shown", PART, "if moment is not self.looked:", "if True:", TEST_PART),
    ("a lost game is cleared", PART, "np.where(games.cleared[rows], CLEARED, TOP_OUT)", "CLEARED", TEST_PART),
    (
        "a game that ended is the next one",
        PART,
        "np.where(shown, self.ends, moment.states)",
        "moment.states",
        TEST_PART,
    ),
    ("one thread that waits holds the run", GATE, "return min(self._waited", "return max(self._waited", TEST_PART),
    ("a pause counts twice", GATE, "self._waited.pop(thread, 0.0)", "self._waited[thread]", TEST_PART),
    (
        "a pause uses up the minutes",
        "mlx_drmario/rl/ppo/learner.py",
        "np.array(end - since - held)",
        "np.array(end - since)",
        TEST_CALLBACK,
    ),
    (
        "nobody asks how long it was held up",
        "mlx_drmario/rl/ppo/train.py",
        "learner.iterate(callback.held_seconds)",
        "learner.iterate()",
        TEST_CALLBACK,
    ),
    (
        "games asked to start anew go on",
        "mlx_drmario/rl/ppo/state.py",
        'state["games"] == games and not fresh_games',
        'state["games"] == games',
        TEST_CALLBACK,
    ),
    ("a wall remembers every line that it painted", WALL, "if len(self._rows) >= _MOST_ROWS:", "if False:", TEST_WALL),
    (
        "other boards leave their lines behind",
        WALL,
        "        self._strips.clear()\n        self.refresh()\n\n    def on_resize",
        "        self.refresh()\n\n    def on_resize",
        TEST_WALL,
    ),
    ("another page keeps the lines of the last", WALL, "            self._strips.clear()\n", "", TEST_WALL),
]
