"""Deliberate faults in the Gymnasium environments; read like rl.py."""

FILM, FRAME, PLACEMENT, SINGLE, VECTOR = (
    f"mlx_drmario/envs/{name}.py" for name in ("film", "frame", "placement", "single", "vector")
)
SPARE, TEST_SPARE = "mlx_drmario/envs/spare.py", "tests/env/test_spare.py"
GYMNASIUM, TEST_FILM = "tests/env/test_gymnasium.py", "tests/env/test_film.py"

# (name, file, old text, new text, test that fails)
MUTANTS: list[tuple[str, str, str, str, str]] = [
    (
        "a film lets the capsule fall where it likes",
        FILM,
        "buttons[frame] if frame < len(buttons) else 0",
        "0",
        TEST_FILM,
    ),
    (
        "a film loses the frames after the lock",
        FILM,
        "    for frame in range(move.tau):\n",
        "    for frame in range(len(buttons)):\n",
        TEST_FILM,
    ),
    (
        "a game that was cut short is played on and paid for",
        FRAME,
        "only(active, counts(events)), terminated",
        "counts(events), terminated",
        "tests/env/test_frame_env.py",
    ),
    (
        "a game that was cut short may still be lost",
        FRAME,
        "terminated = active & (events.cleared | events.top_out)",
        "terminated = events.cleared | events.top_out",
        "tests/env/test_frame_env.py",
    ),
    (
        "what is said of an ended game is of the next one",
        VECTOR,
        "        last = self._observe(rows)\n",
        "        self._draw(ended)\n        last = self._observe(rows)\n",
        GYMNASIUM,
    ),
    (
        "seeds that were drawn ahead survive a new generator",
        VECTOR,
        "                self._used[index] = self._ahead.shape[1]\n",
        "                pass\n",
        GYMNASIUM,
    ),
    (
        "seeds that were drawn ahead are dealt twice",
        VECTOR,
        "        self._used[wanted] += 1\n",
        "        self._used[wanted] += 1 - (self._used[wanted] == 1)\n",
        GYMNASIUM,
    ),
    (
        "a refused reset has drawn new generators",
        VECTOR,
        "        wanted = self.check_options(options)\n",
        "        self._seed(seed, np.ones(self.num_envs, np.bool_)); wanted = self.check_options(options)\n",
        GYMNASIUM,
    ),
    (
        "a refused reset of one game reseeds",
        SINGLE,
        "        self.games.check_options(options)  # before the seed takes effect\n",
        "",
        GYMNASIUM,
    ),
    (
        "observations of a forfeit may be written to",
        PLACEMENT,
        "column.flags.writeable = self._copy",
        "column.flags.writeable = True",
        "tests/env/test_placement_env.py",
    ),
    (
        "a vector forgets what its generators were seeded with",
        VECTOR,
        "self.generators[index], self._generator_seeds[index] = seeding.np_random(each[index])",
        "self.generators[index], _ = seeding.np_random(each[index])",
        "tests/env/test_seeding.py",
    ),
    (
        "a forfeited game's last observation is of what it was not to see",
        PLACEMENT,
        "        if self._forfeit.any():\n            forfeit",
        "        if self._forfeit.any() and rows is ALL:\n            forfeit",
        "tests/env/test_placement_env.py",
    ),
    (
        "last rows are another game's",
        VECTOR,
        "    spread[rows] = column\n",
        "    spread[rows] = column[::-1]\n",
        GYMNASIUM,
    ),
    (
        "what a game is paid depends on how many there are",
        "mlx_drmario/rewards.py",
        "reduce(np.add, paid)",
        "paid.sum(axis=0)",
        "tests/env/test_rewards.py",
    ),
    (
        "a term of the reward that is small is left out",
        "mlx_drmario/rewards.py",
        "        if amount := getattr(config, name):\n",
        "        if abs(amount := getattr(config, name)) > 0.001:\n",
        "tests/env/test_rewards.py",
    ),
    (
        "memory that is held is used again",
        SPARE,
        "        watch = weakref.ref(array, take_back)",
        "        free.append(block)\n        watch = weakref.ref(array, take_back)",
        f"{TEST_SPARE}::test_what_is_held_in_any_way_stays_as_it_is",
    ),
    ("memory is never used again", SPARE, "free.append(block)", "pass", TEST_SPARE),
    ("memory is kept for ever", SPARE, "if len(free) < _MOST:", "if True:", TEST_SPARE),
    (
        "a copied vector looks at the games of the first",
        VECTOR,
        "        vars(self).update(state)\n        self._look()\n",
        "        vars(self).update(state)\n",
        GYMNASIUM,
    ),
    (
        "observations are shared with the next step",
        PLACEMENT,
        "copy = self._spare.copy if rows is ALL else np.asarray",
        "copy = np.asarray",
        "tests/env/test_placement_env.py",
    ),
]
