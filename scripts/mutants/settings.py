"""Deliberate faults in settings and seeds, and in what pages, reports and scripts make of results; read like rl.py."""

# (name, file, old text, new text, test that fails)
MUTANTS: list[tuple[str, str, str, str, str]] = [
    (
        "the first example takes the events of the last step for those of the game",
        "docs/decisions.md",
        "    cleared |= games.cleared\n    top_out |= games.top_out\n",
        "    cleared, top_out = games.cleared, games.top_out\n",
        "tests/docs/test_python_blocks.py::test_every_game_of_the_first_example_ends_in_one_way",
    ),
]
