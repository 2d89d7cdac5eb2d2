// Shared by the binding files: argument checks with one clear sentence, numpy views of C++ memory.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <string_view>
#include <vector>

#include "batch.h"
#include "observe.h"

namespace drm {

namespace nb = nanobind;
using namespace nanobind::literals;

template <typename T, typename... Shape>
using Array = nb::ndarray<const T, nb::c_contig, nb::device::cpu, Shape...>;

// A numpy view of memory owned by `owner`.
template <typename T>
nb::ndarray<nb::numpy, T> view(T* data, std::initializer_list<std::size_t> shape, nb::handle owner) {
  return nb::ndarray<nb::numpy, T>(data, shape, owner);
}

// A numpy array that takes over a heap buffer.
template <typename T>
nb::ndarray<nb::numpy, T> take(T* data, std::initializer_list<std::size_t> shape) {
  nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return nb::ndarray<nb::numpy, T>(data, shape, owner);
}

template <typename Member>
struct ColumnType;
template <typename C, typename T>
struct ColumnType<std::vector<T> C::*> {
  using Owner = C;
  using Value = T;
};

// Getter of a read-only numpy view of a column that a bound class keeps as a vector: shape [N, Inner...].
template <auto Column, typename As = typename ColumnType<decltype(Column)>::Value, std::size_t... Inner>
nb::ndarray<nb::numpy, const As> column(nb::handle_t<typename ColumnType<decltype(Column)>::Owner> self) {
  const auto& values = nb::cast<const typename ColumnType<decltype(Column)>::Owner&>(self).*Column;
  static_assert(sizeof(As) == sizeof(values[0]));
  return view(reinterpret_cast<const As*>(values.data()), {values.size() / (1 * ... * Inner), Inner...}, self);
}

// What a hash of each game's full state returns.
nb::ndarray<nb::numpy, u64> digests_of(const Match* games, std::size_t n);

// A scalar or an array of integers, broadcast to `shape`, every value in lo..hi. TypeError when not integers,
// ValueError naming the argument, the index, the value and the range otherwise.
std::vector<long> integers(nb::handle value, const char* name, std::initializer_list<std::size_t> shape, long lo,
                           long hi);

// An array argument of an exact dtype and shape (-1 = any extent), made contiguous; TypeError or ValueError otherwise.
nb::object exact_object(nb::handle value, const char* name, const char* dtype, std::initializer_list<long> shape);
template <typename T>
Array<T> exact_array(nb::handle value, const char* name, const char* dtype, std::initializer_list<long> shape) {
  return nb::cast<Array<T>>(exact_object(value, name, dtype, shape));
}

// bool[N], or None for all.
std::vector<bool> game_mask(nb::handle mask, std::size_t n);

// An integer in lo..hi or ValueError.
int checked(long value, const char* name, long lo, long hi);

// Level, speed, seed and frame counter of N games with P players: scalars or arrays [N], level and speed also [N, P].
std::vector<GameConfig> game_configs(nb::handle level, nb::handle speed, nb::handle seed, nb::handle frame_counter,
                                     std::size_t n, int players);

// ValueError for seeds 0 and 1: their RNG stays at zero, so a virus layout may never be finished.
void require_working_seeds(const std::vector<GameConfig>& configs);

// 'bitplane' or 'extended'; ValueError otherwise.
PlaneSet plane_set(const std::string& name);

nb::typed<nb::tuple, nb::str, nb::ellipsis> names(std::span<const char* const> list);

// The numpy dtype of a game: golden field names at their offsets in Match.
nb::object match_dtype(int players);

// Structured read-only view [N] of games.
nb::object state_view(const Match* games, std::size_t n, int players, nb::handle owner);

// Structured array -> games; fields that the array lacks are 0. Throws ValueError for impossible states.
std::vector<Match> matches_from(nb::handle state, nb::handle reserve, std::size_t n, int players);

// ValueError unless the player's game is in play, a fresh capsule in the spawn pose, nothing held.
void check_parked(const Match& match, int player, std::size_t index);

// Snapshots: a header (kind, sizes) and the bytes of the games.
nb::bytes pack(std::string_view kind, std::initializer_list<std::pair<const void*, std::size_t>> parts, std::size_t n,
               int players);
std::string_view unpack(nb::handle blob, std::string_view kind, std::size_t payload, std::size_t n, int players);

// ValueError when a game read from a snapshot is not a possible state.
void check_loaded(const Match& match, int players, std::size_t index);

void bind_batch(nb::module_& m);
void bind_planner(nb::module_& m);
void bind_versus(nb::module_& m);
void bind_search(nb::module_& m);

}  // namespace drm
