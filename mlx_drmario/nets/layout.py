"""Where the colours are in an observation, read from the names that the environment publishes (no MLX here).

A policy must know which planes and scalars belong to which colour to use the colour symmetry. The names come from
`Decisions.plane_names` and `Decisions.scalar_names`; they are stored with every checkpoint, so a network can be rebuilt
without an environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlx_drmario import plane_names
from mlx_drmario.spec import COLORS, PLANE_SETS, check_one_player

if TYPE_CHECKING:
    from mlx_drmario import PublicView


def color_groups(names: tuple[str, ...]) -> tuple[int, ...]:
    """Return the index of the yellow member of every (yellow, red, blue) triple in `names`.

    Raises ValueError when a name ends in `_yellow` and its red and blue companions do not follow it.
    """
    starts = []
    for index, name in enumerate(names):
        if not name.endswith("_yellow"):
            continue
        stem = name.removesuffix("_yellow")
        triple = tuple(f"{stem}_{color}" for color in COLORS)
        if names[index : index + 3] != triple:
            raise ValueError(f"names must hold {triple} side by side, got {names[index : index + 3]}")
        starts.append(index)
    return tuple(starts)


@dataclass(frozen=True)
class ObservationLayout:
    """Names of the observation's planes [C, 16, 8] and scalars [S], in order."""

    plane_names: tuple[str, ...]
    scalar_names: tuple[str, ...]

    def __post_init__(self) -> None:
        # JSON gives lists; tuples keep the layout hashable and comparable.
        object.__setattr__(self, "plane_names", tuple(self.plane_names))
        object.__setattr__(self, "scalar_names", tuple(self.scalar_names))
        if len(self.scalar_colors) < 4:
            raise ValueError(
                "scalar_names must hold colour one-hots for both halves of capsule and preview (4 triples), "
                f"got {len(self.scalar_colors)} triples"
            )

    @property
    def plane_set(self) -> str:
        """The name of the plane set; KeyError for planes of none."""
        return {plane_names(planes): planes for planes in PLANE_SETS}[self.plane_names]

    def require(self, view: PublicView) -> None:
        """ValueError unless the games show these planes, to one player each."""
        check_one_player(view, "the policy")
        if tuple(view.plane_names) != self.plane_names:
            raise ValueError(f"the policy was trained on planes {self.plane_names}, the games have {view.plane_names}")

    @property
    def num_planes(self) -> int:
        return len(self.plane_names)

    @property
    def num_scalars(self) -> int:
        return len(self.scalar_names)

    @property
    def plane_colors(self) -> tuple[int, ...]:
        """Index of the first plane of every colour triple."""
        return color_groups(self.plane_names)

    @property
    def scalar_colors(self) -> tuple[int, ...]:
        """Index of the first scalar of every colour triple: capsule first, second, preview first, second half."""
        return color_groups(self.scalar_names)
