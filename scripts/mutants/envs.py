"""Deliberate faults in the Gymnasium environments; read like rl.py."""

FILM, FRAME, PLACEMENT, SINGLE, VECTOR = (
    f"mlx_drmario/envs/{name}.py" for name in ("film", "frame", "placement", "single", "vector")
)
OBSERVATIONS, DECISIONS = "planner/observations.cpp", "planner/decisions.cpp"
KEPT = "tests/planner/test_kept_observations.py"
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
        "a vector forgets what its generators were seeded with",
        VECTOR,
        "self.generators[index], self._generator_seeds[index] = seeding.np_random(each[index])",
        "self.generators[index], _ = seeding.np_random(each[index])",
        "tests/env/test_seeding.py",
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
        "a copied vector looks at the games of the first",
        VECTOR,
        "        vars(self).update(state)\n        self._look()\n",
        "        vars(self).update(state)\n",
        GYMNASIUM,
    ),
    (
        "observations that are held are written to",
        OBSERVATIONS,
        "if (!copy_ || unshared(now_)) return {*now_, written};",
        "return {*now_, written};",
        KEPT,
    ),
    (
        "observations of before are used though somebody holds them",
        OBSERVATIONS,
        "find_if(before_.begin(), before_.end(), unshared);",
        "find_if(before_.begin(), before_.end(), [](const auto&) { return true; });",
        KEPT,
    ),
    (
        "memory of observations is never used again",
        OBSERVATIONS,
        "if (unused != before_.end()) {",
        "if (false) {",
        KEPT,
    ),
    ("games that wait show what was written to them", OBSERVATIONS, "  taken_ = true;\n", "", KEPT),
    ("games that wait show what was there long ago", DECISIONS, "  if (!renewal.all) return;\n", "  return;\n", KEPT),
    (
        "games that wait are moved",
        DECISIONS,
        "std::vector<bool> playing = mask;",
        "std::vector<bool> playing(mask.size(), true);",
        KEPT,
    ),
    (
        "actions of games that wait are looked at",
        DECISIONS,
        "if (!to_act[row] || !mask[row / static_cast<std::size_t>(players_)]) continue;",
        "if (!to_act[row]) continue;",
        KEPT,
    ),
    (
        "what is drawn depends on masks that were written to",
        DECISIONS,
        "drawn(d.seen.copy() ? own : ",
        "drawn(false ? own : ",
        KEPT,
    ),
    (
        "what is legal depends on masks that were written to",
        "planner/decisions.h",
        "seen.now().frames_to_lock[row * kActions + action] != kUnreachable;",
        "seen.now().legal[row * kActions + action];",
        KEPT,
    ),
    (
        "observations are shared while they are written",
        "planner/bind_decisions.cpp",
        "const auto shared = exclusively(d, [&] { return d.seen.share(); });",
        "const auto shared = d.seen.share();",
        f"{KEPT}::test_nothing_is_shared_while_it_is_written",
    ),
    (
        "an illegal action is played before it loses the game",
        PLACEMENT,
        "d.step(made, mask=played)",
        "d.step(np.where(forfeit, d.legal.argmax(axis=1), actions).astype(np.int32), mask=active)",
        "tests/env/test_placement_env.py",
    ),
    (
        "observations of vectors are not their caller's",
        PLACEMENT,
        "planes, threads, limit, copy=copy)",
        "planes, threads, limit, copy=False)",
        "tests/env/test_placement_env.py",
    ),
]
