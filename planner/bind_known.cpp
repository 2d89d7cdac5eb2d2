#include "bind_search.h"
#include "decisions.h"

namespace drm {

namespace {

constexpr KnownOptions kKnown;  // what holds for parameters that are not given

KnownOptions known_options(const Whole& width, const Real& alpha, const Whole& max_capsules) {
  KnownOptions options;
  options.width = checked(width, "width", 1, 1 << 20);
  options.alpha = checked(alpha, "alpha", 0.0, 100.0);
  options.max_capsules = checked(max_capsules, "max_capsules", 1, 9999);
  return options;
}

// One game by all threads, several one by one on each.
std::vector<Line> lines_of(Search& search, const std::vector<KnownGame>& known, const KnownOptions& options) {
  std::vector<Line> lines(known.size());
  with_search(search, [&] {
    search.by_known_value([&](const auto& value) {
      if (known.size() == 1) {
        const SearchCall call(search.control);
        lines[0] = solve_known(known[0], value, options, search.pool(), search.control);
        ++search.control.done;
        return;
      }
      search.for_all(static_cast<int>(known.size()), [&](std::size_t i) {
        ThreadPool alone(1);
        lines[i] = solve_known(known[i], value, options, alone, search.control);
      });
    });
  });
  return lines;
}

std::vector<Line> solve(Search& search, Decisions& games, const Whole& width, const Real& alpha,
                        const Whole& max_capsules) {
  const KnownOptions options = known_options(width, alpha, max_capsules);
  if (games.players() != 1) throw nb::value_error("games has two players, allowed are games of one");
  const std::vector<Game> copies = exclusively(games, [&] { return games.games; });
  std::vector<KnownGame> known;
  for (std::size_t i = 0; i < copies.size(); ++i) {
    const std::string name = "games[" + std::to_string(i) + "] ";
    if (copies[i].ended()) throw nb::value_error((name + "has ended").c_str());
    known.emplace_back(copies[i].round.match);
    const std::string problem = describe_root(known.back().root);
    if (!problem.empty()) throw nb::value_error((name + problem).c_str());
  }
  return lines_of(search, known, options);
}

std::vector<Line> plan(Search& search, nb::handle bottle, nb::handle capsule, nb::handle preview,
                       nb::handle frame_counter, nb::handle speed, nb::handle speed_ups, nb::handle level,
                       nb::handle viruses_left, nb::handle capsules_thrown, nb::handle to_come, const Whole& width,
                       const Real& alpha, const Whole& max_capsules) {
  const KnownOptions options = known_options(width, alpha, max_capsules);
  const Roots roots =
      roots_from(bottle, capsule, preview, frame_counter, speed, speed_ups, level, viruses_left, capsules_thrown);
  const auto given =
      integer_array<u8>(to_come, "to_come", {static_cast<long>(roots.size()), kReserve}, 0, kCapsules - 1);
  std::vector<KnownGame> known;
  for (std::size_t i = 0; i < roots.size(); ++i) {
    known.emplace_back(roots[i], std::span<const u8, kReserve>(&given.data[i * kReserve], kReserve));
  }
  return lines_of(search, known, options);
}

void bind_line(nb::module_& m) {
  nb::class_<Line>(m, "Line", "The best line that a known-seed search found.")
      .def_ro("cleared", &Line::cleared)
      .def_ro("frames", &Line::frames, "frames to clear; of the line if it does not clear")
      .def_prop_ro(
          "actions", [](const Line& line) { return array_of(line.actions); }, nb::rv_policy::automatic,
          "i32[T]: a placement per capsule")
      .def_ro("nodes", &Line::nodes, "boards expanded")
      .def_ro("children", &Line::children, "boards evaluated");
}

}  // namespace

void bind_known(nb::module_& m, nb::class_<Search>& c) {
  bind_line(m);
  c.def("solve", &solve, "games"_a, "width"_a = kKnown.width, "alpha"_a = kKnown.alpha,
        "max_capsules"_a = kKnown.max_capsules,
        "The best Line from each game of a Decisions on, by a beam of `width` boards per capsule, ranked by\n"
        "frames + alpha * value. It reads the reserve: every capsule to come is known.");
  c.def("plan", &plan, "bottle"_a, "capsule"_a, "preview"_a, "frame_counter"_a, "speed"_a, "speed_ups"_a, "level"_a,
        "viruses_left"_a, "capsules_thrown"_a, nb::kw_only(), "to_come"_a, "width"_a = kKnown.width,
        "alpha"_a = kKnown.alpha, "max_capsules"_a = kKnown.max_capsules,
        "The same from what N players see, as in choose(), and what they believe will come: to_come u8[N, 128],\n"
        "3 * first colour + second of the capsules after the preview, which begin anew after the last.");
}

}  // namespace drm
