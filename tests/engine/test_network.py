"""What networks compute in the core stays within its arrays, and the chances of a decision add up to 1."""

from tests import cpp


def test_networks_of_any_size_are_computed_within_their_arrays() -> None:
    assert cpp.run("network", 200, 1) == "200 networks, 0 wrong\n"
