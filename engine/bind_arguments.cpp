#include <limits>

#include "bind.h"
#include "validate.h"

namespace drm {

static std::string range(long lo, long hi) { return std::to_string(lo) + ".." + std::to_string(hi); }

// Whether an array of another dtype holds integers, if anything: those that no dtype has room for are Python's.
static bool are_whole(const nb::object& array) {
  if (nb::cast<std::string>(array.attr("dtype").attr("kind")) != "O") {
    return nb::cast<std::size_t>(array.attr("size")) == 0;
  }
  for (const nb::handle each : array.attr("flat")) {
    if (!PyLong_Check(each.ptr()) || PyBool_Check(each.ptr())) return false;
  }
  return true;
}

// The argument as a numpy array of integers of whatever width.
static nb::object integer_object(nb::handle value, const char* name) {
  nb::object array = numpy().attr("asarray")(value);
  const auto kind = nb::cast<std::string>(array.attr("dtype").attr("kind"));
  if (kind != "i" && kind != "u" && !are_whole(array)) {
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
  if (ndim == lead.size() + 2 && nb::cast<std::size_t>(shape[ndim - 2]) == kRows &&
      nb::cast<std::size_t>(shape[ndim - 1]) == kCols) {
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

GameMask game_mask(nb::handle mask, std::size_t n) {
  if (mask.is_none()) return GameMask(n, 1);
  nb::ndarray<const bool, nb::ndim<1>, nb::c_contig, nb::device::cpu> plain;
  if (nb::try_cast(mask, plain, false) && plain.size() == n) return GameMask(plain.data(), plain.data() + n);
  nb::object array = numpy().attr("asarray")(mask);
  if (nb::cast<std::string>(array.attr("dtype").attr("kind")) != "b") {
    throw nb::type_error(("mask has dtype " + text(array.attr("dtype")) + ", allowed is bool").c_str());
  }
  Shape given;
  for (nb::handle extent : array.attr("shape")) given.push_back(nb::cast<std::size_t>(extent));
  check_shape(given, {static_cast<long>(n)}, "mask");
  const auto values =
      nb::cast<nb::ndarray<const bool, nb::c_contig, nb::device::cpu>>(numpy().attr("ascontiguousarray")(array));
  return GameMask(values.data(), values.data() + n);
}

std::string refusal(const char* name, nb::handle value, const std::string& allowed) {
  return std::string(name) + " is " + text(nb::repr(value)) + ", allowed are " + allowed;
}

int checked(const Whole& given, const char* name, long lo, long hi) {
  PyObject* const value = given.value.ptr();
  if (!PyIndex_Check(value) || PyBool_Check(value)) {
    throw nb::type_error(refusal(name, given.value, "whole numbers in " + range(lo, hi)).c_str());
  }
  const nb::object number = nb::steal(PyNumber_Index(value));  // of NumPy's types, too
  if (!number.is_valid()) throw nb::python_error();
  int overflow = 0;
  const long long whole = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
  if (overflow || whole < lo || whole > hi) throw nb::value_error(refusal(name, number, range(lo, hi)).c_str());
  return static_cast<int>(whole);
}

double checked(const Real& given, const char* name, double lo, double hi) {
  const auto said = [](double number) { return text(nb::repr(nb::float_(number))); };
  const std::string allowed = said(lo) + ".." + said(hi);
  const double number = PyFloat_AsDouble(given.value.ptr());
  if (number == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    throw nb::type_error(refusal(name, given.value, "numbers in " + allowed).c_str());
  }
  if (number >= lo && number <= hi) return number;  // not a number is not
  throw nb::value_error(refusal(name, nb::float_(number), allowed).c_str());
}

bool checked(const Flag& given, const char* name) {
  if (PyBool_Check(given.value.ptr())) return nb::cast<bool>(given.value);
  if (!nb::isinstance(given.value, numpy().attr("bool_"))) {
    throw nb::type_error(refusal(name, given.value, "True and False").c_str());
  }
  return nb::cast<bool>(given.value.attr("item")());
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

PlaneSet plane_set(const Word& planes) {
  for (const PlaneSet set : {PlaneSet::kBitplane, PlaneSet::kExtended}) {
    if (planes.value.equal(nb::str(plane_set_name(set)))) return set;
  }
  throw nb::value_error(refusal("planes", planes.value, "'bitplane' and 'extended'").c_str());
}

const char* plane_set_name(PlaneSet set) { return set == PlaneSet::kBitplane ? "bitplane" : "extended"; }

}  // namespace drm
