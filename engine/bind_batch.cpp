#include "bind.h"
#include "validate.h"

namespace drm {

static std::size_t count(const Batch& batch) { return static_cast<std::size_t>(batch.size()); }

static void reset(Batch& batch, nb::handle level, nb::handle speed, nb::handle seed, nb::handle frame_counter,
                  const Word& start, nb::handle mask) {
  const bool at_play = start.value.equal(nb::str("play"));
  if (!at_play && !start.value.equal(nb::str("init"))) {
    throw nb::value_error(refusal("start", start.value, "'play' and 'init'").c_str());
  }
  const auto configs = game_configs(level, speed, seed, frame_counter, count(batch), batch.players());
  const auto chosen = game_mask(mask, count(batch));
  if (at_play) require_working_seeds(configs);
  exclusively(batch, [&] { batch.reset(configs, chosen, at_play); });
}

static void step(Batch& batch, nb::handle buttons) {
  const auto held = integer_array<u8>(buttons, "buttons", {batch.size(), batch.players()}, 0, 255);
  exclusively(batch, [&] { batch.run(held.data.data(), 1, {}, {}); });
}

static Field find_field(const Batch& batch, const std::string& name) {
  for (const Field& field : match_fields(batch.players())) {
    if (name == field.name) return field;
  }
  throw nb::value_error(("record names '" + name + "', allowed are the fields of state").c_str());
}

static nb::typed<nb::dict, nb::str, nb::object> run(Batch& batch, nb::handle buttons,
                                                    const std::vector<std::string>& record) {
  const auto held = integer_array<u8>(buttons, "buttons", {-1, batch.size(), batch.players()}, 0, 255);
  const std::size_t frames = held.shape[0];
  std::vector<Field> fields;
  nb::typed<nb::dict, nb::str, nb::object> result;
  std::vector<u8*> out;
  for (const std::string& name : record) {
    const Field field = find_field(batch, name);
    if (result.contains(field.name)) throw nb::value_error(("record names '" + name + "' twice").c_str());
    auto* data = new u8[frames * count(batch) * field.bytes + 1];
    Shape shape{frames, count(batch)};
    if (field.bytes > 1) shape.push_back(field.bytes);
    result[field.name] = nb::cast(take(data, shape));
    fields.push_back(field);
    out.push_back(data);
  }
  exclusively(batch, [&] { batch.run(held.data.data(), frames, fields, out); });
  return result;
}

static nb::bytes save(Batch& batch) {
  const auto games = exclusively(batch, [&] { return batch.games(); });
  return pack("Batch", games.data(), games.size() * sizeof(Match), games.size(), batch.players());
}

static void load(Batch& batch, nb::handle blob) {
  const std::size_t n = count(batch);
  const std::string bytes = unpack(blob, "Batch", n * sizeof(Match), n, batch.players());
  std::vector<Match> games(n);
  std::memcpy(games.data(), bytes.data(), bytes.size());
  for (std::size_t i = 0; i < n; ++i) {
    const std::string problem = describe_invalid(games[i], batch.players());
    if (!problem.empty()) throw nb::value_error(("blob, game " + std::to_string(i) + ": " + problem).c_str());
  }
  exclusively(batch, [&] { batch.replace(games); });
}

static void set_state(Batch& batch, nb::handle state, nb::handle reserve) {
  const auto games = matches_from(state, reserve, count(batch), batch.players());
  exclusively(batch, [&] { batch.replace(games); });
}

static std::pair<nb::ndarray<nb::numpy, u8>, nb::ndarray<nb::numpy, float>> observe(Batch& batch, const Word& planes) {
  const PlaneSet set = plane_set(planes);
  const std::size_t n = count(batch);
  const std::size_t channels = plane_names(set).size();
  auto* plane_data = new u8[n * channels * kCells];
  auto plane_array = take(plane_data, {n, channels, 16, 8});
  auto* scalar_data = new float[n * kScalars];
  auto scalar_array = take(scalar_data, {n, static_cast<std::size_t>(kScalars)});
  exclusively(batch, [&] {
    batch.pool().for_chunks(batch.size(), 64, [&](int begin, int end) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
        const Match& match = batch.games()[i];
        write_planes(match.player[0], set, nullptr, plane_data + i * channels * kCells);
        write_scalars(match, match.player[0], scalar_data + i * kScalars);
      }
    });
  });
  return {plane_array, scalar_array};
}

static nb::ndarray<nb::numpy, u64> batch_digests(Batch& batch) {
  std::vector<u64> values(count(batch));
  exclusively(batch, [&] { digests(batch.games().data(), values.size(), values.data()); });
  return copied(values, {values.size()});
}

using StateBytes = nb::ndarray<const u8, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// Not `exclusively`: no object of ours is involved, the caller must not write to the array meanwhile.
static nb::ndarray<nb::numpy, u64> digests_of(StateBytes states) {
  if (states.shape(1) != sizeof(Match)) {
    throw nb::value_error(("states has rows of " + std::to_string(states.shape(1)) + " bytes, allowed is " +
                           std::to_string(sizeof(Match)) + ", the itemsize of Batch.state")
                              .c_str());
  }
  std::vector<u64> values(states.shape(0));
  {
    const WithoutGil release;
    digests(reinterpret_cast<const Match*>(states.data()), values.size(), values.data());
  }
  return copied(values, {values.size()});
}

static void construct(Batch* self, const Whole& num_envs, const Whole& players, const Whole& threads) {
  new (self) Batch(checked(num_envs, "num_envs", 1, 1 << 22), checked(players, "players", 1, 2),
                   checked(threads, "threads", 0, 1024));
}

static void bind_playing(nb::class_<Batch>& c) {
  c.def("reset", &reset, "level"_a, "speed"_a, "seed"_a, "frame_counter"_a = 0, "start"_a = "play",
        "mask"_a = nb::none(),
        "Starts new games where mask (bool[N], None = all) is set. Scalars or integer arrays [N]; level 0..24 and\n"
        "speed 0 LOW, 1 MED, 2 HI also [N, 2] for two players; seed: the RNG word just before the reserve is made.\n"
        "start='play': the first sample of play; 'init': the sample before the level set-up, from which the intro\n"
        "is played frame by frame. frame_counter is the counter's value in that sample.\n"
        "Raises ValueError or TypeError naming the argument; the batch is then unchanged.")
      .def("step", &step, "buttons"_a,
           "One frame. buttons: integers 0..255 [N, P], bits A 80 B 40 SELECT 20 START 10 UP 8 DOWN 4 LEFT 2 RIGHT 1.")
      .def("run", &run, "buttons"_a, "record"_a = nb::tuple(),
           "Plays T frames of buttons [T, N, P]; returns {field: u8[T, N, ...]} of the recorded state fields.")
      .def("observe", &observe, "planes"_a = "extended",
           "(planes u8[N, C, 16, 8], scalars f32[N, S]) of player 1 in the current frame; planes of legal placements "
           "are 0.");
}

static void bind_views(nb::class_<Batch>& c) {
  c.def_prop_ro(
       "state",
       [](nb::handle_t<Batch> self) {
         const auto& batch = nb::cast<const Batch&>(self);
         return state_view(batch.games().data(), count(batch), batch.players(), self, sizeof(Match));
       },
       nb::for_getter(nb::sig("def state(self) -> numpy.typing.NDArray[numpy.void]")),
       "Read-only structured view [N] of the games, field names of the golden recordings.")
      .def_prop_ro(
          "events",
          [](nb::handle_t<Batch> self) {
            const auto& batch = nb::cast<const Batch&>(self);
            return record_view(batch.events().data(), event_dtype(), sizeof(Events),
                               {count(batch), static_cast<std::size_t>(batch.players())}, self);
          },
          nb::for_getter(nb::sig("def events(self) -> numpy.typing.NDArray[numpy.void]")),
          "Read-only structured view [N, P]: what happened in the last step or run (event_names(), "
          "docs/decisions.md);\n"
          "all zero after reset, load and set_state.")
      .def_prop_ro(
          "bottles",
          [](nb::handle_t<Batch> self) {
            const auto& batch = nb::cast<const Batch&>(self);
            return view(batch.games()[0].player[0].bottle,
                        {count(batch), static_cast<std::size_t>(batch.players()), 16, 8}, self,
                        {sizeof(Match), sizeof(Player), 8, 1});
          },
          "Read-only view u8[N, P, 16, 8] of the bottles.");
}

static void bind_snapshots(nb::class_<Batch>& c) {
  c.def("set_state", &set_state, "state"_a, "reserve"_a = nb::none(),
        "Loads games from a structured array [N] with field names of `state` (missing fields are 0) and a reserve\n"
        "u8[N, 128] (None: the state's own). Raises ValueError for other fields and values the engine could not run\n"
        "on.")
      .def("save", &save, "A snapshot of all games, for load().")
      .def("load", &load, "blob"_a,
           "Restores a snapshot (any buffer) of a batch with the same N and P; ValueError if it does not fit or is "
           "damaged.")
      .def("digest", &batch_digests, "u64[N]: a hash of each game's `state` and reserve.")
      .def(
          "__getstate__",
          [](Batch& batch) {
            return nb::make_tuple(batch.size(), batch.players(), batch.pool().wanted(), save(batch));
          },
          nb::sig("def __getstate__(self) -> tuple[object, ...]"))
      .def("__setstate__", [](Batch& batch, const std::tuple<Whole, Whole, Whole, nb::bytes>& state) {
        construct(&batch, std::get<0>(state), std::get<1>(state), std::get<2>(state));
        filled(batch, [&] { load(batch, std::get<3>(state)); });
      });
}

void bind_batch(nb::module_& m) {
  nb::class_<Batch> c(m, "Batch",
                      "N games stepped together, one video frame at a time, exactly as the console plays them.\n"
                      "Calls from several threads take turns; the views are live: copy what you keep. Can be pickled.");
  c.def(
      "__init__", &construct, "num_envs"_a.none(), "players"_a.none() = 1, "threads"_a.none() = 0,
      nb::sig("def __init__(self, num_envs: int, players: int = 1, threads: int = 0) -> None"),
      "num_envs games of 1 or 2 players on `threads` threads (0: one per core). Thread count never changes a result.");
  bind_playing(c);
  bind_views(c);
  bind_snapshots(c);
  c.def_prop_ro("num_envs", &Batch::size).def_prop_ro("players", &Batch::players).def_prop_ro("threads", [](Batch& b) {
    return b.pool().threads();
  });
  m.def(
      "plane_names", [](const Word& planes) { return names(plane_names(plane_set(planes))); }, "planes"_a.none(),
      nb::sig("def plane_names(planes: str) -> tuple[str, ...]"),
      "Names of the planes of a set ('bitplane' or 'extended'), in order");
  m.def(
      "digests", &digests_of, "states"_a.noconvert(),
      "u64[N]: hashes as Batch.digest, of the bytes of states u8[N, itemsize of Batch.state]. ValueError for rows of\n"
      "another length. The array must not be written to meanwhile. Take bytes of the state itself,\n"
      "`np.array(batch.state.view(np.uint8))`: a copy of a structured array has anything between its fields.");
  m.def("scalar_names", [] { return names(kScalarNames); }, "Names of the scalars, in order");
  m.def(
      "event_names",
      [] {
#define DRM_EVENT_NAME(name, type, count, meaning) #name,
        static constexpr const char* kNames[] = {DRM_EVENT_FIELDS(DRM_EVENT_NAME)};
#undef DRM_EVENT_NAME
        return names(kNames);
      },
      "Names of the event columns, in order");
}

}  // namespace drm
