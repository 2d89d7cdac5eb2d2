#include "bind.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

#include "validate.h"

namespace drm {

static std::atomic<bool> ending{false};
static std::atomic<std::thread::id> ends_it;
static std::atomic<int> returning{0};  // threads that have seen no end, and wait for the GIL

[[noreturn]] static void stay() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

WithoutGil::~WithoutGil() {
  ++returning;
  if (ending && ends_it.load() != std::this_thread::get_id()) {
    --returning;
    stay();
  }
  PyEval_RestoreThread(thread_);
  --returning;
}

nb::object called(nb::handle function, nb::handle argument) {
  // The interpreter ends a thread by unwinding it, past this; what Python raises comes back as null.
  struct Call {
    bool back = false;
    ~Call() {
      if (!back) stay();
    }
  } call;
  PyObject* result = PyObject_CallFunctionObjArgs(function.ptr(), argument.ptr(), nullptr);
  call.back = true;
  if (!result) throw nb::python_error();
  return nb::steal(result);
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

nb::tuple to_tuple(const Shape& shape) {
  nb::list list;
  for (std::size_t extent : shape) list.append(extent);
  return nb::tuple(list);
}

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
