"""Deliberate faults in the app, beside tui.py: its worker and how that is started, keys, recorded games; see rl.py."""

SESSION, TRAINER, ONLOOKER, PAD = "tui/session.py", "tui/trainer.py", "tui/onlooker.py", "tui/pad.py"
TEST_DEATHS, TEST_TAUGHT = "tests/tui/test_deaths.py", "tests/tui/test_taught.py"
TEST_SHARING, LINK = "tests/tui/test_sharing.py", "tui/link.py"
TEST_PART, TEST_WISHES, LIVE = "tests/tui/test_part.py", "tests/tui/test_wishes.py", "tui/screens/live.py"

# (name, file, old text, new text, test that fails)
MUTANTS: list[tuple[str, str, str, str, str]] = [
    (
        "a log that cannot be written ends the app",
        SESSION,
        "        except OSError as error:\n            self.over.set()\n",
        "        except PermissionError as error:\n            self.over.set()\n",
        f"{TEST_DEATHS}::test_a_place_where_no_log_can_be_is_named",
    ),
    (
        "a session without a worker goes on",
        SESSION,
        "            self.over.set()\n            hand_on(Died(None,",
        "            hand_on(Died(None,",
        f"{TEST_DEATHS}::test_a_place_where_no_log_can_be_is_named",
    ),
    (
        "a socket has a name of any length",
        TRAINER,
        'dir=None if short else "/tmp"',
        "dir=None",
        f"{TEST_DEATHS}::test_a_temporary_directory_of_a_long_name_is_no_hindrance",
    ),
    (
        "a run that learns from search is silent about what it cannot do",
        TRAINER,
        "            case Evaluate() | Games() | Level() | Restart():\n",
        "            case Evaluate() | Games() | Level():\n",
        f"{TEST_TAUGHT}::test_a_run_that_learns_from_search_is_trained_too",
    ),
    (
        "a speed-up that is not known is none",
        ONLOOKER,
        "if self._speedup else None\n",
        "if self._speedup else 0.0\n",
        f"{TEST_TAUGHT}::test_a_run_that_learns_from_search_is_trained_too",
    ),
    (
        "keys that are not released hold left and right",
        PAD,
        "        self._left.pop(_OPPOSITE.get(button, 0), None)\n",
        "",
        "tests/tui/test_pad.py::test_buttons_combine_but_left_and_right_exclude_each_other",
    ),
    (
        "keys stay down when the terminal loses the focus",
        PAD,
        "        self._held.clear()\n        self._tapped.clear()\n        self._left.clear()\n",
        "        self._tapped.clear()\n",
        "tests/tui/test_pad.py::test_nothing_stays_held_when_the_terminal_loses_the_focus",
    ),
    (
        "a finished game makes room at once",
        "tui/table.py",
        "self._rest > REST",
        "self._rest > 0",
        "tests/tui/test_table.py::test_a_finished_game_rests_as_it_ended_and_the_next_begins",
    ),
    (
        "a branch has a clock of its own",
        "tui/player.py",
        "frames.append(command.frames + int(games.frames[0]))",
        "frames.append(int(games.frames[0]))",
        "tests/tui/test_table.py::test_a_playout_makes_the_decision_it_is_asked_and_then_the_policy_s",
    ),
    (
        "a few placements have the entropy of all",
        "tui/recorded.py",
        "replace(choice, entropy=None, quantiles=quantiles)",
        "replace(choice, quantiles=quantiles)",
        "tests/tui/test_recorded.py::test_what_the_policy_said_is_shown",
    ),
    (
        "fewer games lose the one in focus",
        ONLOOKER,
        "min(game, self._config.env.num_envs - 1, MAX_GAMES - 1)",
        "game",
        f"{TEST_PART}::test_of_fewer_games_the_last_one_is_in_focus",
    ),
    (
        "a shard counts the games of those that have begun",
        ONLOOKER,
        "return part * (self._config.env.num_envs // self._config.shards)",
        "return sum(other.size for other in self._parts[:part])",
        f"{TEST_PART}::test_a_shard_finds_its_game_before_the_others_begin",
    ),
    (
        "a picture without a game in focus is waited for",
        ONLOOKER,
        "            if all(other.request == mine.request for other in self._parts):\n",
        "            if self._focus and all(other.request == mine.request for other in self._parts):\n",
        f"{TEST_PART}::test_a_game_that_comes_into_focus_too_late_for_a_picture_is_in_the_next",
    ),
    (
        "a picture under way undoes a key",
        LIVE,
        "        stands = there | self._wanted\n",
        "        stands = there\n",
        f"{TEST_WISHES}::test_pictures_under_way_do_not_undo_what_was_asked_for",
    ),
    (
        "a single decision goes on",
        LIVE,
        '        self.paused = self._wanted["paused"] = True\n',
        "",
        f"{TEST_WISHES}::test_a_single_decision_is_a_pause",
    ),
    (
        "a game that is there no more is waited for",
        LIVE,
        'min(self._wanted["game"], picture.boards.count - 1)',
        'self._wanted["game"]',
        f"{TEST_WISHES}::test_a_game_that_is_there_no_more_is_not_waited_for",
    ),
    (
        "an app is told what happened before it came",
        LINK,
        "            self._reports.clear()\n",
        "",
        f"{TEST_SHARING}::test_a_link_obeys_the_newest_app_alone",
    ),
    (
        "a wish undoes that all games start anew",
        TRAINER,
        "if read else self._next or self._config",
        "if read else self._config",
        f"{TEST_WISHES}::test_a_run_that_starts_anew_does_what_else_it_is_told",
    ),
    (
        "games that start anew undo the wishes",
        TRAINER,
        "dataclasses.replace(config.env, **wishes)",
        "dataclasses.replace(config.env, **env)",
        f"{TEST_WISHES}::test_a_run_that_starts_anew_does_what_else_it_is_told",
    ),
    (
        "what was asked for once is asked for ever",
        TRAINER,
        "(self._wishes if self._next else {})",
        "self._wishes",
        f"{TEST_WISHES}::test_a_run_that_starts_anew_does_what_else_it_is_told",
    ),
    (
        "players share a log",
        SESSION,
        'f"watch-{os.getpid()}-{next(_NUMBERS)}.log"',
        '"watch.log"',
        f"{TEST_DEATHS}::test_every_player_has_a_log_of_its_own_which_goes_when_it_ends_well",
    ),
    (
        "what a player that failed has written is removed",
        SESSION,
        "            if self.process.returncode == 0:",
        "            if True:",
        f"{TEST_DEATHS}::test_every_player_has_a_log_of_its_own_which_goes_when_it_ends_well",
    ),
]
