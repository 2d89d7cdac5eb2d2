"""SMDP-PPO: rollouts over `Decisions`, returns discounted by gamma^tau, one compiled update step, exact resume.

`config` needs no MLX, so command lines start fast. Read `train` first, then `rollout`, `returns` and `losses`.
"""
