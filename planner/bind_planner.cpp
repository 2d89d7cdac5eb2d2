#include <cstring>

#include "afterstate.h"
#include "bind.h"
#include "decisions.h"
#include "perft.h"
#include "placement.h"
#include "script.h"

namespace drm {

static void check_bottle(const u8* bottle) {
  for (int i = 0; i < kCells; ++i) {
    if (bottle[i] == kEmpty || (color_of(bottle[i]) < kColors && kind_of(bottle[i]) >= kTop)) continue;
    throw nb::value_error(("bottle[" + std::to_string(i) + "] is " + std::to_string(bottle[i]) +
                           ", allowed are 255 and a tile kind + colour 0..2")
                              .c_str());
  }
}

static nb::ndarray<nb::numpy, u16> reach_many(nb::handle bottle, nb::handle colors, nb::handle frame_counter,
                                              nb::handle speed, nb::handle speed_ups) {
  const auto bottles = exact_array<u8>(bottle, "bottle", "uint8", {-1, kCells});
  const std::size_t n = bottles.shape(0);
  const auto rows = static_cast<long>(n);
  const auto pairs = exact_array<u8>(colors, "colors", "uint8", {rows, 2});
  const auto counters = integers(frame_counter, "frame_counter", {n}, 0, 255);
  const auto speeds = integers(speed, "speed", {n}, kLow, kHi);
  const auto ups = integers(speed_ups, "speed_ups", {n}, 0, kMaxSpeedUps);
  integers(colors, "colors", {n, 2}, 0, kColors - 1);
  for (std::size_t i = 0; i < n; ++i) check_bottle(bottles.data() + i * kCells);
  auto* out = new u16[n * kActions + 1];
  auto result = take(out, {n, kActions});
  nb::gil_scoped_release release;
  for (std::size_t i = 0; i < n; ++i) {
    reach({bottles.data() + i * kCells,
           {pairs.data()[2 * i], pairs.data()[2 * i + 1]},
           static_cast<u8>(counters[i]),
           static_cast<u8>(speeds[i]),
           static_cast<u8>(ups[i])},
          out + i * kActions);
  }
  return result;
}

static nb::ndarray<nb::numpy, u8> script_of(nb::handle bottle, nb::handle colors, long frame_counter, long speed,
                                            long speed_ups, long action) {
  const auto cells = exact_array<u8>(bottle, "bottle", "uint8", {kCells});
  const auto pair = exact_array<u8>(colors, "colors", "uint8", {2});
  integers(colors, "colors", {2}, 0, kColors - 1);
  check_bottle(cells.data());
  const ReachQuery query{cells.data(),
                         {pair.data()[0], pair.data()[1]},
                         static_cast<u8>(checked(frame_counter, "frame_counter", 0, 255)),
                         static_cast<u8>(checked(speed, "speed", kLow, kHi)),
                         static_cast<u8>(checked(speed_ups, "speed_ups", 0, kMaxSpeedUps))};
  u8 buttons[kMaxScript];
  const int length = script(query, checked(action, "action", 0, kActions - 1), buttons, kMaxScript);
  if (length == 0) throw nb::value_error(("action is " + std::to_string(action) + ", which cannot be reached").c_str());
  auto* out = new u8[static_cast<std::size_t>(length)];
  std::memcpy(out, buttons, static_cast<std::size_t>(length));
  return take(out, {static_cast<std::size_t>(length)});
}

static void reset(Decisions& d, nb::handle level, nb::handle speed, nb::handle seed, nb::handle frame_counter,
                  nb::handle mask) {
  const auto n = static_cast<std::size_t>(d.size());
  const auto configs = game_configs(level, speed, seed, frame_counter, n, 1);
  require_working_seeds(configs);
  const auto chosen = game_mask(mask, n);
  nb::gil_scoped_release release;
  d.reset(configs, chosen);
}

static void step(Decisions& d, nb::handle action) {
  const auto actions = exact_array<i32>(action, "action", "int32", {d.size()});
  const int bad = d.first_illegal(actions.data());
  if (bad >= 0) {
    throw nb::value_error(("action[" + std::to_string(bad) + "] is " + std::to_string(actions.data()[bad]) +
                           ", allowed are the legal actions of game " + std::to_string(bad))
                              .c_str());
  }
  nb::gil_scoped_release release;
  d.step(actions.data());
}

static nb::bytes save(const Decisions& d) {
  const auto n = static_cast<std::size_t>(d.size());
  return pack("Decisions", {{d.games.data(), n * sizeof(Match)}, {d.counters.data(), n * sizeof(Decisions::Counters)}},
              n, 1);
}

static void load(Decisions& d, nb::handle blob) {
  const auto n = static_cast<std::size_t>(d.size());
  const auto payload = unpack(blob, "Decisions", n * (sizeof(Match) + sizeof(Decisions::Counters)), n, 1);
  std::vector<Match> games(n);
  std::memcpy(games.data(), payload.data(), n * sizeof(Match));
  for (std::size_t i = 0; i < n; ++i) check_loaded(games[i], 1, i);
  d.games = games;
  std::memcpy(d.counters.data(), payload.data() + n * sizeof(Match), n * sizeof(Decisions::Counters));
  nb::gil_scoped_release release;
  d.refresh();
}

static void set_state(Decisions& d, nb::handle state, nb::handle reserve) {
  const auto games = matches_from(state, reserve, d.games.size(), 1);
  for (std::size_t i = 0; i < games.size(); ++i) check_parked(games[i], 0, i);
  d.games = games;
  std::fill(d.counters.begin(), d.counters.end(), Decisions::Counters{});
  nb::gil_scoped_release release;
  d.refresh();
}

static void set_bottles(Decisions& d, nb::handle bottle, nb::handle mask) {
  const auto bottles = exact_array<u8>(bottle, "bottle", "uint8", {d.size(), kCells});
  const auto chosen = game_mask(mask, d.games.size());
  const std::string problem = d.describe_bad_bottles(bottles.data(), chosen);
  if (!problem.empty()) throw nb::value_error(problem.c_str());
  nb::gil_scoped_release release;
  d.set_bottles(bottles.data(), chosen);
}

static std::pair<nb::ndarray<nb::numpy, u64>, nb::ndarray<nb::numpy, u64>> perft_all(Decisions& d, long depth) {
  checked(depth, "depth", 1, 8);
  const std::size_t n = d.games.size();
  auto* nodes = new u64[n];
  auto* frames = new u64[n];
  auto node_array = take(nodes, {n});
  auto frame_array = take(frames, {n});
  nb::gil_scoped_release release;
  d.pool().for_chunks(d.size(), 1, [&](int begin, int end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const Perft result = d.counters[i].ended ? Perft{} : perft(d.games[i], static_cast<int>(depth));
      nodes[i] = result.nodes;
      frames[i] = result.frames;
    }
  });
  return {node_array, frame_array};
}

static void bind_afterstates(nb::module_& m) {
  nb::class_<Afterstates>(m, "Afterstates",
                          "Every legal placement of every running game, resolved; M rows sorted by (env, action).")
      .def_prop_ro("env", &column<&Afterstates::env>, "i32[M]: which game")
      .def_prop_ro("action", &column<&Afterstates::action>, "i32[M]")
      .def_prop_ro("bottle", &column<&Afterstates::bottle, u8, kCells>,
                   "u8[M, 128]: the settled bottle, before the next capsule")
      .def_prop_ro("viruses_cleared", &column<&Afterstates::viruses_cleared>, "u8[M]")
      .def_prop_ro("halves_cleared", &column<&Afterstates::halves_cleared>, "u8[M]")
      .def_prop_ro("combos", &column<&Afterstates::combos>, "u8[M]: runs cleared")
      .def_prop_ro("cascade", &column<&Afterstates::cascade>, "u8[M]: match passes that cleared something")
      .def_prop_ro("tau", &column<&Afterstates::tau>, "u32[M]: frames until the next decision or the end")
      .def_prop_ro("cleared", &column<&Afterstates::cleared, bool>, "bool[M]: last virus gone")
      .def_prop_ro("top_out", &column<&Afterstates::top_out, bool>, "bool[M]: the next capsule is blocked");
}

static void bind_observations(nb::class_<Decisions>& c) {
  c.def_prop_ro(
       "planes",
       [](nb::handle_t<Decisions> self) {
         const auto& d = nb::cast<const Decisions&>(self);
         return view(d.planes.data(), {d.games.size(), static_cast<std::size_t>(d.plane_count()), 16, 8}, self);
       },
       "u8[N, C, 16, 8] of 0 and 1, in the order of plane_names")
      .def_prop_ro("scalars", &column<&Decisions::scalars, float, kScalars>, "f32[N, S], in the order of scalar_names")
      .def_prop_ro("legal", &column<&Decisions::legal, bool, kActions>,
                   "bool[N, 512]: True = legal; all False for an ended game")
      .def_prop_ro("frames_to_lock", &column<&Decisions::frames_to_lock, u16, kActions>,
                   "u16[N, 512]: frames until the fastest script locks there, 65535 = unreachable")
      .def_prop_ro("plane_names", [](const Decisions& d) { return names(plane_names(d.plane_set())); })
      .def_prop_ro("scalar_names", [](const Decisions&) { return names(kScalarNames); })
      .def_prop_ro("plane_set",
                   [](const Decisions& d) { return d.plane_set() == PlaneSet::kBitplane ? "bitplane" : "extended"; });
}

static void bind_columns(nb::class_<Decisions>& c) {
  c.def_prop_ro(
       "tau", &column<&Decisions::tau>,
       "u32[N]: frames from this decision's first controllable frame to the next one's; at the end of a game up\n"
       "to and including the frame of the last virus or of the blocked spawn. 0 for games that did not move.")
      .def_prop_ro("viruses_cleared", &column<&Decisions::viruses_cleared>, "u8[N], by the last step")
      .def_prop_ro("halves_cleared", &column<&Decisions::halves_cleared>, "u8[N], by the last step")
      .def_prop_ro("combos", &column<&Decisions::combos>, "u8[N]: runs cleared by the last step")
      .def_prop_ro("cascade", &column<&Decisions::cascade>, "u8[N]: match passes that cleared something")
      .def_prop_ro("cleared", &column<&Decisions::cleared, bool>, "bool[N]: the last step took the last virus")
      .def_prop_ro("top_out", &column<&Decisions::top_out, bool>, "bool[N]: the last step ended in a blocked spawn")
      .def_prop_ro("truncated", &column<&Decisions::truncated, bool>, "bool[N]: the last step reached max_decisions")
      .def_prop_ro("ended", &column<&Decisions::ended, bool>, "bool[N]: the game is over until reset")
      .def_prop_ro("viruses_left", &column<&Decisions::viruses_left>, "u8[N]")
      .def_prop_ro("decisions", &column<&Decisions::decisions>, "u32[N]: decisions made in this game")
      .def_prop_ro("frames", &column<&Decisions::frames>, "u32[N]: sum of tau in this game");
}

static void bind_decisions(nb::module_& m) {
  nb::class_<Decisions> c(
      m, "Decisions",
      "N one-player games moved from spawn to spawn. The arrays are read-only views of buffers that\n"
      "reset, step and load rewrite in place: copy what you keep.");
  c.def(
       "__init__",
       [](Decisions* self, long num_envs, const std::string& planes, long threads, long max_decisions) {
         new (self) Decisions(checked(num_envs, "num_envs", 1, 1 << 20), plane_set(planes),
                              checked(threads, "threads", 0, 1024),
                              static_cast<u32>(checked(max_decisions, "max_decisions", 0, 1 << 30)));
       },
       "num_envs"_a, "planes"_a = "bitplane", "threads"_a = 0, "max_decisions"_a = 0,
       "planes: 'bitplane' or 'extended'; threads 0: one per core; max_decisions 0: games are never truncated.")
      .def("reset", &reset, "level"_a, "speed"_a, "seed"_a, "frame_counter"_a = 0, "mask"_a = nb::none(),
           "Starts new games where mask (bool[N], None = all) is set and parks them before their first controllable\n"
           "frame. Scalars or integer arrays [N]: level 0..24, speed 0 LOW, 1 MED, 2 HI, seed 2..65535,\n"
           "frame_counter: its value in the first sample of play. Raises ValueError or TypeError naming the argument.")
      .def("step", &step, "action"_a,
           "One decision, i32[N], for every game that has not ended (the others' entries are ignored).\n"
           "Raises ValueError naming the first illegal action; nothing has moved then.")
      .def(
          "sample_legal",
          [](Decisions& d, u64 seed) {
            auto* out = new i32[d.games.size()];
            auto result = take(out, {d.games.size()});
            nb::gil_scoped_release release;
            d.sample_legal(seed, out);
            return result;
          },
          "seed"_a,
          "i32[N]: a uniformly drawn legal action of every running game (0 for the others). A hash of the seed (u64) "
          "and\n"
          "the game's digest, so a game is played the same whatever else is in the batch.")
      .def("afterstates", &resolve_all, nb::call_guard<nb::gil_scoped_release>(),
           "Resolves every legal placement of every running game without moving the games.")
      .def("perft", &perft_all, "depth"_a,
           "(nodes u64[N], frames u64[N]): placement sequences of exactly `depth` (1..8) decisions from every running\n"
           "game, and the sum of their last placements' frames_to_lock.")
      .def("set_state", &set_state, "state"_a, "reserve"_a = nb::none(),
           "Loads parked games from a structured array [N] (fields of `state`; missing ones are 0) and a reserve\n"
           "u8[N, 128]; counters start at 0. ValueError if a game is not before its first controllable frame.")
      .def(
          "set_bottles", &set_bottles, "bottle"_a, "mask"_a = nb::none(),
          "Replaces the bottles, u8[N, 128], of the running games where mask (bool[N], None = all) is set. The "
          "viruses\n"
          "in a bottle, 1..99, become the game's; reserve, capsule, clocks, counters and the columns of the last step\n"
          "stay, and so do the other games (their rows are not read). ValueError for an ended game and for bottles "
          "that\n"
          "set_state would refuse, also where the capsule waits (row 0, columns 3 and 4); nothing has changed then.")
      .def_prop_ro(
          "state",
          [](nb::handle_t<Decisions> self) {
            const auto& d = nb::cast<const Decisions&>(self);
            return state_view(d.games.data(), d.games.size(), 1, self);
          },
          nb::for_getter(nb::sig("def state(self) -> numpy.typing.NDArray[numpy.void]")),
          "Read-only structured view [N], as Batch.state")
      .def("save", &save, "A snapshot of all games and counters, for load().")
      .def("load", &load, "blob"_a, "Restores a snapshot of equal N; the event columns stay as they are.")
      .def(
          "digest", [](const Decisions& d) { return digests_of(d.games.data(), d.games.size()); },
          "u64[N]: a hash of each game's full state")
      .def_prop_ro("num_envs", &Decisions::size)
      .def_prop_ro("threads", [](Decisions& d) { return d.pool().threads(); });
  bind_observations(c);
  bind_columns(c);
}

void bind_planner(nb::module_& m) {
  bind_decisions(m);
  bind_afterstates(m);
  m.def("reach", &reach_many, "bottle"_a, "colors"_a, "frame_counter"_a, "speed"_a, "speed_ups"_a,
        "u16[N, 512]: for every placement the least number of frames until the capsule locks there (1 = in the first\n"
        "controllable frame), 65535 = unreachable. bottle u8[N, 128], colors u8[N, 2], frame_counter (in the last "
        "sample\n"
        "before the first controllable frame), speed and speed_ups: integers [N]. Nothing is held before.");
  m.def("script", &script_of, "bottle"_a, "colors"_a, "frame_counter"_a, "speed"_a, "speed_ups"_a, "action"_a,
        "u8[T]: the buttons held in each frame that lock the capsule at `action`, T = its frames_to_lock.\n"
        "ValueError if it cannot be reached.");
  m.def(
      "canonical", [](long action) { return canonical(checked(action, "action", 0, kActions - 1)); }, "action"_a,
      "The name under which an equal-coloured capsule's placement appears in the mask.");
}

}  // namespace drm
