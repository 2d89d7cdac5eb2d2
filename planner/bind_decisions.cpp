#include <cstring>

#include "afterstate.h"
#include "bind_planner.h"
#include "decisions.h"
#include "perft.h"
#include "validate.h"

namespace drm {

static std::size_t count(const Decisions& d) { return d.games.size(); }

// Shape of a column with a row per seat: [N] for one player, [N, P] for two; then the inner axes.
static Shape row_shape(const Decisions& d, const Shape& inner = Shape()) {
  Shape shape{count(d)};
  if (d.players() == 2) shape.push_back(2);
  shape.insert(shape.end(), inner.begin(), inner.end());
  return shape;
}

// The same as what an argument must have.
static std::vector<long> wanted(const Shape& shape) { return {shape.begin(), shape.end()}; }

static void construct(Decisions* self, const Whole& num_envs, const Word& planes, const Whole& threads,
                      const Whole& max_decisions, const Whole& players, const Flag& copy) {
  new (self) Decisions(checked(num_envs, "num_envs", 1, 1 << 20), checked(players, "players", 1, 2), plane_set(planes),
                       checked(threads, "threads", 0, 1024),
                       static_cast<u32>(checked(max_decisions, "max_decisions", 0, 1 << 30)), checked(copy, "copy"));
}

static void reset(Decisions& d, nb::handle level, nb::handle speed, nb::handle seed, nb::handle frame_counter,
                  nb::handle mask) {
  const auto configs = game_configs(level, speed, seed, frame_counter, count(d), d.players());
  require_working_seeds(configs);
  const auto chosen = game_mask(mask, count(d));
  exclusively(d, [&] { d.reset(configs, chosen); });
}

static void step(Decisions& d, nb::handle action, nb::handle mask) {
  const auto actions = integer_array<i32>(action, "action", wanted(row_shape(d)), INT32_MIN, INT32_MAX);
  const auto chosen = game_mask(mask, count(d));
  exclusively(d, [&] {
    const long bad = first_illegal(d, actions.data.data(), chosen);
    if (bad < 0) return d.step(actions.data.data(), chosen);
    const std::string game = std::to_string(bad / d.players());
    const std::string seat = d.players() == 2 ? ", " + std::to_string(bad % 2) : "";
    throw nb::value_error(("action[" + game + seat + "] is " +
                           std::to_string(actions.data[static_cast<std::size_t>(bad)]) +
                           ", allowed are the legal actions of game " + game)
                              .c_str());
  });
}

// Any whole number that fits 64 bits, of any integer type; TypeError or ValueError otherwise.
static u64 word(nb::handle value, const char* name) {
  if (!PyIndex_Check(value.ptr()) || PyBool_Check(value.ptr())) {
    throw nb::type_error(refusal(name, value, "whole numbers").c_str());
  }
  const nb::object number = nb::steal(PyNumber_Index(value.ptr()));
  if (!number.is_valid()) throw nb::python_error();
  const u64 result = PyLong_AsUnsignedLongLong(number.ptr());
  if (PyErr_Occurred()) {
    PyErr_Clear();
    throw nb::value_error(refusal(name, value, "0..2^64 - 1").c_str());
  }
  return result;
}

static nb::ndarray<nb::numpy, i32> sample_legal(Decisions& d, nb::handle seed) {
  const u64 key = word(seed, "seed");
  std::vector<i32> actions(d.rows());
  exclusively(d, [&] { draw_legal(d, key, actions.data()); });
  return copied(actions, row_shape(d));
}

static Afterstates afterstates(Decisions& d) {
  return exclusively(d, [&] { return resolve_all(d); });
}

static nb::bytes save(Decisions& d) {
  const auto games = exclusively(d, [&] { return d.games; });
  return pack("Decisions", games.data(), games.size() * sizeof(Game), games.size(), d.players());
}

static void load(Decisions& d, nb::handle blob) {
  const std::size_t n = count(d);
  const std::string bytes = unpack(blob, "Decisions", n * sizeof(Game), n, d.players());
  std::vector<Game> games(n);
  std::memcpy(games.data(), bytes.data(), bytes.size());
  for (std::size_t i = 0; i < n; ++i) {
    std::string problem = describe_invalid(games[i].round.match, d.players());
    if (problem.empty()) problem = describe_invalid(games[i]);
    if (!problem.empty()) throw nb::value_error(("blob, game " + std::to_string(i) + ": " + problem).c_str());
  }
  exclusively(d, [&] { d.replace(games); });
}

static void set_state(Decisions& d, nb::handle state, nb::handle reserve) {
  const auto matches = matches_from(state, reserve, count(d), d.players());
  std::vector<Game> games(count(d));
  for (std::size_t i = 0; i < games.size(); ++i) {
    games[i].round.match = matches[i];
    const std::string problem = seat_players(games[i].round);
    if (!problem.empty()) throw nb::value_error(("state[" + std::to_string(i) + "]: " + problem).c_str());
  }
  exclusively(d, [&] { d.replace(games); });
}

static void set_bottles(Decisions& d, nb::handle bottle, nb::handle mask) {
  const auto bottles = bottle_array(bottle, "bottle", wanted(row_shape(d)));  // rows of other games are not read
  const auto chosen = game_mask(mask, count(d));
  exclusively(d, [&] {
    const std::string problem = describe_bad_bottles(d, bottles.data.data(), chosen);
    if (!problem.empty()) throw nb::value_error(problem.c_str());
    d.set_bottles(bottles.data.data(), chosen);
  });
}

static nb::ndarray<nb::numpy, u64> game_digests(Decisions& d) {
  std::vector<u64> values(count(d));
  exclusively(d, [&] { digests(&d.games[0].round.match, values.size(), values.data(), sizeof(Game)); });
  return copied(values, {values.size()});
}

static std::pair<nb::ndarray<nb::numpy, u64>, nb::ndarray<nb::numpy, u64>> perft_all(Decisions& d, const Whole& depth) {
  const int plies = checked(depth, "depth", 1, 8);
  if (d.players() == 2) throw nb::value_error("players is 2, allowed is 1: perft counts one-player games");
  std::vector<u64> nodes(count(d)), frames(count(d));
  exclusively(d, [&] {
    d.pool().for_chunks(d.size(), 1, [&](int begin, int end) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
        const Perft result = d.games[i].ended() ? Perft{} : perft(d.games[i].round, plies);
        nodes[i] = result.nodes;
        frames[i] = result.frames;
      }
    });
  });
  return {copied(nodes, {nodes.size()}), copied(frames, {frames.size()})};
}

// --- columns, of the games themselves and of their public view

// What policies, environments and search get of the games: everything a player may know.
struct PublicView {
  Decisions* games;
};

static const Decisions& games_of(const Decisions& d) { return d; }
static Decisions& games_of(Decisions& d) { return d; }
static Decisions& games_of(const PublicView& v) { return *v.games; }

// Getter of a read-only view of a column that `Decisions` keeps as a vector; a row per seat.
template <class Owner, auto Column, typename As, std::size_t... Inner>
static nb::ndarray<nb::numpy, const As> seat_column(nb::handle_t<Owner> self) {
  const Decisions& d = games_of(nb::cast<const Owner&>(self));
  static_assert(sizeof(As) == sizeof((d.*Column)[0]));
  return view(reinterpret_cast<const As*>((d.*Column).data()), row_shape(d, {Inner...}), self);
}

// The same with a row per game.
template <class Owner, auto Column, typename As>
static nb::ndarray<nb::numpy, const As> game_column(nb::handle_t<Owner> self) {
  const Decisions& d = games_of(nb::cast<const Owner&>(self));
  return view(reinterpret_cast<const As*>((d.*Column).data()), {count(d)}, self);
}

static nb::handle public_dtype() {
  static nb::handle dtype;
  if (dtype) return dtype;
  std::vector<RecordField> fields;
#define DRM_PUBLIC_RECORD(name, type, count, meaning) \
  fields.push_back({#name, std::is_same_v<type, u16> ? "u2" : "u1", offsetof(PublicState, name), count});
  DRM_PUBLIC_FIELDS(DRM_PUBLIC_RECORD)
#undef DRM_PUBLIC_RECORD
  return dtype = record_dtype(fields, sizeof(PublicState)).release();
}

// An array of observations, of which `As` is the element, that shares its memory.
template <typename As, typename T>
static nb::ndarray<nb::numpy, As> kept(std::shared_ptr<std::vector<T>> shared, const Shape& shape) {
  using Shared = std::shared_ptr<std::vector<T>>;
  auto* const data = reinterpret_cast<As*>(shared->data());
  return view(data, shape,
              nb::capsule(new Shared(std::move(shared)), [](void* p) noexcept { delete static_cast<Shared*>(p); }));
}

// A read-only one. Of games with copy=True it stays as it is, and waits for a call that changes them: so nothing is
// shared while it is written.
template <auto Column, typename As, class Owner>
static nb::ndarray<nb::numpy, const As> observed(nb::handle_t<Owner> self, const Shape& inner) {
  Decisions& d = games_of(nb::cast<Owner&>(self));
  auto& column = d.seen.*Column;
  const Shape shape = row_shape(d, inner);
  if (!d.seen.copy()) return view(reinterpret_cast<const As*>(column.now().data()), shape, self);
  return kept<const As>(exclusively(d, [&] { return column.share(); }), shape);
}

static nb::dict take_observations(Decisions& d) {
  Observations& seen = d.seen;
  if (!seen.copy()) throw nb::value_error("copy is False, allowed are games that were made with copy=True");
  const auto shared = exclusively(d, [&] {
    seen.take();
    return std::make_tuple(seen.planes.share(), seen.scalars.share(), seen.legal.share(), seen.frames_to_lock.share());
  });
  nb::dict arrays;
  arrays["planes"] = kept<u8>(std::get<0>(shared), row_shape(d, {d.plane_count(), 16, 8}));
  arrays["scalars"] = kept<float>(std::get<1>(shared), row_shape(d, {kScalars}));
  arrays["legal"] = kept<bool>(std::get<2>(shared), row_shape(d, {kActions}));
  arrays["frames_to_lock"] = kept<const u16>(std::get<3>(shared), row_shape(d, {kActions}));  // the engine reads these
  return arrays;
}

static constexpr auto kAsOwned = nb::rv_policy::reference;  // by what an array says, not by the object it is asked of

template <class Owner>
static void bind_observations(nb::class_<Owner>& c) {
  c.def_prop_ro(
       "planes",
       [](nb::handle_t<Owner> self) {
         const std::size_t planes = games_of(nb::cast<const Owner&>(self)).plane_count();
         return observed<&Observations::planes, u8>(self, {planes, 16, 8});
       },
       kAsOwned, "u8[N, C, 16, 8] of 0 and 1, in the order of plane_names")
      .def_prop_ro(
          "scalars", [](nb::handle_t<Owner> self) { return observed<&Observations::scalars, float>(self, {kScalars}); },
          kAsOwned, "f32[N, S], in the order of scalar_names")
      .def_prop_ro(
          "legal", [](nb::handle_t<Owner> self) { return observed<&Observations::legal, bool>(self, {kActions}); },
          kAsOwned, "bool[N, 512]: True = legal; all False where no decision is due")
      .def_prop_ro(
          "frames_to_lock",
          [](nb::handle_t<Owner> self) { return observed<&Observations::frames_to_lock, u16>(self, {kActions}); },
          kAsOwned, "u16[N, 512]: frames until the fastest script locks there, 65535 = unreachable")
      .def_prop_ro(
          "public",
          [](nb::handle_t<Owner> self) {
            const Decisions& d = games_of(nb::cast<const Owner&>(self));
            return record_view(d.visible.data(), public_dtype(), sizeof(PublicState), row_shape(d), self);
          },
          nb::for_getter(nb::sig("def public(self) -> numpy.typing.NDArray[numpy.void]")),
          "Structured view [N]: bottle, capsule, preview, counters, the opponent's bottle; docs/decisions.md")
      .def_prop_ro("plane_names", [](const Owner& o) { return names(plane_names(games_of(o).plane_set())); })
      .def_prop_ro("scalar_names", [](const Owner&) { return names(kScalarNames); })
      .def_prop_ro("plane_set", [](const Owner& o) { return plane_set_name(games_of(o).plane_set()); })
      .def_prop_ro("num_envs", [](const Owner& o) { return games_of(o).size(); })
      .def_prop_ro("players", [](const Owner& o) { return games_of(o).players(); });
}

template <class Owner>
static void bind_events(nb::class_<Owner>& c) {
#define DRM_BIND_EVENT(name, type, count, meaning)                                        \
  c.def_prop_ro(                                                                          \
      #name,                                                                              \
      [](nb::handle_t<Owner> self) {                                                      \
        const Decisions& d = games_of(nb::cast<const Owner&>(self));                      \
        return field_view<type, count>(d.told.data(), &Events::name, row_shape(d), self); \
      },                                                                                  \
      "[N], told by the last step: " meaning);
  DRM_EVENT_FIELDS(DRM_BIND_EVENT)
#undef DRM_BIND_EVENT
}

template <class Owner>
static void bind_progress(nb::class_<Owner>& c) {
  c.def_prop_ro("to_act", &seat_column<Owner, &Decisions::to_act, bool>, "bool[N]: a decision is due")
      .def_prop_ro("viruses_left", &seat_column<Owner, &Decisions::viruses_left, u8>, "u8[N]")
      .def_prop_ro("decisions", &seat_column<Owner, &Decisions::decisions, u32>, "u32[N]: made in this game")
      .def_prop_ro("frames", &seat_column<Owner, &Decisions::frames, u32>, "u32[N]: sum of tau in this game")
      .def_prop_ro("truncated", &game_column<Owner, &Decisions::truncated, bool>,
                   "bool[N]: the game reached max_decisions in the last step")
      .def_prop_ro("ended", &game_column<Owner, &Decisions::ended, bool>, "bool[N]: the game is over until reset")
      .def_prop_ro("winner", &game_column<Owner, &Decisions::winner, u8>,
                   "u8[N]: 0 nobody (yet, or a lost one-player game), 1, 2, 3 draw");
}

static void bind_public_view(nb::module_& m) {
  nb::class_<PublicView> c(
      m, "PublicView",
      "What the players of N games may know, live: policies, environments and search get this and\n"
      "nothing else. Arrays as in Decisions; the capsules after the preview are not here.");
  c.def(
       "afterstates", [](PublicView& v) { return afterstates(*v.games); }, "As Decisions.afterstates.")
      .def(
          "sample_legal", [](PublicView& v, nb::handle seed) { return sample_legal(*v.games, seed); }, "seed"_a.none(),
          "As Decisions.sample_legal.");
  bind_observations(c);
  bind_events(c);
  bind_progress(c);
}

// --- the games

static void bind_playing(nb::class_<Decisions>& c) {
  c.def("reset", &reset, "level"_a, "speed"_a, "seed"_a, "frame_counter"_a = 0, "mask"_a = nb::none(),
        "Starts new games where mask (bool[N], None = all) is set and advances them to their first decision.\n"
        "Scalars or integer arrays [N]: level 0..24, speed 0 LOW, 1 MED, 2 HI (both also [N, 2]), seed 2..65535,\n"
        "frame_counter: its value in the first sample of play. The event columns of all games are 0 after it.\n"
        "Raises ValueError or TypeError naming the argument; nothing has changed then.")
      .def("step", &step, "action"_a.none(), "mask"_a = nb::none(),
           "One decision, integers [N] or [N, 2], of every seat whose decision is due (other entries are ignored), in\n"
           "the games where mask (bool[N], None = all) is set; the others wait, and their event columns are 0.\n"
           "Raises ValueError naming the first illegal action; nothing has moved then.")
      .def(
          "sample_legal", &sample_legal, "seed"_a.none(),
          "i32[N]: a uniformly drawn legal action of every seat whose decision is due (0 for the others). A hash of\n"
          "the seed (u64), the game's digest and the seat, so a game is played the same whatever else is in the batch.")
      .def("afterstates", &afterstates, "Resolves every legal placement without moving the games.")
      .def("perft", &perft_all, "depth"_a,
           "(nodes u64[N], frames u64[N]): placement sequences of exactly `depth` (1..8) decisions from every running\n"
           "one-player game, and the sum of their last placements' frames_to_lock.")
      .def("take", &take_observations, nb::sig("def take(self) -> dict[str, numpy.typing.NDArray[typing.Any]]"),
           "planes, scalars, legal and frames_to_lock by name, of games that were made with copy=True (ValueError of\n"
           "others), to be kept and, but for frames_to_lock, to be written to. What is written changes no game; until\n"
           "the games change it shows in the other arrays of this observation as well.")
      .def_prop_ro(
          "view", [](Decisions& d) { return PublicView{&d}; }, nb::keep_alive<0, 1>(), "The public view of the games.");
}

static void bind_states(nb::class_<Decisions>& c) {
  c.def("set_state", &set_state, "state"_a, "reserve"_a = nb::none(),
        "Loads games from a structured array [N] (fields of `state`; missing ones are 0) and a reserve u8[N, 128];\n"
        "counters start at 0. ValueError unless every player is before the first controllable frame of a capsule (in\n"
        "two-player games at least one; the other may still settle).")
      .def("set_bottles", &set_bottles, "bottle"_a, "mask"_a = nb::none(),
           "Replaces the bottles, bytes [N, 128] or [N, 16, 8] (two players: [N, 2, ...]), of the games where mask\n"
           "(bool[N], None = all) is set. The viruses in a bottle, 1..99, become the player's; reserve, capsule, "
           "clocks,\n"
           "counters and the columns of the last step stay, and so do the other games. ValueError for an ended game,\n"
           "for a player who is not before a decision, and for bottles that set_state would refuse, also where the\n"
           "capsule waits (row 0, columns 3 and 4); nothing has changed then.")
      .def_prop_ro(
          "state",
          [](nb::handle_t<Decisions> self) {
            const auto& d = nb::cast<const Decisions&>(self);
            return state_view(&d.games[0].round.match, count(d), d.players(), self, sizeof(Game));
          },
          nb::for_getter(nb::sig("def state(self) -> numpy.typing.NDArray[numpy.void]")),
          "Read-only structured view [N] of the full state, the coming capsules included, as Batch.state.")
      .def_prop_ro(
          "events",
          [](nb::handle_t<Decisions> self) {
            const auto& d = nb::cast<const Decisions&>(self);
            return record_view(d.told.data(), event_dtype(), sizeof(Events), row_shape(d), self);
          },
          nb::for_getter(nb::sig("def events(self) -> numpy.typing.NDArray[numpy.void]")),
          "Read-only structured view [N] of all event columns together, as Batch.events.")
      .def("save", &save, "A snapshot of all games and counters, for load().")
      .def(
          "load", &load, "blob"_a,
          "Restores a snapshot (any buffer) of equal N and P; the event columns are 0 after it. ValueError if it does\n"
          "not fit, is damaged, or holds a game that could not go on.")
      .def("digest", &game_digests,
           "u64[N]: a hash of each game's `state` and reserve; what a falling capsule of two players is to do is not "
           "in it")
      .def(
          "__getstate__",
          [](Decisions& d) {
            return nb::make_tuple(d.size(), plane_set_name(d.plane_set()), d.pool().wanted(), d.max_decisions(),
                                  d.players(), d.seen.copy(), save(d));
          },
          nb::sig("def __getstate__(self) -> tuple[object, ...]"))
      .def("__setstate__", [](Decisions& d, const std::tuple<Whole, Word, Whole, Whole, Whole, Flag, nb::bytes>& s) {
        construct(&d, std::get<0>(s), std::get<1>(s), std::get<2>(s), std::get<3>(s), std::get<4>(s), std::get<5>(s));
        filled(d, [&] { load(d, std::get<6>(s)); });
      });
}

void bind_decisions(nb::module_& m) {
  bind_public_view(m);
  bind_afterstates(m);
  nb::class_<Decisions> c(
      m, "Decisions",
      "N games moved from spawn to spawn. One player: arrays [N, ...]; two: a row per seat, [N, 2, ...].\n"
      "The arrays are read-only views of buffers that calls rewrite in place: copy what you keep, or see `copy`.\n"
      "Calls from several threads take turns. Event columns tell of the decision that ended in the last step, once;\n"
      "they are 0 for a seat whose decision goes on, for an ended game, and after reset, load and set_state. Can be\n"
      "pickled.");
  c.def("__init__", &construct, "num_envs"_a.none(), "planes"_a.none() = "bitplane", "threads"_a.none() = 0,
        "max_decisions"_a.none() = 0, "players"_a.none() = 1, "copy"_a.none() = false,
        nb::sig("def __init__(self, num_envs: int, planes: str = 'bitplane', threads: int = 0, max_decisions: int = 0, "
                "players: int = 1, copy: bool = False) -> None"),
        "planes: 'bitplane' or 'extended'; threads 0: one per core; max_decisions 0: games are never truncated;\n"
        "copy: planes, scalars, legal and frames_to_lock stay as they are for as long as anybody holds them; see "
        "take().");
  bind_playing(c);
  bind_states(c);
  bind_observations(c);
  bind_events(c);
  bind_progress(c);
  c.def_prop_ro("threads", [](Decisions& d) { return d.pool().threads(); });
}

}  // namespace drm
