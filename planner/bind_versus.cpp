#include <cstring>

#include "bind.h"
#include "versus.h"

namespace drm {

static void reset(Versus& v, nb::handle level, nb::handle speed, nb::handle seed, nb::handle frame_counter,
                  nb::handle mask) {
  const auto configs = game_configs(level, speed, seed, frame_counter, v.rounds.size(), kSides);
  require_working_seeds(configs);
  const auto chosen = game_mask(mask, v.rounds.size());
  nb::gil_scoped_release release;
  v.reset(configs, chosen);
}

static void step(Versus& v, nb::handle action) {
  const auto actions = exact_array<i32>(action, "action", "int32", {v.size(), kSides});
  const long bad = v.first_illegal(actions.data());
  if (bad >= 0) {
    const std::string game = std::to_string(bad / kSides), side = std::to_string(bad % kSides);
    throw nb::value_error(("action[" + game + ", " + side + "] is " + std::to_string(actions.data()[bad]) +
                           ", allowed are the legal actions of that side")
                              .c_str());
  }
  nb::gil_scoped_release release;
  v.step(actions.data());
}

static nb::bytes save(const Versus& v) {
  return pack("Versus", {{v.rounds.data(), v.rounds.size() * sizeof(Versus::Round)}}, v.rounds.size(), kSides);
}

static void load(Versus& v, nb::handle blob) {
  const auto payload = unpack(blob, "Versus", v.rounds.size() * sizeof(Versus::Round), v.rounds.size(), kSides);
  std::vector<Versus::Round> rounds(v.rounds.size());
  std::memcpy(rounds.data(), payload.data(), payload.size());
  for (std::size_t i = 0; i < rounds.size(); ++i) {
    check_loaded(rounds[i].match, kSides, i);
    for (const Side& side : rounds[i].side) checked(side.action, "blob: action", 0, kActions - 1);
  }
  v.rounds = rounds;
  nb::gil_scoped_release release;
  v.refresh();
}

static void set_state(Versus& v, nb::handle state, nb::handle reserve) {
  const auto games = matches_from(state, reserve, v.rounds.size(), kSides);
  for (std::size_t i = 0; i < games.size(); ++i) {
    for (int side = 0; side < kSides; ++side) check_parked(games[i], side, i);
  }
  for (std::size_t i = 0; i < games.size(); ++i) {
    v.rounds[i] = {};
    v.rounds[i].match = games[i];
    for (Side& side : v.rounds[i].side) side.waiting = 1;
  }
  nb::gil_scoped_release release;
  v.refresh();
}

static nb::object state(nb::handle_t<Versus> self) {
  const auto& v = nb::cast<const Versus&>(self);
  // Games lie inside larger records, so this is a copy.
  std::vector<Match> games;
  for (const Versus::Round& round : v.rounds) games.push_back(round.match);
  return state_view(games.data(), games.size(), kSides, nb::none()).attr("copy")();
}

static void bind_columns(nb::class_<Versus>& c) {
  c.def_prop_ro("to_act", &column<&Versus::to_act, bool, kSides>, "bool[N, 2]: whose decision is due")
      .def_prop_ro("legal", &column<&Versus::legal, bool, kSides, kActions>, "bool[N, 2, 512]; all False unless to_act")
      .def_prop_ro("frames_to_lock", &column<&Versus::frames_to_lock, u16, kSides, kActions>,
                   "u16[N, 2, 512]; 65535 = unreachable")
      .def_prop_ro("scalars", &column<&Versus::scalars, float, kSides, kScalars>, "f32[N, 2, S] of each side")
      .def_prop_ro("tau", &column<&Versus::tau, u32, kSides>,
                   "u32[N, 2]: frames since the side's last decision; complete when to_act, or when the round ended")
      .def_prop_ro("viruses_cleared", &column<&Versus::viruses_cleared, u8, kSides>,
                   "u8[N, 2], since its last decision")
      .def_prop_ro("halves_cleared", &column<&Versus::halves_cleared, u8, kSides>, "u8[N, 2]")
      .def_prop_ro("combos", &column<&Versus::combos, u8, kSides>, "u8[N, 2]: runs cleared, also by garbage")
      .def_prop_ro("cascade", &column<&Versus::cascade, u8, kSides>, "u8[N, 2]: match passes that cleared something")
      .def_prop_ro("attack_sent", &column<&Versus::attack_sent, u8, kSides>, "u8[N, 2]: size of the attacks it made")
      .def_prop_ro("garbage_received", &column<&Versus::garbage_received, u8, kSides>, "u8[N, 2]: halves it received")
      .def_prop_ro("viruses_left", &column<&Versus::viruses_left, u8, kSides>, "u8[N, 2]")
      .def_prop_ro("winner", &column<&Versus::winner>, "u8[N]: 0 nobody yet, 1 or 2 that player, 3 draw")
      .def_prop_ro("ended", &column<&Versus::ended, bool>, "bool[N]: the round is over until reset");
}

void bind_versus(nb::module_& m) {
  nb::class_<Versus> c(m, "Versus",
                       "N two-player rounds; each side decides at its own spawns while the other may still be falling\n"
                       "(docs/decisions.md). The arrays are read-only views that reset, step and load rewrite.");
  c.def(
       "__init__",
       [](Versus* self, long num_envs, const std::string& planes, long threads) {
         new (self)
             Versus(checked(num_envs, "num_envs", 1, 1 << 20), plane_set(planes), checked(threads, "threads", 0, 1024));
       },
       "num_envs"_a, "planes"_a = "bitplane", "threads"_a = 0)
      .def("reset", &reset, "level"_a, "speed"_a, "seed"_a, "frame_counter"_a = 0, "mask"_a = nb::none(),
           "Starts new rounds where mask is set; level and speed: scalars, [N] or [N, 2]. Both sides then wait.")
      .def("step", &step, "action"_a,
           "i32[N, 2]: decisions of the sides with to_act (other entries are ignored); every round then runs until a\n"
           "side waits again or it ends. ValueError naming the first illegal action; nothing has moved then.")
      .def_prop_ro(
          "planes",
          [](nb::handle_t<Versus> self) {
            const auto& v = nb::cast<const Versus&>(self);
            return view(v.planes.data(), {v.rounds.size(), kSides, v.plane_count(), 16, 8}, self);
          },
          "u8[N, 2, C, 16, 8] of each side's own bottle; a capsule that is falling shows at its spawn")
      .def_prop_ro("state", &state, nb::for_getter(nb::sig("def state(self) -> numpy.typing.NDArray[numpy.void]")),
                   "Structured copy [N], fields as Batch.state with two players")
      .def("set_state", &set_state, "state"_a, "reserve"_a = nb::none(),
           "Loads rounds in which both sides are before their first controllable frame, from a structured array [N].")
      .def("save", &save, "A snapshot of all rounds, for load().")
      .def("load", &load, "blob"_a, "Restores a snapshot of equal N.")
      .def_prop_ro("num_envs", &Versus::size)
      .def_prop_ro("threads", [](Versus& v) { return v.pool().threads(); });
  bind_columns(c);
}

}  // namespace drm
