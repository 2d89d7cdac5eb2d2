"""The terminal app: watch a policy play, play yourself. Textual is imported here and nowhere else."""
