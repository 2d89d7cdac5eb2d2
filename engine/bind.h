// Shared by the binding files: argument checks with one clear sentence, numpy views of C++ memory, snapshots, and the
// rule by which bound objects survive several threads.
//
// The rule: arguments are checked and copied while the GIL is held; then `exclusively` releases it and takes the
// object's lock for the work. So no call reads an array that its caller may be rewriting, no two calls share an object,
// and nobody waits for the lock while holding the GIL. What reads large arrays where they are (networks, `digests`)
// says so.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "batch.h"
#include "observe.h"

namespace drm {

namespace nb = nanobind;
using namespace nanobind::literals;

using Shape = std::vector<std::size_t>;

inline nb::module_ numpy() { return nb::module_::import_("numpy"); }

inline std::string text(const nb::object& value) { return nb::str(value).c_str(); }

nb::tuple to_tuple(const Shape& shape);

// Lets other threads run Python while it lives. A daemon thread that is at work when the interpreter ends stays here
// until the process is gone: Python up to 3.13 would unwind it, which the frames of a destructor must not be.
class WithoutGil {
 public:
  WithoutGil() : thread_(PyEval_SaveThread()) {}
  ~WithoutGil();
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  PyThreadState* thread_;
};

// Lets this thread run Python while it lives, within a WithoutGil. Unlike nanobind's it can be unwound where it waits.
class WithGil {
 public:
  WithGil() : state_(PyGILState_Ensure()) {}
  ~WithGil() { PyGILState_Release(state_); }
  WithGil(const WithGil&) = delete;
  WithGil& operator=(const WithGil&) = delete;

 private:
  PyGILState_STATE state_;
};

// function(argument), by a thread that the interpreter may end in it: that one stays there as well.
nb::object called(nb::handle function, nb::handle argument);

// Called once, when the module is made.
void watch_for_the_end();

template <class Object, class Work>
decltype(auto) exclusively(Object& object, Work&& work) {
  const WithoutGil release;
  std::lock_guard turn(object.pool());
  return work();
}

// --- arguments

// A copy of an integer argument, row after row.
template <typename T>
struct Integers {
  std::vector<T> data;
  Shape shape;
};

// An array (or nested list) of any integer dtype as T, every value in lo..hi; `shape` holds -1 where any extent will
// do. TypeError when not integers, ValueError naming argument, index, value and range otherwise.
template <typename T>
Integers<T> integer_array(nb::handle value, const char* name, const std::vector<long>& shape, long lo, long hi);

// A scalar or an array of integers, broadcast to `shape`; errors as above.
std::vector<long> integers(nb::handle value, const char* name, const Shape& shape, long lo, long hi);

// Bottles as bytes [..., 128] or [..., 16, 8] after the leading axes `lead`; checked_bottles: every byte is a cell.
Integers<u8> bottle_array(nb::handle value, const char* name, const std::vector<long>& lead);
Integers<u8> checked_bottles(nb::handle value, const char* name, const std::vector<long>& lead);

// Calls fill(), the second half of a __setstate__, and unmakes the object when that throws: nanobind does not call the
// destructor of one that it never saw made.
template <class T, class Fill>
void filled(T& object, const Fill& fill) {
  try {
    fill();
  } catch (...) {
    object.~T();
    throw;
  }
}

// bool[N], or None for all.
GameMask game_mask(nb::handle mask, std::size_t n);

// An argument as Python gives it, which signatures show as a T. So it is `checked`, not nanobind, that says what is
// wrong with it: in one sentence, with its name, as of arrays. (None gets that far with .none() alone.)
template <typename T>
struct Given {
  nb::object value;
};
using Whole = Given<long>;
using Real = Given<double>;
using Word = Given<std::string>;
using Flag = Given<bool>;

// A number in lo..hi; TypeError for what is none, ValueError for others.
int checked(const Whole& given, const char* name, long lo, long hi);
double checked(const Real& given, const char* name, double lo, double hi);
bool checked(const Flag& given, const char* name);  // bool of Python or NumPy

// Level, speed, seed and frame counter of N games with P players: scalars or arrays [N], level and speed also [N, P].
std::vector<GameConfig> game_configs(nb::handle level, nb::handle speed, nb::handle seed, nb::handle frame_counter,
                                     std::size_t n, int players);

// ValueError for seeds 0 and 1: their RNG stays at zero, so a virus layout may never be finished.
void require_working_seeds(const std::vector<GameConfig>& configs);

// "name is VALUE, allowed are ALLOWED"
std::string refusal(const char* name, nb::handle value, const std::string& allowed);

// 'bitplane' or 'extended'; ValueError otherwise.
PlaneSet plane_set(const Word& planes);
const char* plane_set_name(PlaneSet set);

// Structured array -> games; fields that the array lacks are 0. Throws ValueError for impossible states.
std::vector<Match> matches_from(nb::handle state, nb::handle reserve, std::size_t n, int players);

// --- results

// A numpy view of `shape` on memory that `owner` keeps alive; `strides` in elements of T, rows without gaps by default.
template <typename T>
nb::ndarray<nb::numpy, T> view(T* data, const Shape& shape, nb::handle owner,
                               const std::vector<std::int64_t>& strides = {}) {
  return nb::ndarray<nb::numpy, T>(data, shape.size(), shape.data(), owner, strides.empty() ? nullptr : strides.data());
}

// A numpy array that takes over a heap buffer.
template <typename T>
nb::ndarray<nb::numpy, T> take(T* data, const Shape& shape) {
  nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return view(data, shape, owner);
}

// A numpy array with a copy of `values`.
template <typename T>
nb::ndarray<nb::numpy, T> copied(const std::vector<T>& values, const Shape& shape) {
  auto* data = new T[values.size() + 1];
  std::copy(values.begin(), values.end(), data);
  return take(data, shape);
}

// The field `member` of every record, read-only: shape [rows..., count] (without the last axis for plain values).
template <typename T, int count, class Record>
nb::ndarray<nb::numpy, const T> field_view(const Record* records, FieldOf<T, count> Record::* member, Shape rows,
                                           nb::handle owner) {
  static_assert(sizeof(Record) % sizeof(T) == 0);
  const auto* data = reinterpret_cast<const T*>(&(records->*member));
  std::vector<std::int64_t> strides(rows.size(), sizeof(Record) / sizeof(T));
  for (std::size_t axis = rows.size() - 1; axis > 0; --axis) {
    strides[axis - 1] = strides[axis] * static_cast<std::int64_t>(rows[axis]);
  }
  if (count > 1) {
    rows.push_back(count);
    strides.push_back(1);
  }
  return view(data, rows, owner, strides);
}

// Fields of a record type as numpy names them.
struct RecordField {
  const char* name;
  std::string format;  // "u1", "u4", "?"
  std::size_t offset;
  std::size_t count;
};

// Their dtype, with records of so many bytes. Making one takes longer than copying a thousand records: make it once,
// and keep it for ever (`release`).
nb::object record_dtype(const std::vector<RecordField>& fields, std::size_t record_bytes);

nb::handle event_dtype();
nb::handle state_dtype(int players);

// A read-only structured array on records that are `stride` bytes apart (by default without gaps).
nb::object record_view(const void* records, nb::handle dtype, std::size_t record_bytes, const Shape& shape,
                       nb::handle owner, std::size_t stride = 0);

// Structured read-only view [N] of games, golden field names; `stride` bytes from one game to the next.
nb::object state_view(const Match* games, std::size_t n, int players, nb::handle owner, std::size_t stride);

nb::typed<nb::tuple, nb::str, nb::ellipsis> names(std::span<const char* const> list);

// --- snapshots: a header line (kind, version, sizes), the bytes of the games, a checksum of both

nb::bytes pack(std::string_view kind, const void* data, std::size_t bytes, std::size_t n, int players);

// The games' bytes out of any buffer; ValueError or TypeError when it is not what pack() made of the same kind and
// sizes.
std::string unpack(nb::handle blob, std::string_view kind, std::size_t bytes, std::size_t n, int players);

void bind_batch(nb::module_& m);
void bind_network(nb::module_& m);

}  // namespace drm

template <typename T>
struct nanobind::detail::type_caster<drm::Given<T>> {
  NB_TYPE_CASTER(drm::Given<T>, make_caster<T>::Name)

  bool from_python(handle given, std::uint32_t, cleanup_list*) noexcept {
    value.value = borrow(given);
    return true;
  }
};
