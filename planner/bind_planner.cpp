#include "bind_planner.h"

#include "placement.h"
#include "reach.h"
#include "script.h"

namespace drm {

static nb::ndarray<nb::numpy, u16> reach_many(nb::handle bottle, nb::handle colors, nb::handle frame_counter,
                                              nb::handle speed, nb::handle speed_ups) {
  const auto bottles = checked_bottles(bottle, "bottle", {-1});
  const std::size_t n = bottles.shape[0];
  const auto pairs = integer_array<u8>(colors, "colors", {static_cast<long>(n), 2}, 0, kColors - 1);
  const auto counters = integers(frame_counter, "frame_counter", {n}, 0, 255);
  const auto speeds = integers(speed, "speed", {n}, kLow, kHi);
  const auto ups = integers(speed_ups, "speed_ups", {n}, 0, kMaxSpeedUps);
  auto* out = new u16[n * kActions + 1];
  auto result = take(out, {n, kActions});
  const WithoutGil release;
  for (std::size_t i = 0; i < n; ++i) {
    reach({&bottles.data[i * kCells],
           {pairs.data[2 * i], pairs.data[2 * i + 1]},
           static_cast<u8>(counters[i]),
           static_cast<u8>(speeds[i]),
           static_cast<u8>(ups[i])},
          out + i * kActions);
  }
  return result;
}

static nb::ndarray<nb::numpy, u8> script_of(nb::handle bottle, nb::handle colors, const Whole& frame_counter,
                                            const Whole& speed, const Whole& speed_ups, const Whole& action) {
  const auto cells = checked_bottles(bottle, "bottle", {});
  const auto pair = integer_array<u8>(colors, "colors", {2}, 0, kColors - 1);
  const ReachQuery query{cells.data.data(),
                         {pair.data[0], pair.data[1]},
                         static_cast<u8>(checked(frame_counter, "frame_counter", 0, 255)),
                         static_cast<u8>(checked(speed, "speed", kLow, kHi)),
                         static_cast<u8>(checked(speed_ups, "speed_ups", 0, kMaxSpeedUps))};
  u8 buttons[kMaxScript];
  const int chosen = checked(action, "action", 0, kActions - 1);
  const int length = script(query, chosen, buttons);
  if (length == 0) throw nb::value_error(("action is " + std::to_string(chosen) + ", which cannot be reached").c_str());
  return copied(std::vector<u8>(buttons, buttons + length), {static_cast<std::size_t>(length)});
}

void bind_planner(nb::module_& m) {
  m.def("reach", &reach_many, "bottle"_a, "colors"_a, "frame_counter"_a, "speed"_a, "speed_ups"_a,
        "u16[N, 512]: for every placement the least number of frames until the capsule locks there (1 = in the first\n"
        "controllable frame), 65535 = unreachable. bottle: bytes [N, 128] or [N, 16, 8]; colors: 0..2 [N, 2];\n"
        "frame_counter (in the last sample before the first controllable frame), speed and speed_ups: scalars or [N].\n"
        "Nothing is held before. All arguments are integers of any width.");
  m.def("script", &script_of, "bottle"_a, "colors"_a, "frame_counter"_a, "speed"_a, "speed_ups"_a, "action"_a,
        "u8[T]: the buttons held in each frame that lock the capsule at `action`, T = its frames_to_lock.\n"
        "bottle [128] or [16, 8], colors [2]. ValueError if it cannot be reached.");
  m.def(
      "canonical", [](const Whole& action) { return canonical(checked(action, "action", 0, kActions - 1)); },
      "action"_a, "The name under which an equal-coloured capsule's placement appears in the mask.");
}

}  // namespace drm
