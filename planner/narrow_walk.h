// From a lock back to the spawn along the sets of search 3, which are kept by row.
#pragma once

#include "narrow_search.h"
#include "step_back.h"

namespace drm {

// Directions: none, Right, Left with hor_velocity 0-15.
template <int N>
struct NarrowModel {
  static constexpr int R = N;
  static constexpr int kDirections = LiveStates<R>::kDirections;

  static bool hold_left(const RowFit& fits, const Node& from, int to, int& x) {
    const int velocity = from.direction <= 1 ? -1 : from.direction - 2;  // before the frame; -1 = Left is pressed in it
    if (velocity >= 0 && velocity < kDasFirst - 1) return to == from.direction + 1;
    int after = velocity < 0 ? 0 : kDasReload;
    if (x > 0) {
      if (fits(from.vertical, x - 1)) {
        --x;
      } else {
        after = kDasBlocked;
      }
    }
    return to == 2 + after;
  }
};

template <int R>
class NarrowWalk : StepBack<NarrowModel<R>> {
 public:
  explicit NarrowWalk(NarrowSearch<R>& search) : search_(search) {}

  // Writes the buttons of the frames 1 to `frame`, in which the capsule locks at the search's target.
  bool run(int frame, u8* buttons);

 private:
  using States = LiveStates<R>;
  using Arriving = typename NarrowSearch<R>::Arriving;
  using StepBack<NarrowModel<R>>::node_, StepBack<NarrowModel<R>>::fits_, StepBack<NarrowModel<R>>::step_back;
  static constexpr int kDirections = States::kDirections;

  static bool contains(const States& s, const Node& n, int lane) {
    return (s.live >> n.direction & 1) && has(set_of(s.at[n.direction], n), lane, n.x);
  }
  bool find_exit(const Target& target, int frame);
  bool walk_row(int row, int& frame, u8* buttons);
  bool at_exit(const States& s, int lane);
  bool walk_lane(const Arriving* from, int lane, int age, int& frame, u8* buttons);

  NarrowSearch<R>& search_;
  const Situation& situation_ = search_.corridor.situation;
  bool by_gravity_ = false;  // how the node left its row
};

// The state that locks at the target in `frame`.
template <int R>
bool NarrowWalk<R>::find_exit(const Target& target, int frame) {
  const int parity = situation_.is_soft(frame) ? 0 : 1;
  const int index = frame / 2;
  const auto& exits = search_.rows[target.row];
  const Timeline<Turns<R>>& soft = exits.soft;
  const bool has_soft = parity == 0 && index >= soft.begin && index < soft.end;
  Node& n = node_;
  n.vertical = target.i == R;
  n.x = target.x;
  for (n.turned = 0; n.turned < Node::kTurns; ++n.turned) {
    for (n.i = 0; n.i < R; ++n.i) {
      if (!n.vertical && n.i != target.i) continue;
      n.direction = 0;
      by_gravity_ = false;
      if (has_soft && has(set_of(soft.load(index), n), 0, n.x)) return true;
      by_gravity_ = true;
      for (; n.direction < kDirections; ++n.direction) {
        const Timeline<Turns<R>>& line = exits.fallen[parity][n.direction];
        if (index >= line.begin && index < line.end && has(set_of(line.load(index), n), 0, n.x)) return true;
      }
    }
  }
  return false;
}

// Whether a capsule of this lane is what left the row. A soft drop does not care for the direction held before.
template <int R>
bool NarrowWalk<R>::at_exit(const States& s, int lane) {
  if (by_gravity_) return contains(s, node_, lane);
  for (Node n = node_; n.direction < kDirections; ++n.direction) {
    if (!contains(s, n, lane)) continue;
    node_ = n;
    return true;
  }
  return false;
}

// From `frame`, in which the capsule left `row`, back to the frame in which it entered.
template <int R>
bool NarrowWalk<R>::walk_row(int row, int& frame, u8* buttons) {
  const RowMasks m(situation_.fit, row);
  fits_ = {situation_.fit.horizontal[row], situation_.fit.vertical[row]};
  const int last = situation_.threshold;
  States* ages = search_.ages;
  bool found = false;
  search_.for_each_block(row, [&](const Arriving* from, int parity, int index) {
    const int age_0 = frame - 1 - situation_.frame_of(parity, index);  // when lane 0 is to leave
    int done = -1;
    for (int age = by_gravity_ ? last : std::max(0, age_0 - 2 * (kLanes - 1)); age <= std::min(age_0, last); ++age) {
      if ((age_0 - age) & 1 || age_0 - age > 2 * (kLanes - 1)) continue;
      if (done < 0) search_.enter(from, m, ages[done = 0]);
      for (; done < age; ++done) search_.age(ages[done], m, ages[done + 1]);
      const int lane = (age_0 - age) / 2;
      if (!at_exit(ages[age], lane)) continue;
      found = walk_lane(from, lane, age, frame, buttons);
      break;
    }
    return !found && from;
  });
  return found;
}

template <int R>
bool NarrowWalk<R>::walk_lane(const Arriving* from, int lane, int age, int& frame, u8* buttons) {
  // Down only where gravity does not do it: a capsule that locks at once with T = 0 holds nothing (lock_capsule).
  buttons[--frame] |= by_gravity_ || age == situation_.threshold ? 0 : kDown;
  for (; age > 0; --age) {
    u8 held = 0;
    if (!step_back([&](const Node& n) { return contains(search_.ages[age - 1], n, lane); }, kDirections, held))
      return false;
    buttons[--frame] = held;
  }
  if (!from) return true;
  u8& held = buttons[frame - 1];
  by_gravity_ = false;
  if (node_.direction == 0) {
    if (step_back([&](const Node& n) { return has(set_of(from->soft, n), lane, n.x); }, 1, held)) return true;
  }
  by_gravity_ = true;
  return step_back([&](const Node& n) { return contains(from->fallen, n, lane); }, kDirections, held);
}

template <int R>
bool NarrowWalk<R>::run(int frame, u8* buttons) {
  const Target& target = search_.corridor.target;
  std::fill_n(buttons, frame, u8{0});
  if (!find_exit(target, frame)) return false;
  for (int row = target.row; row >= 0; --row) {
    if (!walk_row(row, frame, buttons)) return false;
  }
  return frame == 0;
}

}  // namespace drm
