"""Deliberate faults in what damaged traces, movies and records are told, and in what is admitted."""

REPLAY, CONSOLE, MOVIE, RECORDS, STORAGE = (
    f"mlx_drmario/traces/{name}.py" for name in ("replay", "console", "movie", "records", "storage")
)
TEST_DAMAGED, TEST_TOOLS, TEST_MOVIE, TEST_HTML, TEST_RECORDS, TEST_RECORDS_COMMAND, TEST_STORAGE = (
    f"tests/traces/test_{name}.py"
    for name in ("damaged", "tools", "movie", "html", "records", "records_command", "storage")
)

TEST_OPENED = "tests/traces/test_records_opened.py"

# (name, file, old text, new text, test that fails)
MUTANTS: list[tuple[str, str, str, str, str]] = [
    (
        "a table of games may say what it likes",
        REPLAY,
        "_mistold(games, np.array([e for e in range(len(games)) if e not in wrong], np.int64))",
        "()",
        f"{TEST_STORAGE}::test_changed_episodes_are_named_by_the_replay",
    ),
    (
        "a speed that cannot be ends in a traceback",
        STORAGE,
        "_refuse(path, misplaced(table, rows, frames) + out_of_range(games))",
        "_refuse(path, misplaced(table, rows, frames))",
        f"{TEST_DAMAGED}::test_a_damaged_file_hides_no_summary_of_a_good_one",
    ),
    (
        "rows that cannot be are read",
        STORAGE,
        "    _refuse(path, [where + text for text in out_of_range(games)])\n",
        "",
        f"{TEST_DAMAGED}::test_a_value_that_cannot_be_is_named_with_its_file",
    ),
    (
        "a source without an engine ends in a traceback",
        STORAGE,
        'for name in ("engine", "mlx_drmario", "created"):',
        'for name in ("mlx_drmario", "created"):',
        f"{TEST_DAMAGED}::test_a_source_that_lacks_something_is_named",
    ),
    (
        "games are listed in another number than the seed's",
        "traces/tools.py",
        "f\"0x{table['seed'][e]:04x}\"",
        "f\"{table['seed'][e]}\"",
        f"{TEST_TOOLS}::test_games_are_listed",
    ),
    (
        "split leaves a part",
        "traces/tools.py",
        "        if out.exists():\n            raise FileExistsError(storage.TAKEN.format(out))\n",
        "        pass\n",
        f"{TEST_TOOLS}::test_split_writes_all_parts_or_none",
    ),
    (
        "a button is never up on the menus",
        "traces/menus.py",
        "gap: Annotated[int, Range(2, 600)]",
        "gap: Annotated[int, Range(1, 600)]",
        f"{TEST_MOVIE}::test_menus_that_cannot_be_are_refused",
    ),
    (
        "a movie waits on the title until the demo",
        CONSOLE,
        "    if title >= demo:",
        "    if False:",
        f"{TEST_MOVIE}::test_the_title_waits_no_longer_than_the_demo",
    ),
    (
        "a reset before the game is not seen",
        CONSOLE,
        "self.commands[frame + 1 : start + 1]",
        "self.commands[start + 1 : start + 1]",
        f"{TEST_MOVIE}::test_a_reset_before_the_game_is_there_is_seen",
    ),
    (
        "a damaged archive ends in a traceback",
        MOVIE,
        "(zipfile.BadZipFile, zlib.error, ",
        "(zipfile.BadZipFile, ",
        f"{TEST_MOVIE}::test_damaged_and_locked_bk2_files",
    ),
    (
        "a superscript is a frame number",
        MOVIE,
        "frame.isdecimal()",
        "frame.isdigit()",
        f"{TEST_MOVIE}::test_letters_of_other_scripts_in_fm2_files",
    ),
    (
        "a line separator ends a line of a movie",
        MOVIE,
        '.removesuffix("\\n").split("\\n")',
        ".splitlines()",
        f"{TEST_MOVIE}::test_letters_of_other_scripts_in_fm2_files",
    ),
    (
        "a movie that cannot be made does not say of which game",
        "mlx_drmario/cli/trace.py",
        'with naming(f"{config.path}, episode {config.episode}"):',
        'with naming(""):',
        f"{TEST_DAMAGED}::test_a_placement_that_cannot_be_is_named_with_its_game",
    ),
    (
        "a policy is asked about other games than the page shows",
        "traces/details.py",
        "for e in range(len(games)) if episodes is None else episodes:",
        "for e in range(len(games)):",
        f"{TEST_HTML}::test_only_the_games_of_the_page_are_asked_about",
    ),
    (
        "equal lines fill all places",
        RECORDS,
        "GROUP BY frame_counter % 2, actions",
        "GROUP BY frame_counter, actions",
        f"{TEST_RECORDS}::test_of_the_frame_counter_only_the_parity_counts",
    ),
    (
        "a line that is there is admitted again",
        RECORDS,
        "            return None\n        now = ",
        "            return known\n        now = ",
        f"{TEST_RECORDS}::test_a_line_is_admitted_and_found",
    ),
    (
        "a claim may say what no line can be",
        RECORDS,
        'got {self.actions!r}") from None\n        check_ranges(self)\n',
        'got {self.actions!r}") from None\n',
        f"{TEST_RECORDS}::test_what_no_line_can_be_is_no_claim",
    ),
    (
        "a damaged line hides the others",
        RECORDS,
        "                found[row[0]] = str(error)\n",
        "                raise\n",
        f"{TEST_RECORDS}::test_a_damaged_line_is_named",
    ),
    (
        "no lines are all lines",
        RECORDS,
        "    top: Count | None = None\n\n",
        "    top: int | None = None\n\n",
        f"{TEST_RECORDS}::test_lines_that_cannot_be_asked_for",
    ),
    (
        "another program's database takes lines",
        "traces/database.py",
        "    if objects and not tables:\n",
        "    if False:\n",
        f"{TEST_OPENED}::test_what_is_no_database_of_records_is_left_as_it_is",
    ),
    (
        "a database of another version is changed before it is refused",
        "traces/database.py",
        "    if found != version and (objects or found):\n",
        "    if found != version and db.in_transaction and (objects or found):\n",
        f"{TEST_OPENED}::test_what_is_no_database_of_records_is_left_as_it_is",
    ),
    (
        "a text of one letter becomes a database",
        "traces/database.py",
        "    if size and not pages:",
        "    if False:",
        f"{TEST_OPENED}::test_what_is_no_database_of_records_is_left_as_it_is",
    ),
    (
        "who looks at records makes a database",
        "mlx_drmario/cli/records.py",
        "create=isinstance(config, Add)",
        "create=True",
        f"{TEST_OPENED}::test_only_lines_that_are_added_make_a_database",
    ),
    (
        "a line that fails names the engine at which it failed",
        RECORDS,
        '"UPDATE line SET verified = 0 WHERE id = ?", [(number,) for number in found])',
        '"UPDATE line SET verified = 0, engine = ? WHERE id = ?", [(schema.engine_signature(), n) for n in found])',
        f"{TEST_RECORDS}::test_a_line_names_the_engine_that_last_proved_it",
    ),
    (
        "all claims are played at once",
        RECORDS,
        "range(0, len(claims), AT_ONCE) for proof in _prove(claims[first : first + AT_ONCE])]",
        "(0,) for proof in _prove(claims[first:])]",
        f"{TEST_RECORDS}::test_each_claim_is_proven_once_and_so_many_at_a_time",
    ),
    (
        "lines of a file are played a second time",
        "traces/record_files.py",
        "records.admit([proofs[game.number] for game in own], solver)",
        "records.add([claims[game.number] for game in own], solver)",
        f"{TEST_RECORDS}::test_each_claim_is_proven_once_and_so_many_at_a_time",
    ),
    (
        "a game that is no line is not told why",
        "traces/record_files.py",
        "for number, why in sorted(refused.items())]",
        "for episode, why in ()]",
        f"{TEST_RECORDS_COMMAND}::test_games_by_buttons_are_timed_again_and_others_are_refused_with_a_reason",
    ),
    (
        "a line in JSON forgets its frame counter",
        "traces/record_files.py",
        "told.actions, told.frame_counter)",
        "told.actions)",
        "tests/traces/test_records_command.py",
    ),
    (
        "JSON that is nested too deeply ends in a traceback",
        "traces/record_files.py",
        "    except (ValueError, RecursionError) as error:  # the latter",
        "    except ValueError as error:  # the latter",
        f"{TEST_RECORDS_COMMAND}::test_json_that_is_no_line",
    ),
    (
        "games cannot be chosen by seed",
        "traces/tools.py",
        "        if self.seeds:\n",
        "        if False:\n",
        "tests/traces/test_tools.py",
    ),
]
