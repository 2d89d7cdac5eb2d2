#include "bind.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <limits>
#include <thread>

#include "validate.h"

namespace drm {

static std::atomic<bool> ending{false};
static std::atomic<std::thread::id> ends_it;
static std::atomic<int> returning{0};  // threads that have seen no end, and wait for the GIL

WithoutGil::~WithoutGil() {
  ++returning;
  if (ending && ends_it.load() != std::this_thread::get_id()) {
    --returning;
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }
  PyEval_RestoreThread(thread_);
  --returning;
}

void watch_for_the_end() {
  const auto end = [] {
    ends_it = std::this_thread::get_id();
    ending = true;
    // What the frames of daemon threads hold is never given back.
    if (nb::cast<int>(nb::module_::import_("threading").attr("active_count")()) > 1) nb::set_leak_warnings(false);
    nb::gil_scoped_release release;
    // A forked child may count threads that it does not have.
    for (int i = 0; i < 1000 && returning > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  nb::module_::import_("atexit").attr("register")(nb::cpp_function(end));
}

static nb::module_ numpy() { return nb::module_::import_("numpy"); }

static std::string text(const nb::object& value) { return nb::str(value).c_str(); }

static std::string range(long lo, long hi) { return std::to_string(lo) + ".." + std::to_string(hi); }

static nb::tuple to_tuple(const Shape& shape) {
  nb::list list;
  for (std::size_t extent : shape) list.append(extent);
  return nb::tuple(list);
}

// The argument as a numpy array of integers of whatever width.
static nb::object integer_object(nb::handle value, const char* name) {
  nb::object array = numpy().attr("asarray")(value);
  const auto kind = nb::cast<std::string>(array.attr("dtype").attr("kind"));
  if (kind != "i" && kind != "u" && nb::cast<std::size_t>(array.attr("size")) != 0) {
    throw nb::type_error((std::string(name) + " must be integers, not " + text(array.attr("dtype"))).c_str());
  }
  return array;
}

static void check_shape(const Shape& given, const std::vector<long>& wanted, const char* name) {
  bool good = given.size() == wanted.size();
  std::string allowed;
  for (std::size_t axis = 0; axis < wanted.size(); ++axis) {
    good = good && (wanted[axis] < 0 || given[axis] == static_cast<std::size_t>(wanted[axis]));
    allowed += (axis ? ", " : "") + (wanted[axis] < 0 ? std::string("any") : std::to_string(wanted[axis]));
  }
  if (good) return;
  throw nb::value_error((std::string(name) + " has shape " + text(to_tuple(given)) + ", allowed is (" + allowed +
                         (wanted.size() == 1 ? ",)" : ")"))
                            .c_str());
}

static std::string index_text(std::size_t flat, const Shape& shape) {
  std::string index;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    index = std::to_string(flat % shape[axis]) + (index.empty() ? "" : ", ") + index;
    flat /= shape[axis];
  }
  return index.empty() ? index : "[" + index + "]";
}

// Values outside lo..hi are reported by numpy, in whose dtype they may be too large for a long.
static void check_range(const nb::object& array, const Shape& shape, const char* name, long lo, long hi) {
  if (nb::cast<std::size_t>(array.attr("size")) == 0) return;
  nb::object bad = numpy().attr("logical_or")(numpy().attr("less")(array, lo), numpy().attr("greater")(array, hi));
  if (!nb::cast<bool>(bad.attr("any")().attr("item")())) return;
  const auto flat = nb::cast<std::size_t>(bad.attr("argmax")().attr("item")());
  throw nb::value_error((std::string(name) + index_text(flat, shape) + " is " + text(array.attr("item")(flat)) +
                         ", allowed are " + range(lo, hi))
                            .c_str());
}

template <typename T>
static const char* dtype_name() {
  return std::is_same_v<T, u8> ? "uint8" : std::is_same_v<T, i32> ? "int32" : "int64";
}

template <typename T>
Integers<T> integer_array(nb::handle value, const char* name, const std::vector<long>& shape, long lo, long hi) {
  using Exact = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;
  Exact exact;
  const bool fast = nb::try_cast<Exact>(value, exact, false);
  nb::object array = fast ? nb::object() : integer_object(value, name);
  Integers<T> result;
  if (fast) {
    for (std::size_t axis = 0; axis < exact.ndim(); ++axis) result.shape.push_back(exact.shape(axis));
  } else {
    for (nb::handle extent : array.attr("shape")) result.shape.push_back(nb::cast<std::size_t>(extent));
  }
  check_shape(result.shape, shape, name);
  if (!fast) {
    check_range(array, result.shape, name, lo, hi);
    exact = nb::cast<Exact>(numpy().attr("ascontiguousarray")(array, "dtype"_a = dtype_name<T>()));
  }
  result.data.assign(exact.data(), exact.data() + exact.size());
  const bool all_allowed = std::numeric_limits<T>::min() >= lo && std::numeric_limits<T>::max() <= hi;
  for (std::size_t i = 0; fast && !all_allowed && i < result.data.size(); ++i) {
    if (result.data[i] >= lo && result.data[i] <= hi) continue;
    throw nb::value_error((std::string(name) + index_text(i, result.shape) + " is " + std::to_string(result.data[i]) +
                           ", allowed are " + range(lo, hi))
                              .c_str());
  }
  return result;
}

template Integers<u8> integer_array(nb::handle, const char*, const std::vector<long>&, long, long);
template Integers<i32> integer_array(nb::handle, const char*, const std::vector<long>&, long, long);

using AnyArray = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;

template <typename T>
static std::vector<long> widened(const AnyArray& array) {
  const auto* data = static_cast<const T*>(array.data());
  return std::vector<long>(data, data + array.size());
}

// What `integers` makes of a Python integer or an array of one axis, empty for other arguments and wrong ones: NumPy's
// conversions take longer than starting a game.
static std::vector<long> plain_integers(nb::handle value, const Shape& shape, long lo, long hi) {
  std::vector<long> values;
  AnyArray array;
  if (PyLong_CheckExact(value.ptr())) {
    long all = 0;
    if (nb::try_cast<long>(value, all, false)) values.assign(shape[0], all);
  } else if (nb::try_cast<AnyArray>(value, array, false) && array.ndim() == 1 && array.shape(0) == shape[0]) {
    if (array.dtype() == nb::dtype<std::int64_t>()) values = widened<std::int64_t>(array);
    if (array.dtype() == nb::dtype<std::int32_t>()) values = widened<std::int32_t>(array);
    if (array.dtype() == nb::dtype<u16>()) values = widened<u16>(array);
    if (array.dtype() == nb::dtype<u8>()) values = widened<u8>(array);
  }
  const bool allowed = std::all_of(values.begin(), values.end(), [=](long each) { return lo <= each && each <= hi; });
  return allowed ? values : std::vector<long>();
}

std::vector<long> integers(nb::handle value, const char* name, const Shape& shape, long lo, long hi) {
  std::vector<long> plain = plain_integers(value, shape, lo, hi);
  if (!plain.empty()) {
    if (shape.size() == 1 || shape[1] == 1) return plain;
    std::vector<long> values;
    for (long one : plain) values.insert(values.end(), shape[1], one);  // [N] serves both players
    return values;
  }
  nb::object array = integer_object(value, name);
  Shape given;
  for (nb::handle extent : array.attr("shape")) given.push_back(nb::cast<std::size_t>(extent));
  const bool fits =
      given.empty() || (given.size() <= shape.size() && std::equal(given.begin(), given.end(), shape.begin()));
  if (!fits) {
    const std::string of_all = shape.size() == 2 ? text(to_tuple({shape[0]})) + " or " : "";
    throw nb::value_error((std::string(name) + " has shape " + text(to_tuple(given)) + ", allowed are a scalar or " +
                           of_all + text(to_tuple(shape)))
                              .c_str());
  }
  check_range(array, given, name, lo, hi);
  if (given.size() == 1 && shape.size() == 2) array = array.attr("reshape")(-1, 1);  // [N] serves both players
  nb::object wide = numpy().attr("array")(numpy().attr("broadcast_to")(array, to_tuple(shape)), "dtype"_a = "int64");
  const auto values = nb::cast<nb::ndarray<const std::int64_t, nb::c_contig, nb::device::cpu>>(wide);
  return std::vector<long>(values.data(), values.data() + values.size());
}

Integers<u8> bottle_array(nb::handle value, const char* name, const std::vector<long>& lead) {
  nb::object array = integer_object(value, name);
  const auto ndim = nb::cast<std::size_t>(array.attr("ndim"));
  const nb::object shape = array.attr("shape");
  if (ndim == lead.size() + 2 && nb::cast<int>(shape[ndim - 2]) == kRows && nb::cast<int>(shape[ndim - 1]) == kCols) {
    nb::list flat;
    for (std::size_t axis = 0; axis < lead.size(); ++axis) flat.append(shape[axis]);
    flat.append(kCells);
    array = array.attr("reshape")(nb::tuple(flat));
  }
  std::vector<long> wanted = lead;
  wanted.push_back(kCells);
  return integer_array<u8>(array, name, wanted, 0, 255);
}

Integers<u8> checked_bottles(nb::handle value, const char* name, const std::vector<long>& lead) {
  Integers<u8> bottles = bottle_array(value, name, lead);
  Shape rows(bottles.shape.begin(), bottles.shape.end() - 1);
  for (std::size_t i = 0; i * kCells < bottles.data.size(); ++i) {
    if (holds_cells(&bottles.data[i * kCells])) continue;
    const std::string index = index_text(i, rows);
    const std::string cell = std::string(name) + (index.empty() ? "[" : index.substr(0, index.size() - 1) + ", ");
    throw nb::value_error(describe_invalid_cells(&bottles.data[i * kCells], cell).c_str());
  }
  return bottles;
}

std::vector<bool> game_mask(nb::handle mask, std::size_t n) {
  if (mask.is_none()) return std::vector<bool>(n, true);
  nb::ndarray<const bool, nb::ndim<1>, nb::c_contig, nb::device::cpu> plain;
  if (nb::try_cast(mask, plain, false) && plain.size() == n) return std::vector<bool>(plain.data(), plain.data() + n);
  nb::object array = numpy().attr("asarray")(mask);
  if (nb::cast<std::string>(array.attr("dtype").attr("kind")) != "b") {
    throw nb::type_error(("mask has dtype " + text(array.attr("dtype")) + ", allowed is bool").c_str());
  }
  Shape given;
  for (nb::handle extent : array.attr("shape")) given.push_back(nb::cast<std::size_t>(extent));
  check_shape(given, {static_cast<long>(n)}, "mask");
  const auto values =
      nb::cast<nb::ndarray<const bool, nb::c_contig, nb::device::cpu>>(numpy().attr("ascontiguousarray")(array));
  return std::vector<bool>(values.data(), values.data() + n);
}

int checked(long value, const char* name, long lo, long hi) {
  if (value < lo || value > hi) {
    throw nb::value_error(
        (std::string(name) + " is " + std::to_string(value) + ", allowed are " + range(lo, hi)).c_str());
  }
  return static_cast<int>(value);
}

double checked(double value, const char* name, double lo, double hi) {
  if (value >= lo && value <= hi) return value;  // not a number is not
  const auto said = [](double number) { return text(nb::repr(nb::float_(number))); };
  throw nb::value_error(
      (std::string(name) + " is " + said(value) + ", allowed are " + said(lo) + ".." + said(hi)).c_str());
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
  for (const PlaneSet set : {PlaneSet::kBitplane, PlaneSet::kExtended}) {
    if (name == plane_set_name(set)) return set;
  }
  throw nb::value_error(("planes is '" + name + "', allowed are 'bitplane' and 'extended'").c_str());
}

const char* plane_set_name(PlaneSet set) { return set == PlaneSet::kBitplane ? "bitplane" : "extended"; }

nb::typed<nb::tuple, nb::str, nb::ellipsis> names(std::span<const char* const> list) {
  nb::list result;
  for (const char* name : list) result.append(name);
  return nb::typed<nb::tuple, nb::str, nb::ellipsis>(nb::tuple(result));
}

nb::object record_dtype(const std::vector<RecordField>& fields, std::size_t record_bytes) {
  nb::list names, formats, offsets;
  for (const RecordField& field : fields) {
    names.append(field.name);
    formats.append(field.count == 1 ? field.format : "(" + std::to_string(field.count) + ",)" + field.format);
    offsets.append(field.offset);
  }
  nb::dict spec;
  spec["names"] = names;
  spec["formats"] = formats;
  spec["offsets"] = offsets;
  spec["itemsize"] = record_bytes;
  return numpy().attr("dtype")(spec);
}

nb::object record_view(const void* records, nb::handle dtype, std::size_t record_bytes, const Shape& shape,
                       nb::handle owner, std::size_t stride) {
  Shape bytes{1};
  for (std::size_t extent : shape) bytes[0] *= extent;
  bytes.push_back(record_bytes);
  const auto step = static_cast<std::int64_t>(stride ? stride : record_bytes);
  nb::object raw = nb::cast(view(static_cast<const u8*>(records), bytes, owner, {step, 1}));
  return raw.attr("view")(dtype).attr("reshape")(to_tuple(shape));
}

nb::handle event_dtype() {
  static nb::handle dtype;
  if (dtype) return dtype;
  std::vector<RecordField> list;
#define DRM_EVENT_RECORD(name, type, count, meaning) \
  list.push_back({#name,                             \
                  std::is_same_v<type, bool> ? "?"   \
                  : sizeof(type) == 2        ? "u2"  \
                                             : "u4", \
                  offsetof(Events, name), count});
  DRM_EVENT_FIELDS(DRM_EVENT_RECORD)
#undef DRM_EVENT_RECORD
  return dtype = record_dtype(list, sizeof(Events)).release();
}

nb::handle state_dtype(int players) {
  static nb::handle dtypes[2];
  nb::handle& dtype = dtypes[players - 1];
  if (dtype) return dtype;
  std::vector<RecordField> list;
  for (const Field& field : match_fields(players)) list.push_back({field.name, "u1", field.offset, field.bytes});
  return dtype = record_dtype(list, sizeof(Match)).release();
}

nb::object state_view(const Match* games, std::size_t n, int players, nb::handle owner, std::size_t stride) {
  return record_view(games, state_dtype(players), sizeof(Match), {n}, owner, stride);
}

std::vector<Match> matches_from(nb::handle state, nb::handle reserve, std::size_t n, int players) {
  nb::object given = numpy().attr("asarray")(state);
  const nb::object field_names = given.attr("dtype").attr("names");
  if (field_names.is_none()) {
    throw nb::type_error("state must be a structured array with the field names of Batch.state");
  }
  if (nb::cast<std::size_t>(given.attr("size")) != n || nb::cast<int>(given.attr("ndim")) != 1) {
    throw nb::value_error(
        ("state has shape " + text(given.attr("shape")) + ", allowed is (" + std::to_string(n) + ",)").c_str());
  }
  nb::object full = numpy().attr("ascontiguousarray")(given);
  if (!full.attr("dtype").equal(state_dtype(players))) {
    for (const nb::handle name : field_names) {
      const auto known = [&](const Field& field) { return nb::cast<std::string>(name) == field.name; };
      const auto& fields = match_fields(players);
      if (std::none_of(fields.begin(), fields.end(), known)) {
        throw nb::value_error(("state has the field " + text(nb::repr(name)) + ", which games do not have").c_str());
      }
    }
    full = numpy().attr("zeros")(n, "dtype"_a = state_dtype(players));
    for (const Field& field : match_fields(players)) {
      if (!nb::cast<bool>(field_names.attr("__contains__")(field.name))) continue;
      std::vector<long> shape{static_cast<long>(n)};
      if (field.bytes > 1) shape.push_back(static_cast<long>(field.bytes));
      const std::string name = "state['" + std::string(field.name) + "']";
      integer_array<u8>(given[field.name], name.c_str(), shape, 0, 255);  // NumPy would wrap what does not fit
      full[field.name] = given[field.name];
    }
  }
  const auto raw =
      nb::cast<nb::ndarray<const u8, nb::c_contig, nb::device::cpu>>(full.attr("view")(numpy().attr("uint8")));
  std::vector<Match> games(n);
  const auto bytes = reinterpret_cast<u8*>(games.data());
  for (std::size_t at = 0; at < n * sizeof(Match); at += sizeof(Match)) {  // what lies between the fields stays 0
    for (const Field& field : match_fields(players)) {
      std::memcpy(bytes + at + field.offset, raw.data() + at + field.offset, field.bytes);
    }
  }
  Integers<u8> capsules;
  if (!reserve.is_none()) {
    capsules = integer_array<u8>(reserve, "reserve", {static_cast<long>(n), kReserve}, 0, 255);
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (!reserve.is_none()) std::copy_n(&capsules.data[i * kReserve], kReserve, games[i].reserve);
    games[i].nb_players = static_cast<u8>(players);
    for (u8& capsule : games[i].reserve) {
      if (capsule == 255) capsule = 0;  // recordings write 255 for entries they never saw
    }
    const std::string problem = describe_invalid(games[i], players);
    if (!problem.empty()) throw nb::value_error(("state[" + std::to_string(i) + "]: " + problem).c_str());
  }
  return games;
}

}  // namespace drm
