"""One game of Dr. Mario by a random agent, through Gymnasium's ordinary interface.

python examples/random_agent.py --level 3 --seed 7
"""

import argparse

import gymnasium as gym

import mlx_drmario.envs  # noqa: F401  registers the environments


def main() -> None:
    """Play a game and print its last picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--level", type=int, default=0, help="virus level, 0 to 24")
    parser.add_argument("--speed", default="hi", help="low, med or hi")
    parser.add_argument("--seed", type=int, default=0, help="which game, and which actions")
    options = parser.parse_args()

    env = gym.make("DrMarioPlacement-v0", level=options.level, speed=options.speed, render_mode="ansi")
    observation, info = env.reset(seed=options.seed)
    env.action_space.seed(options.seed)
    terminated = truncated = False
    total = 0.0
    while not (terminated or truncated):
        action = env.action_space.sample(mask=observation["legal"])  # a placement that the capsule can reach
        observation, reward, terminated, truncated, info = env.step(action)
        total += float(reward)
    print(env.render())
    end = "cleared" if info["cleared"] else "topped out" if info["top_out"] else "truncated"
    print(f"{end} after {info['decisions']} capsules, {info['frames']} frames; viruses left {info['viruses_left']}")
    print(f"return {total:.3f}")
    env.close()


if __name__ == "__main__":
    main()
