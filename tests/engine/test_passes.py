"""Dropping and tidying judge eight cells at once; the program's loops over single cells do the same."""

from tests import cpp


def test_passes_equal_the_loops_over_cells() -> None:
    assert cpp.run("passes", 100_000, 1).endswith(" 0 differ\n")
