"""Learning: what every algorithm shares (this package), PPO (`ppo`), learning from search (`clone`), forecasts of the
clear time (`evaluator`), QR-DQN (`qrdqn`), and what is on disk (`runs`).

The `config`, `algorithms` and `callback` modules need no MLX, so command lines start fast. Read `ppo.train` first, then
`ppo.learner`, `ppo.shard`, `rollout`, `returns` and `ppo.losses`.
"""
