"""Learning: what every algorithm shares (this package), PPO (`ppo`), and what is on disk (`runs`).

The `config` and `callback` modules need no MLX, so command lines start fast. Read `ppo.train` first, then
`ppo.learner`, `ppo.shard`, `rollout`, `returns` and `ppo.losses`.
"""
