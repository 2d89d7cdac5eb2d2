"""The terminal app: watch a policy play, play yourself, train. Textual is imported here and nowhere else."""
