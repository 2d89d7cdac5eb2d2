#include "search_online.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <memory>
#include <numeric>

#include "search_known.h"

namespace drm {

namespace {

// How often each capsule comes third: in the given futures, else by the law.
Thirds thirds_of(const Futures& law, const OnlineOptions& options, const Capsule* given) {
  Thirds thirds{};
  const int futures = given ? options.sequences : law.outcomes();
  for (int s = 0; s < futures; ++s) {
    Capsule third;
    if (given) {
      third = given[s * options.depth];
    } else {
      law.draw(s, 1, &third);
    }
    ++thirds[static_cast<std::size_t>(number_of(third))];
  }
  return thirds;
}

}  // namespace

template <Value V>
void OnlineSearch<V>::expand_and_rank(const Board& board, i32 frames, const Pace& pace, Capsule capsule) {
  ++nodes_;
  expand(board, (phase_ + frames) & 1, pace, capsule, children_);
  value_->evaluate(children_.at, children_.size, ranks_);
  for (int i = 0; i < children_.size; ++i) {
    const Child& child = children_.at[i];
    const i32 now = (frames + child.tau) * kFrameUnits;
    ranks_[i] = child.end == End::kTopOut ? now + kTopOutCost : child.end == End::kCleared ? now : now + ranks_[i];
  }
}

// Adds the boards after one more capsule. Ended ones stay. `judged`, if given, gets the best rank of every first move.
template <Value V>
void OnlineSearch<V>::follow(const Beam& from, const Pace& pace, Capsule capsule, Beam& to, i32* judged) {
  to.size = 0;
  for (int n = 0; n < from.size; ++n) {
    const BeamEntry& entry = from.at[n];
    if (entry.end != End::kNone) {
      if (judged) judged[entry.first] = std::min(judged[entry.first], entry.rank);
      to.add(entry);
      continue;
    }
    expand_and_rank(entry.board, entry.frames, pace, capsule);
    for (int i = 0; i < children_.size; ++i) {
      if (judged) judged[entry.first] = std::min(judged[entry.first], ranks_[i]);
      if (to.size == to.room && ranks_[i] >= to.at[to.size - 1].rank) continue;
      const Child& child = children_.at[i];
      to.add({child.board, ranks_[i], entry.frames + child.tau, entry.first, child.end});
    }
  }
}

// Makes beam_[0] the beam after a board of second_ and the third capsule, worked out when it is first asked for:
// futures share their beginnings.
template <Value V>
void OnlineSearch<V>::after_third(int board, const Pace& pace, Capsule third, int width) {
  const auto which = static_cast<std::size_t>(board * kCapsules + number_of(third));
  beam_[0].room = beam_[1].room = width;
  if (thirds_.find(which, beam_[0])) return;
  beam_[1].size = 1;
  beam_[1].at[0] = second_.at[board];
  follow(beam_[1], pace, third, beam_[0]);
  thirds_.keep(which, beam_[0]);
}

// Leaves, of the boards that are followed, the best in the mean over all that may come third, in which there is no
// luck.
template <Value V>
void OnlineSearch<V>::screen(const Pace& pace, const OnlineOptions& options, const Thirds& thirds) {
  const auto size = static_cast<std::size_t>(second_.size);
  std::array<long long, kMaxBoards> totals{};
  for (std::size_t b = 0; b < size; ++b) {
    for (int third = 0; third < kCapsules; ++third) {
      const int times = thirds[static_cast<std::size_t>(third)];
      if (times == 0) continue;
      const Capsule capsule = capsule_of(third);
      totals[b] += static_cast<long long>(rollout(static_cast<int>(b), pace, &capsule, 1, options.width)) * times;
    }
  }
  std::stable_sort(followed_.begin(), followed_.end(), [&](int a, int b) {
    return totals[static_cast<std::size_t>(a)] < totals[static_cast<std::size_t>(b)];
  });
  followed_.resize(static_cast<std::size_t>(options.boards));
}

// What a board of second_ leads to by a beam over so many capsules.
template <Value V>
i32 OnlineSearch<V>::rollout(int board, Pace pace, const Capsule* capsules, int depth, int width) {
  if (second_.at[board].end != End::kNone) return second_.at[board].rank;
  after_third(board, pace, capsules[0], width);
  Beam* beam = &beam_[0];
  for (int i = 1; i < depth && beam->at[0].end == End::kNone; ++i) {
    pace = pace.next();
    Beam* const next = &beam_[i & 1];
    follow(*beam, pace, capsules[i], *next);
    beam = next;
  }
  return beam->at[0].rank;
}

// Adds what was expanded since the last time to the boards that others see.
template <Value V>
void OnlineSearch<V>::tell() {
  control_->nodes.fetch_add(nodes_ - told_, std::memory_order_relaxed);
  told_ = nodes_;
}

template <Value V>
Choice OnlineSearch<V>::choose(const PublicState& root, const OnlineOptions& options, i32* judged,
                               const Capsule* futures) {
  nodes_ = told_ = 0;
  const Choice choice = chosen(root, options, judged, futures);
  tell();
  return choice;
}

template <Value V>
Choice OnlineSearch<V>::chosen(const PublicState& root, const OnlineOptions& options, i32* judged,
                               const Capsule* futures) {
  assert(at_rest(root.bottle));
  phase_ = root.frame_counter & 1;
  const Pace pace{root.speed, root.speed_ups, root.capsules_thrown};
  expand_and_rank(board_of(root.bottle), 0, pace, {root.capsule[0], root.capsule[1]});
  assert(children_.size > 0);
  if (judged) std::fill_n(judged, kActions, kNotJudged);
  if (options.plies == 1) {
    for (int i = 0; judged && i < children_.size; ++i) judged[children_.at[i].action] = ranks_[i];
    const int best = static_cast<int>(std::min_element(ranks_, ranks_ + children_.size) - ranks_);
    return {children_.at[best].action, ranks_[best], nodes_};
  }
  first_.size = 0;
  first_.room = options.first;
  for (int i = 0; i < children_.size; ++i) {
    const Child& child = children_.at[i];
    first_.add({child.board, ranks_[i], child.tau, child.action, child.end});
  }
  second_.room = options.plies == 2 ? 1 : std::max(options.boards, options.screened);
  follow(first_, pace.next(), {root.preview[0], root.preview[1]}, second_, judged);
  if (options.plies == 2 || second_.at[0].end == End::kCleared) {
    return {second_.at[0].first, second_.at[0].rank, nodes_};
  }
  if (judged) std::fill_n(judged, kActions, kNotJudged);
  return look_ahead(root, pace.next().next(), options, judged, futures);
}

template <Value V>
Choice OnlineSearch<V>::look_ahead(const PublicState& root, const Pace& pace, const OnlineOptions& options, i32* judged,
                                   const Capsule* given) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const Futures futures(root, hash_of(board_of(root.bottle)) + root.capsules_thrown, options.sequences);
  const bool exact = options.sequences == 0;
  const int wanted = exact ? futures.outcomes() : options.sequences;
  const auto size = static_cast<std::size_t>(second_.size);
  thirds_.clear(size * kCapsules, options.width);
  followed_.resize(size);
  std::iota(followed_.begin(), followed_.end(), 0);
  if (second_.size > options.boards) screen(pace, options, thirds_of(futures, options, given));
  halving_.clear();
  for (const int board : followed_) halving_.add_board(second_.at[board].first);
  for (int s = 0; s < wanted;) {
    Capsule drawn[kMaxFuture];
    if (!given) futures.draw(s, options.depth, drawn);
    const Capsule* capsules = given ? given + s * options.depth : drawn;
    halving_.begin_future(capsules[0]);
    for (const std::size_t b : halving_.followed()) {
      halving_.add(b, rollout(followed_[b], pace, capsules, options.depth, options.width));
    }
    ++s;
    tell();
    if (options.max_nodes && nodes_ >= options.max_nodes) break;
    if (control_->stop.load(std::memory_order_relaxed)) break;
    if (options.max_ms > 0 &&
        std::chrono::duration<double, std::milli>(Clock::now() - start).count() >= options.max_ms) {
      break;
    }
    const bool part_ends = s * kStages / wanted > (s - 1) * kStages / wanted;
    if (!exact && part_ends && s < wanted) {
      halving_.drop_worse_half();
      if (halving_.one_first_left()) break;
    }
  }
  const auto [first, mean] = halving_.best(judged);
  return {first, mean, nodes_};
}

template <Value V>
Played play_out(const Match& parked, OnlineSearch<V>& search, const OnlineOptions& options, u32 max_capsules,
                SearchControl& control) {
  const KnownGame game(parked);  // for the capsules to come, of which `search` is shown two
  PublicState root = game.root;
  Board board = board_of(root.bottle);
  Pace pace{root.speed, root.speed_ups, root.capsules_thrown};
  Played played{};
  auto children = std::make_unique<Children>();
  End end = End::kNone;
  while (end == End::kNone && played.capsules < max_capsules && !control.stop.load(std::memory_order_relaxed)) {
    const Capsule now = game.capsule(static_cast<int>(played.capsules));
    const Capsule next = game.capsule(static_cast<int>(played.capsules) + 1);
    write_bottle(board, root.bottle);
    root.capsule[0] = now.first, root.capsule[1] = now.second;
    root.preview[0] = next.first, root.preview[1] = next.second;
    root.speed_ups = pace.speed_ups;
    root.capsules_thrown = pace.capsules;
    root.viruses_left = static_cast<u8>(count(board.virus));
    const i32 action = search.choose(root, options).action;
    expand(board, root.frame_counter & 1, pace, now, *children);
    const Child* child =
        std::find_if(children->begin(), children->end(), [&](const Child& c) { return c.action == action; });
    end = child->end;
    board = child->board;
    root.frame_counter = static_cast<u8>(root.frame_counter + child->tau);
    pace = pace.next();
    played.frames += child->tau;
    ++played.capsules;
  }
  played.cleared = end == End::kCleared;
  played.viruses_left = static_cast<u32>(count(board.virus));
  return played;
}

template class OnlineSearch<LinearValue>;
template class OnlineSearch<ForeignValue>;
template Played play_out(const Match&, OnlineSearch<LinearValue>&, const OnlineOptions&, u32, SearchControl&);
template Played play_out(const Match&, OnlineSearch<ForeignValue>&, const OnlineOptions&, u32, SearchControl&);

}  // namespace drm
