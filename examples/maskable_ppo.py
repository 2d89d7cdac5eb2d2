"""MaskablePPO of SB3-contrib on `DrMarioPlacement-v0`: the environment's `action_masks()` is all that it needs.

    pip install torch sb3-contrib      # on Linux without a GPU: torch from https://download.pytorch.org/whl/cpu
    python examples/maskable_ppo.py --timesteps 20000

SB3 discounts by gamma per step, not per frame; a step here is a capsule.
"""

import argparse

import gymnasium as gym
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.evaluation import evaluate_policy
from stable_baselines3.common.env_util import make_vec_env

import mlx_drmario.envs  # noqa: F401  registers the environments


def make() -> gym.Env:
    """Planes and scalars only: the mask reaches MaskablePPO by `action_masks()`."""
    env = gym.make("DrMarioPlacement-v0", level=0, max_decisions=100, reward={"virus": 1.0, "half": 0.05})
    return gym.wrappers.FilterObservation(env, filter_keys=["planes", "scalars"])


def main() -> None:
    """Train and evaluate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timesteps", type=int, default=20_000, help="capsules to train on")
    parser.add_argument("--envs", type=int, default=8, help="games side by side")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    envs = make_vec_env(make, n_envs=options.envs, seed=options.seed)
    model = MaskablePPO(
        "MultiInputPolicy", envs, n_steps=64, batch_size=256, seed=options.seed, verbose=0, device="cpu"
    )
    model.learn(options.timesteps)
    mean, deviation = evaluate_policy(model, make_vec_env(make, n_envs=1, seed=options.seed + 1), n_eval_episodes=20)
    print(f"return {mean:.3f} +- {deviation:.3f} over 20 games")


if __name__ == "__main__":
    main()
