#include "bind.h"

#include <cstring>

namespace drm {

static nb::module_ numpy() { return nb::module_::import_("numpy"); }

static std::string text(const nb::object& value) { return nb::str(value).c_str(); }

static nb::tuple to_tuple(std::initializer_list<std::size_t> shape) {
  nb::list list;
  for (std::size_t extent : shape) list.append(extent);
  return nb::tuple(list);
}

std::vector<long> integers(nb::handle value, const char* name, std::initializer_list<std::size_t> shape, long lo,
                           long hi) {
  nb::object array = numpy().attr("asarray")(value);
  const auto kind = nb::cast<std::string>(array.attr("dtype").attr("kind"));
  if (kind != "i" && kind != "u") {
    throw nb::type_error((std::string(name) + " must be integers, not " + text(array.attr("dtype"))).c_str());
  }
  const auto ndim = nb::cast<std::size_t>(array.attr("ndim"));
  if (ndim == 1 && shape.size() == 2) array = array.attr("reshape")(-1, 1);  // [N] serves both players
  nb::object wide;
  const auto given_shape = array.attr("shape");
  if (ndim != 0 &&
      !(ndim <= shape.size() && nb::cast<std::size_t>(array.attr("shape")[nb::int_(0)]) == *shape.begin())) {
    throw nb::value_error(
        (std::string(name) + " has shape " + text(given_shape) + ", allowed are a scalar or " + text(to_tuple(shape)))
            .c_str());
  }
  wide = numpy().attr("array")(numpy().attr("broadcast_to")(array, to_tuple(shape)), "dtype"_a = "int64");
  const auto values = nb::cast<nb::ndarray<const std::int64_t, nb::c_contig, nb::device::cpu>>(wide);
  std::vector<long> result(values.data(), values.data() + values.size());
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (result[i] >= lo && result[i] <= hi) continue;
    const std::string index = ndim == 0 ? "" : "[" + std::to_string(i) + "]";
    throw nb::value_error((std::string(name) + index + " is " + std::to_string(result[i]) + ", allowed are " +
                           std::to_string(lo) + ".." + std::to_string(hi))
                              .c_str());
  }
  return result;
}

nb::object exact_object(nb::handle value, const char* name, const char* dtype, std::initializer_list<long> shape) {
  nb::object array = numpy().attr("asarray")(value);
  const auto given = text(array.attr("dtype"));
  if (given != dtype) {
    throw nb::type_error((std::string(name) + " has dtype " + given + ", allowed is " + dtype).c_str());
  }
  const nb::tuple extents = nb::cast<nb::tuple>(array.attr("shape"));
  bool good = extents.size() == shape.size();
  std::string wanted;
  std::size_t axis = 0;
  for (long extent : shape) {
    if (good && extent >= 0) good = nb::cast<long>(extents[axis]) == extent;
    ++axis;
    wanted += (wanted.empty() ? "" : ", ") + (extent < 0 ? std::string("any") : std::to_string(extent));
  }
  if (!good) {
    throw nb::value_error(
        (std::string(name) + " has shape " + text(extents) + ", allowed is (" + wanted + ")").c_str());
  }
  return numpy().attr("ascontiguousarray")(array);
}

std::vector<bool> game_mask(nb::handle mask, std::size_t n) {
  if (mask.is_none()) return std::vector<bool>(n, true);
  const auto array = exact_array<bool>(mask, "mask", "bool", {static_cast<long>(n)});
  return std::vector<bool>(array.data(), array.data() + n);
}

int checked(long value, const char* name, long lo, long hi) {
  if (value < lo || value > hi) {
    throw nb::value_error((std::string(name) + " is " + std::to_string(value) + ", allowed are " + std::to_string(lo) +
                           ".." + std::to_string(hi))
                              .c_str());
  }
  return static_cast<int>(value);
}

std::vector<GameConfig> game_configs(nb::handle level, nb::handle speed, nb::handle seed, nb::handle frame_counter,
                                     std::size_t n, int players) {
  const auto p = static_cast<std::size_t>(players);
  const auto levels = integers(level, "level", {n, p}, 0, kMaxLevel);
  const auto speeds = integers(speed, "speed", {n, p}, kLow, kHi);
  const auto seeds = integers(seed, "seed", {n}, 0, 0xFFFF);
  const auto counters = integers(frame_counter, "frame_counter", {n}, 0, 255);
  std::vector<GameConfig> configs(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < p; ++j) {
      configs[i].level[j] = static_cast<u8>(levels[i * p + j]);
      configs[i].speed[j] = static_cast<u8>(speeds[i * p + j]);
    }
    configs[i].seed = static_cast<u16>(seeds[i]);
    configs[i].frame_counter = static_cast<u8>(counters[i]);
    configs[i].players = static_cast<u8>(players);
  }
  return configs;
}

void require_working_seeds(const std::vector<GameConfig>& configs) {
  for (const GameConfig& config : configs) {
    if (config.seed < 2) {
      throw nb::value_error(("seed is " + std::to_string(config.seed) +
                             ", allowed are 2..65535: the RNG of 0 and 1 stays at zero and the intro may never end")
                                .c_str());
    }
  }
}

PlaneSet plane_set(const std::string& name) {
  if (name == "bitplane") return PlaneSet::kBitplane;
  if (name == "extended") return PlaneSet::kExtended;
  throw nb::value_error(("planes is '" + name + "', allowed are 'bitplane' and 'extended'").c_str());
}

nb::typed<nb::tuple, nb::str, nb::ellipsis> names(std::span<const char* const> list) {
  nb::list result;
  for (const char* name : list) result.append(name);
  return nb::typed<nb::tuple, nb::str, nb::ellipsis>(nb::tuple(result));
}

nb::object match_dtype(int players) {
  nb::list names, formats, offsets;
  for (const Field& field : match_fields(players)) {
    names.append(field.name);
    formats.append(field.bytes == 1 ? std::string("u1") : "(" + std::to_string(field.bytes) + ",)u1");
    offsets.append(field.offset);
  }
  nb::dict spec;
  spec["names"] = names;
  spec["formats"] = formats;
  spec["offsets"] = offsets;
  spec["itemsize"] = sizeof(Match);
  return numpy().attr("dtype")(spec);
}

nb::ndarray<nb::numpy, u64> digests_of(const Match* games, std::size_t n) {
  auto* out = new u64[n];
  for (std::size_t i = 0; i < n; ++i) out[i] = digest(games[i]);
  return take(out, {n});
}

nb::object state_view(const Match* games, std::size_t n, int players, nb::handle owner) {
  nb::object raw = nb::cast(view(reinterpret_cast<const u8*>(games), {n, sizeof(Match)}, owner));
  return raw.attr("view")(match_dtype(players)).attr("reshape")(n);
}

std::vector<Match> matches_from(nb::handle state, nb::handle reserve, std::size_t n, int players) {
  nb::object given = numpy().attr("asarray")(state);
  if (given.attr("dtype").attr("names").is_none()) {
    throw nb::type_error("state must be a structured array with the field names of Batch.state");
  }
  if (nb::cast<std::size_t>(given.attr("size")) != n || nb::cast<int>(given.attr("ndim")) != 1) {
    throw nb::value_error(
        ("state has shape " + text(given.attr("shape")) + ", allowed is (" + std::to_string(n) + ",)").c_str());
  }
  nb::object full = numpy().attr("zeros")(n, "dtype"_a = match_dtype(players));
  for (const Field& field : match_fields(players)) {
    if (nb::cast<bool>(given.attr("dtype").attr("names").attr("__contains__")(field.name))) {
      full[field.name] = given[field.name];
    }
  }
  if (!reserve.is_none()) {
    exact_object(reserve, "reserve", "uint8", {static_cast<long>(n), kReserve});
    full["reserve"] = reserve;
  }
  const auto raw =
      nb::cast<nb::ndarray<const u8, nb::c_contig, nb::device::cpu>>(full.attr("view")(numpy().attr("uint8")));
  std::vector<Match> games(n);
  std::memcpy(games.data(), raw.data(), n * sizeof(Match));
  for (std::size_t i = 0; i < n; ++i) {
    games[i].nb_players = static_cast<u8>(players);
    for (u8& capsule : games[i].reserve) {
      if (capsule == 255) capsule = 0;  // recordings write 255 for entries they never saw
    }
    const std::string problem = describe_invalid(games[i], players);
    if (!problem.empty()) throw nb::value_error(("state[" + std::to_string(i) + "]: " + problem).c_str());
  }
  return games;
}

void check_loaded(const Match& match, int players, std::size_t index) {
  const std::string problem = describe_invalid(match, players);
  if (!problem.empty()) throw nb::value_error(("blob, game " + std::to_string(index) + ": " + problem).c_str());
}

void check_parked(const Match& match, int player, std::size_t index) {
  const Player& p = match.player[player];
  const char* problem = nullptr;
  if (match.mode != kModePlay || match.mode_step != 0) problem = "mode must be 4 (play)";
  if (match.pause_audio_flag != 0) problem = "pause_audio_flag must be 0";
  if (p.next_action != kFall) problem = "next_action must be 0 (falling)";
  if (p.pill_x != kSpawnPose.x || p.pill_y != kSpawnPose.y || p.pill_rotation != kSpawnPose.rotation) {
    problem = "pill_x, pill_y and pill_rotation must be 3, 15 and 0";
  }
  if (p.speed_counter != 0 || p.held != 0) problem = "speed_counter and held must be 0";
  if (p.bottle[3] != kEmpty || p.bottle[4] != kEmpty) problem = "bottle must be empty in row 0, columns 3 and 4";
  if (p.virus_left_bcd == 0) problem = "virus_left_bcd must not be 0";
  if (problem) {
    throw nb::value_error(
        ("state[" + std::to_string(index) + "], player " + std::to_string(player + 1) + ": " + problem).c_str());
  }
}

static std::string header(std::string_view kind, std::size_t payload, std::size_t n, int players) {
  return "mlx_drmario " + std::string(kind) + " 1 games " + std::to_string(n) + " players " + std::to_string(players) +
         " bytes " + std::to_string(payload) + "\n";
}

nb::bytes pack(std::string_view kind, std::initializer_list<std::pair<const void*, std::size_t>> parts, std::size_t n,
               int players) {
  std::size_t payload = 0;
  for (const auto& part : parts) payload += part.second;
  std::string blob = header(kind, payload, n, players);
  for (const auto& part : parts) blob.append(static_cast<const char*>(part.first), part.second);
  return nb::bytes(blob.data(), blob.size());
}

std::string_view unpack(nb::handle blob, std::string_view kind, std::size_t payload, std::size_t n, int players) {
  if (!nb::isinstance<nb::bytes>(blob)) throw nb::type_error("blob must be bytes, as save() returned them");
  const auto bytes = nb::borrow<nb::bytes>(blob);
  const std::string_view text(bytes.c_str(), bytes.size());
  const std::string wanted = header(kind, payload, n, players);
  if (text.size() != wanted.size() + payload || !text.starts_with(wanted)) {
    throw nb::value_error(("blob does not fit: allowed is what save() returned of a " + std::string(kind) + " with " +
                           std::to_string(n) + " games and " + std::to_string(players) + " players")
                              .c_str());
  }
  return text.substr(wanted.size());
}

}  // namespace drm
