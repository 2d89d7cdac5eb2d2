"""SMDP-PPO from top to bottom: `config`, `train` (the loop), `learner` (an iteration), `shard`, `update`, `losses`."""
