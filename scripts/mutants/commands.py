"""Deliberate faults in what commands write, show and refuse; read like rl.py."""

FILES = "mlx_drmario/files.py"
TEST_FILES = "tests/test_files.py"

# (name, file, old text, new text, test that fails)
MUTANTS: list[tuple[str, str, str, str, str]] = [
    (
        "an output replaces a pipe",
        FILES,
        "    if os.path.lexists(target) and not target.is_file():\n",
        "    if False:\n",
        f"{TEST_FILES}::test_an_output_that_is_no_file_is_refused_and_stays",
    ),
    (
        "a link to an output is replaced",
        FILES,
        "    path = _target(path) if follow else path\n",
        "",
        f"{TEST_FILES}::test_a_file_is_written_through_a_link",
    ),
]
