#include "search_online.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <memory>

#include "search_known.h"

namespace drm {

template <Value V>
void OnlineSearch<V>::Best::add(const Entry& entry) {
  if (size == room && entry.rank >= at[size - 1].rank) return;
  int place = 0;
  while (place < size && at[place].rank <= entry.rank) {
    if (at[place].end == entry.end && at[place].board == entry.board) return;
    ++place;
  }
  int last = place;  // a worse copy of the same board makes room, else the worst entry
  while (last < size && !(at[last].end == entry.end && at[last].board == entry.board)) ++last;
  if (last == size) {
    if (size < room) {
      ++size;
    } else {
      --last;
    }
  }
  std::move_backward(at + place, at + last, at + last + 1);
  at[place] = entry;
}

template <Value V>
void OnlineSearch<V>::expand_and_rank(const Board& board, i32 frames, const Pace& pace, Capsule capsule) {
  ++nodes_;
  expand(board, (phase_ + frames) & 1, pace, capsule, children_);
  value_.evaluate(children_.at, children_.size, ranks_);
  for (int i = 0; i < children_.size; ++i) {
    const Child& child = children_.at[i];
    const i32 now = (frames + child.tau) * kFrameUnits;
    ranks_[i] = child.end == End::kTopOut ? now + kTopOutCost : child.end == End::kCleared ? now : now + ranks_[i];
  }
}

// Adds the boards after one more capsule. Ended ones stay. `judged`, if given, gets the best rank of every first move.
template <Value V>
void OnlineSearch<V>::follow(const Best& from, const Pace& pace, Capsule capsule, Best& to, i32* judged) {
  to.size = 0;
  for (int n = 0; n < from.size; ++n) {
    const Entry& entry = from.at[n];
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

template <Value V>
i32 OnlineSearch<V>::rollout(const Entry& from, Pace pace, const Capsule* capsules, const OnlineOptions& options) {
  beam_[0].size = 1;
  beam_[0].at[0] = from;
  beam_[0].room = beam_[1].room = options.width;
  for (int i = 0; i < options.depth; ++i) {
    if (beam_[i & 1].at[0].end != End::kNone) return beam_[i & 1].at[0].rank;
    follow(beam_[i & 1], pace, capsules[i], beam_[~i & 1]);
    pace = pace.next();
  }
  return beam_[options.depth & 1].at[0].rank;
}

// Adds what was expanded since the last time to the boards that others see.
template <Value V>
void OnlineSearch<V>::tell() {
  control_.nodes.fetch_add(nodes_ - told_, std::memory_order_relaxed);
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
  second_.room = options.plies == 2 ? 1 : options.boards;
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
  halving_.clear();
  for (int b = 0; b < second_.size; ++b) halving_.add_board(second_.at[b].first);
  for (int s = 0; s < wanted;) {
    Capsule drawn[kMaxFuture];
    if (!given) futures.draw(s, options.depth, drawn);
    const Capsule* capsules = given ? given + s * options.depth : drawn;
    halving_.begin_future(capsules[0]);
    for (const std::size_t b : halving_.followed()) {
      const Entry& entry = second_.at[b];
      halving_.add(b, entry.end == End::kNone ? rollout(entry, pace, capsules, options) : entry.rank);
    }
    ++s;
    tell();
    if (options.max_nodes && nodes_ >= options.max_nodes) break;
    if (control_.stop.load(std::memory_order_relaxed)) break;
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
