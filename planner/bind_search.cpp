#include "bind_search.h"

#include <cmath>

#include "round.h"
#include "value_preview.h"

namespace drm {

Roots roots_from(nb::handle bottle, nb::handle capsule, nb::handle preview, nb::handle frame_counter, nb::handle speed,
                 nb::handle speed_ups, nb::handle level, nb::handle viruses_left, nb::handle capsules_thrown) {
  const auto bottles = checked_bottles(bottle, "bottle", {-1});
  const std::size_t n = bottles.shape[0];
  const auto rows = static_cast<long>(n);
  const auto now = integer_array<u8>(capsule, "capsule", {rows, 2}, 0, kColors - 1);
  const auto next = integer_array<u8>(preview, "preview", {rows, 2}, 0, kColors - 1);
  const auto counters = integer_array<u8>(frame_counter, "frame_counter", {rows}, 0, 255);
  const auto speeds = integer_array<u8>(speed, "speed", {rows}, kLow, kHi);
  const auto ups = integer_array<u8>(speed_ups, "speed_ups", {rows}, 0, kMaxSpeedUps);
  const auto levels = integer_array<u8>(level, "level", {rows}, 0, kMaxLevel);
  const auto viruses = integer_array<u8>(viruses_left, "viruses_left", {rows}, 1, 99);
  const auto thrown = integers(capsules_thrown, "capsules_thrown", {n}, 0, 9999);
  Roots roots(n);
  for (std::size_t i = 0; i < n; ++i) {
    PublicState& root = roots[i];
    std::copy_n(&bottles.data[i * kCells], kCells, root.bottle);
    std::copy_n(&now.data[2 * i], 2, root.capsule);
    std::copy_n(&next.data[2 * i], 2, root.preview);
    root.frame_counter = counters.data[i];
    root.speed = speeds.data[i];
    root.speed_ups = ups.data[i];
    root.level = levels.data[i];
    root.viruses_left = viruses.data[i];
    root.capsules_thrown = static_cast<u16>(thrown[i]);
    const std::string problem = describe_root(root);
    if (!problem.empty()) throw nb::value_error(("bottle[" + std::to_string(i) + "] " + problem).c_str());
  }
  return roots;
}

namespace {

constexpr OnlineOptions kOnline;  // what holds for parameters that are not given
constexpr auto kNodes = static_cast<double>(kOnline.max_nodes);

// The parameters of an online search by name, checked.
OnlineOptions online_options(const Whole& plies, const Whole& first, const Whole& boards, const Whole& screened,
                             const Whole& depth, const Whole& width, const Whole& sequences, const Real& max_nodes,
                             const Real& ms) {
  OnlineOptions options;
  options.plies = checked(plies, "plies", 1, 3);
  options.first = checked(first, "first", 1, kMaxBoards);
  options.boards = checked(boards, "boards", 1, kMaxBoards);
  options.screened = checked(screened, "screened", 0, kMaxBoards);
  options.depth = checked(depth, "depth", 1, kMaxFuture);
  options.width = checked(width, "width", 1, kMaxWidth);
  options.sequences = checked(sequences, "sequences", 0, kMaxSequences);
  options.max_nodes = static_cast<u64>(std::ceil(checked(max_nodes, "nodes", 0, 1e15)));
  options.max_ms = checked(ms, "ms", 0, 1e9);
  return options;
}

template <class... Columns>
using Arrays = std::tuple<nb::ndarray<nb::numpy, Columns>...>;

// What N players see, and of each, if given, the capsules that come in every future.
struct Situations {
  Roots roots;
  std::vector<Capsule> futures;  // [N][sequences][depth]

  const Capsule* futures_of(std::size_t i) const {
    return futures.empty() ? nullptr : &futures[i * (futures.size() / roots.size())];
  }
};

std::vector<Capsule> futures_from(nb::handle futures, std::size_t n, const OnlineOptions& options) {
  if (futures.is_none()) return {};
  if (options.plies < 3 || options.sequences < 1) {
    throw nb::value_error("futures needs plies = 3 and sequences of 1 or more");
  }
  const auto given =
      integer_array<u8>(futures, "futures", {static_cast<long>(n), options.sequences, options.depth}, 0, kCapsules - 1);
  std::vector<Capsule> capsules;
  for (const u8 number : given.data) capsules.push_back(capsule_of(number));
  return capsules;
}

// Calls use(i, choice, judged) with what every player would choose and, if asked for, what is thought of each
// placement.
template <class Use>
void choose_for_all(Search& search, const Situations& given, const OnlineOptions& options, bool judging,
                    const Use& use) {
  with_search(search, [&] {
    search.for_each(static_cast<int>(given.roots.size()), options.plies, [&](auto& online, std::size_t i) {
      i32 judged[kActions];
      const Choice choice = online.choose(given.roots[i], options, judging ? judged : nullptr, given.futures_of(i));
      use(i, choice, judged);
    });
  });
}

Arrays<i32, float, u32> choose(Search& search, const Situations& given, const OnlineOptions& options) {
  const std::size_t n = given.roots.size();
  std::vector<i32> actions(n, -1);
  std::vector<float> values(n, 0);
  std::vector<u32> expanded(n, 0);
  choose_for_all(search, given, options, false, [&](std::size_t i, const Choice& choice, const i32*) {
    actions[i] = choice.action;
    values[i] = static_cast<float>(choice.value) / kFrameUnits;
    expanded[i] = choice.nodes;
  });
  return std::make_tuple(array_of(actions), array_of(values), array_of(expanded));
}

Arrays<i32, float> judge(Search& search, const Situations& given, const OnlineOptions& options) {
  const std::size_t n = given.roots.size();
  std::vector<i32> actions(n, -1);
  std::vector<float> values(n * kActions, std::numeric_limits<float>::infinity());
  choose_for_all(search, given, options, true, [&](std::size_t i, const Choice& choice, const i32* judged) {
    actions[i] = choice.action;
    for (std::size_t a = 0; a < kActions; ++a) {
      if (judged[a] != kNotJudged) values[i * kActions + a] = static_cast<float>(judged[a]) / kFrameUnits;
    }
  });
  return std::make_tuple(array_of(actions), copied(values, {n, static_cast<std::size_t>(kActions)}));
}

// A method of N situations and a budget.
template <class Result>
void define(nb::class_<Search>& c, const char* name, Result (*use)(Search&, const Situations&, const OnlineOptions&),
            const char* documentation) {
  const auto method = [use](Search& search, nb::handle bottle, nb::handle capsule, nb::handle preview,
                            nb::handle frame_counter, nb::handle speed, nb::handle speed_ups, nb::handle level,
                            nb::handle viruses_left, nb::handle capsules_thrown, const Whole& plies, const Whole& first,
                            const Whole& boards, const Whole& screened, const Whole& depth, const Whole& width,
                            const Whole& sequences, const Real& nodes, const Real& ms, nb::handle futures) {
    const auto options = online_options(plies, first, boards, screened, depth, width, sequences, nodes, ms);
    Situations given{
        roots_from(bottle, capsule, preview, frame_counter, speed, speed_ups, level, viruses_left, capsules_thrown),
        {}};
    given.futures = futures_from(futures, given.roots.size(), options);
    return use(search, given, options);
  };
  c.def(name, method, "bottle"_a, "capsule"_a, "preview"_a, "frame_counter"_a, "speed"_a, "speed_ups"_a, "level"_a,
        "viruses_left"_a, "capsules_thrown"_a, nb::kw_only(), "plies"_a = kOnline.plies, "first"_a = kOnline.first,
        "boards"_a = kOnline.boards, "screened"_a = kOnline.screened, "depth"_a = kOnline.depth,
        "width"_a = kOnline.width, "sequences"_a = kOnline.sequences, "nodes"_a = kNodes, "ms"_a = kOnline.max_ms,
        "futures"_a = nb::none(), documentation);
}

Arrays<u8, u32, u32, u32> play(Search& search, nb::handle level, nb::handle speed, nb::handle seed,
                               nb::handle frame_counter, const Whole& max_capsules, const Whole& plies,
                               const Whole& first, const Whole& boards, const Whole& screened, const Whole& depth,
                               const Whole& width, const Whole& sequences, const Real& nodes, const Real& ms) {
  const auto options = online_options(plies, first, boards, screened, depth, width, sequences, nodes, ms);
  if (PyObject_Length(seed.ptr()) < 0) {
    PyErr_Clear();
    throw nb::type_error(
        ("seed must be a sequence, one per game, got " + nb::cast<std::string>(nb::repr(seed))).c_str());
  }
  const auto n = static_cast<std::size_t>(nb::len(seed));
  const auto configs = game_configs(level, speed, seed, frame_counter, n, 1);
  require_working_seeds(configs);
  const auto limit = static_cast<u32>(checked(max_capsules, "max_capsules", 1, 9999));
  std::vector<Round> rounds(n);
  std::vector<u8> cleared(n);
  std::vector<u32> frames(n), capsules(n), viruses(n);
  for (std::size_t i = 0; i < n; ++i) {
    start_at_play(rounds[i].match, configs[i]);
    begin(rounds[i]);
    viruses[i] = static_cast<u32>(bcd_to_int(rounds[i].match.player[0].virus_left_bcd));
  }
  with_search(search, [&] {
    search.for_each(static_cast<int>(n), options.plies, [&](auto& online, std::size_t i) {
      const Played played = play_out(rounds[i].match, online, options, limit, search.control);
      cleared[i] = played.cleared;
      frames[i] = played.frames;
      capsules[i] = played.capsules;
      viruses[i] = played.viruses_left;
    });
  });
  return std::make_tuple(array_of(cleared), array_of(frames), array_of(capsules), array_of(viruses));
}

std::vector<Board> boards_of(std::span<const u8> bottles) {
  std::vector<Board> boards(bottles.size() / kCells);
  for (std::size_t i = 0; i < boards.size(); ++i) boards[i] = board_of(&bottles[i * kCells]);
  return boards;
}

nb::ndarray<nb::numpy, i32> features(nb::handle bottle) {
  const auto bottles = checked_bottles(bottle, "bottle", {-1});
  const std::size_t n = bottles.shape[0];
  const auto each = static_cast<std::size_t>(feature_count());
  std::vector<i32> out(n * each);
  {
    const WithoutGil release;
    features_of(boards_of(bottles.data), out.data());
  }
  return copied(out, {n, each});
}

nb::ndarray<nb::numpy, i32> preview_features(nb::handle bottle, nb::handle preview) {
  const auto bottles = checked_bottles(bottle, "bottle", {-1});
  const std::size_t n = bottles.shape[0];
  const auto next = integer_array<u8>(preview, "preview", {static_cast<long>(n), 2}, 0, kColors - 1);
  constexpr std::size_t each = kPreviewFeatures;
  std::vector<i32> out(n * each);
  {
    const WithoutGil release;
    preview_features_of(boards_of(bottles.data), next.data.data(), out.data());
  }
  return copied(out, {n, each});
}

nb::typed<nb::tuple, nb::str, nb::ellipsis> feature_names() {
  std::vector<const char*> list;
  for (const Feature& feature : plane_features()) list.push_back(feature.name);
  for (const char* name : scalar_features()) list.push_back(name);
  return names(list);
}

nb::typed<nb::tuple, nb::str, nb::ellipsis> preview_names() { return names(preview_feature_names()); }

// Numbers of the capsules that may follow the preview, each as often as it is likely.
nb::ndarray<nb::numpy, i32> next_capsules(nb::handle capsule, nb::handle preview, const Whole& capsules_thrown) {
  const auto now = integers(capsule, "capsule", {2}, 0, kColors - 1);
  const auto next = integers(preview, "preview", {2}, 0, kColors - 1);
  PublicState root{};
  for (std::size_t half = 0; half < 2; ++half) {
    root.capsule[half] = static_cast<u8>(now[half]);
    root.preview[half] = static_cast<u8>(next[half]);
  }
  root.capsules_thrown = static_cast<u16>(checked(capsules_thrown, "capsules_thrown", 0, 9999));
  const Futures futures(root, 0, 0);
  std::vector<i32> out;
  for (int s = 0; s < futures.outcomes(); ++s) {
    Capsule drawn;
    futures.draw(s, 1, &drawn);
    out.push_back(number_of(drawn));
  }
  return array_of(out);
}

}  // namespace

void bind_search(nb::module_& m) {
  nb::class_<Search> c = bind_search_class(m);
  define(
      c, "choose", &choose,
      "(action i32[N], frames to go f32[N], boards expanded u32[N]) of N players who see bottle u8[N, 128],\n"
      "capsule and preview [N, 2] and the counters [N], all as in PublicView.public. plies 1: this capsule; 2: and\n"
      "the preview, after the `first` best moves; 3: and `depth` capsules more after the `boards` best boards, by a\n"
      "beam of `width` over `sequences` futures (0: as many as make the law of the first exact; otherwise only the\n"
      "better half of the boards is followed after each quarter of them). With `screened` above `boards`, so many\n"
      "are looked at with every capsule that may come third, and the best of them in the mean are followed.\n"
      "No further future is begun after `nodes` boards or `ms` milliseconds (0: no limit). A stopped call gives\n"
      "action -1 where nothing was chosen.\n"
      "futures u8[N, sequences, depth]: 3 * first colour + second of the capsules after the preview in each future,\n"
      "for who knows more of them than their law; None: the law.\n"
      "level is checked, but not read: what a board is worth does not depend on it.\n"
      "ValueError for a bottle that is not at rest.");
  define(c, "judge", &judge,
         "(action i32[N], frames to go f32[N, 512]): what choose() would choose, and of every placement what it\n"
         "found; inf for placements that it did not follow. One that was dropped on the way is worth the best one and\n"
         "how far it fell behind while it was followed. Arguments as of choose().");
  c.def("play", &play, "level"_a, "speed"_a, "seed"_a, "frame_counter"_a = 0, "max_capsules"_a = 1000, nb::kw_only(),
        "plies"_a = kOnline.plies, "first"_a = kOnline.first, "boards"_a = kOnline.boards,
        "screened"_a = kOnline.screened, "depth"_a = kOnline.depth, "width"_a = kOnline.width,
        "sequences"_a = kOnline.sequences, "nodes"_a = kNodes, "ms"_a = kOnline.max_ms,
        "(cleared u8[N], frames u32[N], capsules u32[N], viruses left u32[N]) of whole games, one per seed, "
        "played\n"
        "as by choose(). A stopped call leaves its games where they are, those not begun at 0 capsules.")
      .def(
          "stop", [](Search& s) { s.control.stop = true; },
          "Ends the call under way early; without one, the next that is not refused.\n"
          "Ctrl-C is seen when a call returns: for long ones, call in a thread and stop() when the main one is told.")
      .def_prop_ro(
          "done", [](const Search& s) { return s.control.done.load(); }, "games finished by the call")
      .def_prop_ro(
          "nodes", [](const Search& s) { return s.control.nodes.load(); }, "boards expanded by the call")
      .def_prop_ro(
          "capsules", [](const Search& s) { return s.control.capsules.load(); },
          "capsules into the known game begun last")
      .def_prop_ro("threads", [](Search& s) { return s.pool().threads(); });
  bind_known(m, c);
  m.def("features", &features, "bottle"_a, "i32[N, F]: the value function's features of bottles u8[N, 128]");
  m.def(
      "next_capsules", &next_capsules, "capsule"_a, "preview"_a, "capsules_thrown"_a,
      "i32[M]: numbers (3 * first colour + second) of the capsules that may come after the preview, each as often as\n"
      "it is likely on average over the places of the reserve (docs/search.md); capsule and preview [2],\n"
      "capsules_thrown: the game's counter, 2 at its first decision.");
  m.def("feature_names", &feature_names, "Names of the features, in order");
  m.def("preview_features", &preview_features, "bottle"_a, "preview"_a,
        "i32[N, P]: what bottles u8[N, 128] offer the capsules preview [N, 2] that come next (docs/search.md).");
  m.def("preview_feature_names", &preview_names, "Names of the preview features, in order");
}

}  // namespace drm
