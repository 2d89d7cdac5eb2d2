#include "bind.h"

namespace drm {

static void reset(Batch& batch, nb::handle level, nb::handle speed, nb::handle seed, nb::handle frame_counter,
                  const std::string& start, nb::handle mask) {
  if (start != "play" && start != "init") {
    throw nb::value_error(("start is '" + start + "', allowed are 'play' and 'init'").c_str());
  }
  const auto n = static_cast<std::size_t>(batch.size());
  const auto configs = game_configs(level, speed, seed, frame_counter, n, batch.players());
  const auto chosen = game_mask(mask, n);
  const bool at_play = start == "play";
  if (at_play) require_working_seeds(configs);
  nb::gil_scoped_release release;
  batch.pool().for_chunks(batch.size(), 16, [&](int begin, int end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      if (chosen[i]) (at_play ? start_at_play : start_at_setup)(batch.games()[i], configs[i]);
    }
  });
}

static void step(Batch& batch, nb::handle buttons) {
  const auto array = exact_array<u8>(buttons, "buttons", "uint8", {batch.size(), batch.players()});
  nb::gil_scoped_release release;
  batch.run(array.data(), 1, {}, {});
}

static Field find_field(const Batch& batch, const std::string& name) {
  for (const Field& field : match_fields(batch.players())) {
    if (name == field.name) return field;
  }
  throw nb::value_error(("record names '" + name + "', allowed are the fields of state").c_str());
}

static nb::typed<nb::dict, nb::str, nb::object> run(Batch& batch, nb::handle buttons,
                                                    const std::vector<std::string>& record) {
  const auto array = exact_array<u8>(buttons, "buttons", "uint8", {-1, batch.size(), batch.players()});
  const auto frames = array.shape(0);
  const auto n = static_cast<std::size_t>(batch.size());
  std::vector<Field> fields;
  for (const std::string& name : record) fields.push_back(find_field(batch, name));
  nb::typed<nb::dict, nb::str, nb::object> result;
  std::vector<u8*> out;
  for (const Field& field : fields) {
    auto* data = new u8[frames * n * field.bytes + 1];
    out.push_back(data);
    result[field.name] = nb::cast(field.bytes == 1 ? take(data, {frames, n}) : take(data, {frames, n, field.bytes}));
  }
  nb::gil_scoped_release release;
  batch.run(array.data(), static_cast<int>(frames), fields, out);
  return result;
}

static void load(Batch& batch, nb::handle blob) {
  const auto n = static_cast<std::size_t>(batch.size());
  const auto payload = unpack(blob, "Batch", n * sizeof(Match), n, batch.players());
  std::vector<Match> games(n);
  std::memcpy(games.data(), payload.data(), payload.size());
  for (std::size_t i = 0; i < n; ++i) check_loaded(games[i], batch.players(), i);
  std::copy(games.begin(), games.end(), batch.games());
}

static std::pair<nb::ndarray<nb::numpy, u8>, nb::ndarray<nb::numpy, float>> observe(const Batch& batch,
                                                                                    const std::string& planes) {
  const PlaneSet set = plane_set(planes);
  const auto n = static_cast<std::size_t>(batch.size());
  const std::size_t channels = plane_names(set).size();
  auto* plane_data = new u8[n * channels * kCells];
  auto plane_array = take(plane_data, {n, channels, 16, 8});
  auto* scalar_data = new float[n * kScalars];
  auto scalar_array = take(scalar_data, {n, static_cast<std::size_t>(kScalars)});
  for (std::size_t i = 0; i < n; ++i) {
    const Match& match = batch.games()[i];
    write_planes(match.player[0], set, nullptr, plane_data + i * channels * kCells);
    write_scalars(match, match.player[0], scalar_data + i * kScalars);
  }
  return {plane_array, scalar_array};
}

void bind_batch(nb::module_& m) {
  nb::class_<Batch>(m, "Batch",
                    "N games stepped together, one video frame at a time, exactly as the console plays them.")
      .def(
          "__init__",
          [](Batch* self, long num_envs, long players, long threads) {
            new (self) Batch(checked(num_envs, "num_envs", 1, 1 << 22), checked(players, "players", 1, 2),
                             checked(threads, "threads", 0, 1024));
          },
          "num_envs"_a, "players"_a = 1, "threads"_a = 0,
          "num_envs games of 1 or 2 players on `threads` threads (0: one per core). Thread count never changes a "
          "result.")
      .def("reset", &reset, "level"_a, "speed"_a, "seed"_a, "frame_counter"_a = 0, "start"_a = "play",
           "mask"_a = nb::none(),
           "Starts new games where mask (bool[N], None = all) is set. Scalars or integer arrays [N]; level 0..24 and\n"
           "speed 0 LOW, 1 MED, 2 HI also [N, 2] for two players; seed: the RNG word just before the reserve is made.\n"
           "start='play': the first sample of play; 'init': the sample before the level set-up, from which the intro\n"
           "is played frame by frame. frame_counter is the counter's value in that sample.\n"
           "Raises ValueError or TypeError naming the argument; the batch is then unchanged.")
      .def("step", &step, "buttons"_a,
           "One frame. buttons: u8[N, P], bits A 80 B 40 SELECT 20 START 10 UP 8 DOWN 4 LEFT 2 RIGHT 1.")
      .def("run", &run, "buttons"_a, "record"_a = nb::tuple(),
           "Plays T frames of buttons u8[T, N, P]; returns {field: u8[T, N, ...]} of the recorded state fields.")
      .def_prop_ro(
          "state",
          [](nb::handle_t<Batch> self) {
            const auto& batch = nb::cast<const Batch&>(self);
            return state_view(batch.games(), static_cast<std::size_t>(batch.size()), batch.players(), self);
          },
          nb::for_getter(nb::sig("def state(self) -> numpy.typing.NDArray[numpy.void]")),
          "Read-only structured view [N] of the games, field names of the golden recordings.")
      .def(
          "set_state",
          [](Batch& batch, nb::handle state, nb::handle reserve) {
            const auto games = matches_from(state, reserve, static_cast<std::size_t>(batch.size()), batch.players());
            std::copy(games.begin(), games.end(), batch.games());
          },
          "state"_a, "reserve"_a = nb::none(),
          "Loads games from a structured array [N] with field names of `state` (missing fields are 0) and a reserve\n"
          "u8[N, 128] (None: the state's own). Raises ValueError for values the engine could not run on.")
      .def_prop_ro(
          "bottles",
          [](nb::handle_t<Batch> self) {
            auto& batch = nb::cast<Batch&>(self);
            const auto n = static_cast<std::size_t>(batch.size());
            return nb::ndarray<nb::numpy, const u8>(batch.games()->player[0].bottle,
                                                    {n, static_cast<std::size_t>(batch.players()), 16, 8}, self,
                                                    {sizeof(Match), sizeof(Player), 8, 1});
          },
          "Read-only view u8[N, P, 16, 8] of the bottles.")
      .def(
          "save",
          [](const Batch& batch) {
            const auto n = static_cast<std::size_t>(batch.size());
            return pack("Batch", {{batch.games(), n * sizeof(Match)}}, n, batch.players());
          },
          "A snapshot of all games, for load().")
      .def("load", &load, "blob"_a,
           "Restores a snapshot of a batch with the same N and P; ValueError if it does not fit.")
      .def("observe", &observe, "planes"_a = "extended",
           "(planes u8[N, C, 16, 8], scalars f32[N, S]) of player 1 in the current frame; planes of legal placements "
           "are 0.")
      .def(
          "digest", [](const Batch& b) { return digests_of(b.games(), static_cast<std::size_t>(b.size())); },
          "u64[N]: a hash of each game's full state.")
      .def_prop_ro("num_envs", &Batch::size)
      .def_prop_ro("players", &Batch::players)
      .def_prop_ro("threads", &Batch::threads);
  m.def(
      "plane_names", [](const std::string& planes) { return names(plane_names(plane_set(planes))); }, "planes"_a,
      "Names of the planes of a set ('bitplane' or 'extended'), in order");
  m.def("scalar_names", [] { return names(kScalarNames); }, "Names of the scalars, in order");
}

}  // namespace drm
