"""PPO in one file, in the manner of CleanRL, on the vector environment `DrMarioPlacement-v0`. The network is MLX's.

    python examples/ppo.py --total-decisions 200000

What is particular to this game:

1. Illegal placements get a logit of -1e9, in the rollout and in the loss alike.
2. A decision lasts `tau` frames, so values are discounted by gamma ** tau.
3. SAME_STEP autoreset: the observation after an end is the next game's first. Such a step bootstraps from nothing when
   the game ended, and from the value of `info["final_obs"]` when it was truncated.

mlx_drmario/rl/ppo is the full-grown version: shards, curriculum, checkpoints, better networks.
"""

import mlx_drmario.envs  # noqa: F401  isort: skip  (first: it puts a fast matrix product under MLX on Linux)
import time
from dataclasses import dataclass

import gymnasium as gym
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
import tyro


@dataclass(frozen=True)
class Args:
    """Settings."""

    seed: int = 0
    """of games, weights and actions"""
    total_decisions: int = 200_000
    """budget, over all environments"""
    num_envs: int = 128
    """games side by side"""
    num_steps: int = 16
    """decisions per game and rollout"""
    learning_rate: float = 1e-3
    """of Adam, falls linearly to 0"""
    gamma: float = 0.999
    """discount per frame"""
    gae_lambda: float = 0.9
    """of generalised advantage estimation, per decision"""
    minibatches: int = 4
    """per epoch"""
    epochs: int = 3
    """passes over a rollout"""
    clip: float = 0.2
    """range of the probability ratio"""
    entropy: float = 0.01
    """weight of the entropy bonus"""
    width: int = 32
    """channels of the network"""
    level: int = 0
    """virus level"""


class Agent(nn.Module):
    """Convolutions over the bottle. Every cell gets a score for a first half landing there, by orientation."""

    def __init__(self, planes: int, scalars: int, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(
            planes, width, (5, 3), padding=(2, 1)
        )  # runs are 4 long, so look further down than across
        self.from_scalars = nn.Linear(scalars, width)
        self.mix = nn.Conv2d(width, width, (5, 3), padding=(2, 1))
        self.actor = nn.Linear(width, 4)
        self.critic = nn.Linear(width, 1)

    def __call__(self, planes: mx.array, scalars: mx.array, legal: mx.array) -> tuple[mx.array, mx.array]:
        """Log-probabilities f32[B, 512] and values f32[B] of u8[B, C, 16, 8], f32[B, S] and bool[B, 512]."""
        x = self.stem(planes.astype(mx.float32).transpose(0, 2, 3, 1))
        x = nn.relu(x + self.from_scalars(scalars)[:, None, None, :])
        x = nn.relu(self.mix(x))
        logits = self.actor(x).transpose(0, 3, 1, 2).flatten(1)  # action = o * 128 + row * 8 + col
        logits = mx.where(legal, logits, -1e9)
        return logits - mx.logsumexp(logits, axis=1, keepdims=True), self.critic(x.mean(axis=(1, 2))).squeeze(1)


def loss(agent: Agent, args: Args, batch: dict[str, mx.array]) -> mx.array:
    """PPO's clipped objective, squared error of the value, entropy bonus."""
    log_probs, value = agent(batch["planes"], batch["scalars"], batch["legal"])
    log_prob = mx.take_along_axis(log_probs, batch["action"][:, None], axis=1).squeeze(1)
    ratio = mx.exp(log_prob - batch["log_prob"])
    gain = mx.minimum(ratio * batch["advantage"], mx.clip(ratio, 1 - args.clip, 1 + args.clip) * batch["advantage"])
    entropy = -(mx.exp(log_probs) * mx.maximum(log_probs, -100.0)).sum(axis=1)
    return (0.5 * (value - batch["target"]) ** 2 - gain - args.entropy * entropy).mean()


def advantages(args: Args, rows: dict[str, np.ndarray], last_value: np.ndarray) -> np.ndarray:
    """Generalised advantage estimates f32[T, N]; `after` holds the value to bootstrap from where a game was cut."""
    discount = args.gamma ** rows["tau"].astype(np.float32)
    following = np.concatenate([rows["value"][1:], last_value[None]])
    following = np.where(rows["done"], rows["after"], following)
    delta = rows["reward"] + discount * following - rows["value"]
    advantage, running = np.zeros_like(delta), np.zeros_like(last_value)
    for t in reversed(range(len(delta))):
        running = delta[t] + discount[t] * args.gae_lambda * ~rows["done"][t] * running
        advantage[t] = running
    return advantage


def act(agent: Agent, observation: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities and values as NumPy arrays."""
    seen = (mx.array(observation["planes"]), mx.array(observation["scalars"]), mx.array(observation["legal"] > 0))
    log_probs, value = map(np.asarray, agent(*seen))
    return log_probs, value


def main(args: Args) -> list[float]:
    """Train; returns the mean return per finished game of every rollout."""
    rng = np.random.default_rng(args.seed)
    mx.random.seed(args.seed)
    envs = gym.make_vec(
        "DrMarioPlacement-v0",
        num_envs=args.num_envs,
        vectorization_mode="vector_entry_point",
        autoreset_mode=gym.vector.AutoresetMode.SAME_STEP,
        level=args.level,
        illegal="raise",
        max_decisions=100,
        reward={"virus": 1.0, "half": 0.05, "clear": 2.0, "top_out": -1.0, "time": 0.0},
    )
    observation, _ = envs.reset(seed=args.seed)
    agent = Agent(observation["planes"].shape[1], observation["scalars"].shape[1], args.width)
    optimizer = optim.Adam(args.learning_rate)
    gradient_of = nn.value_and_grad(agent, loss)
    size = args.num_envs * args.num_steps
    iterations = max(1, args.total_decisions // size)
    running, curve, start = np.zeros(args.num_envs), [], time.perf_counter()
    for iteration in range(iterations):
        optimizer.learning_rate = args.learning_rate * (1 - iteration / iterations)
        steps, finished = [], []
        for _ in range(args.num_steps):
            log_probs, value = act(agent, observation)
            action = (log_probs + rng.gumbel(size=log_probs.shape)).argmax(axis=1)
            row = {
                "planes": observation["planes"], "scalars": observation["scalars"], "legal": observation["legal"] > 0,
                "action": action, "log_prob": log_probs[np.arange(args.num_envs), action], "value": value,
            }  # fmt: skip
            observation, reward, terminated, truncated, info = envs.step(action)
            row |= {"reward": reward.astype(np.float32), "tau": info["tau"], "done": terminated | truncated}
            row["after"] = np.zeros(args.num_envs, np.float32)
            for game in np.flatnonzero(truncated):
                last = {name: column[None] for name, column in info["final_obs"][game].items()}
                row["after"][game] = act(agent, last)[1][0]
            running += reward
            finished += running[row["done"]].tolist()
            running[row["done"]] = 0
            steps.append(row)
        rows = {name: np.stack([row[name] for row in steps]) for name in steps[0]}
        rows["advantage"] = advantages(args, rows, act(agent, observation)[1])
        rows["target"] = rows["advantage"] + rows["value"]
        rows["advantage"] = (rows["advantage"] - rows["advantage"].mean()) / (rows["advantage"].std() + 1e-8)
        flat = {name: column.reshape(size, *column.shape[2:]) for name, column in rows.items()}
        for _ in range(args.epochs):
            for index in rng.permutation(size).reshape(args.minibatches, -1):
                batch = {name: mx.array(column[index]) for name, column in flat.items()}
                _, gradient = gradient_of(agent, args, batch)
                gradient, _ = optim.clip_grad_norm(gradient, 0.5)
                optimizer.update(agent, gradient)
                mx.eval(agent.parameters(), optimizer.state)
        curve.append(float(np.mean(finished)) if finished else float("nan"))
        rate = size * (iteration + 1) / (time.perf_counter() - start)
        print(f"{size * (iteration + 1):8} decisions  return {curve[-1]:7.3f}  {rate:6.0f} decisions/s", flush=True)
    envs.close()
    return curve


if __name__ == "__main__":
    main(tyro.cli(Args))
