"""What a fit tells and asks whoever started it (no MLX here)."""


class Listener:
    """Told how it goes, and asked whether to go on; nothing is done here."""

    def on_games(self, ended: int, games: int) -> None:
        """So many of the games have been played."""

    def on_iteration(self, progress: float, metrics: dict[str, float]) -> None:
        """The metrics of an iteration are on disk; `progress` is 0 to 1 of the gradients."""

    def should_stop(self) -> bool:
        """True ends the run after the iteration; it is saved, and can be resumed."""
        return False
