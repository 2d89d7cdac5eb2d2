"""Everything that a run leaves on disk, and reading it back: directory, metrics, checkpoints, the best one, listing."""
