// From a lock back to the spawn along the sets of search 1, which are kept by frame.
#pragma once

#include "drop_search.h"
#include "step_back.h"

namespace drm {

// Directions: none, Right, Left, Left to be tried again (only h of One).
template <int N>
struct DropModel {
  static constexpr int R = N;
  static constexpr int kDirections = 4;

  // Whether Left held in a frame leads to direction `to`; moves `x`.
  static bool hold_left(const RowFit& fits, const Node& from, int to, int& x) {
    const bool free = fits(from.vertical, x - 1);
    if (to == 3) return from.direction <= 1 && !free;
    if (from.direction == 2) return true;
    x -= free;
    return free;
  }
};

template <int R>
class DropWalk : StepBack<DropModel<R>> {
 public:
  DropWalk(const DropSearch<R>& search, const Situation& situation) : search_(search), situation_(situation) {}

  // Writes the buttons of the frames 1 to `frame`, in which the search has locked at the target. False if that keeps
  // the capsule in a row for longer than gravity does.
  bool run(const Target& target, int frame, u8* buttons);

 private:
  static constexpr int kDirections = DropModel<R>::kDirections;
  using StepBack<DropModel<R>>::node_, StepBack<DropModel<R>>::fits_, StepBack<DropModel<R>>::step_back;

  static bool contains(const DropStates<R>& s, const Node& n, int row) {
    if (n.direction == 3) return n.turned == Node::kOne && !n.vertical && has(s.retry[n.i], row, n.x);
    return has(set_of(n.direction == 0 ? s.neutral : n.direction == 1 ? s.right : s.left, n), row, n.x);
  }
  bool find(Node& n, int frame, int row) const;
  bool find_lock(const Target& target, int frame);
  int walk_row(int row, int exit, u8* buttons);
  bool from_above(int row, int frame, u8& held);

  const DropSearch<R>& search_;
  const Situation& situation_;
};

// Whether a soft drop in the next frame can start from `n`, whatever direction is held: sets that.
template <int R>
bool DropWalk<R>::find(Node& n, int frame, int row) const {
  const DropStates<R>& s = search_.after(frame);
  for (n.direction = 0; n.direction < kDirections; ++n.direction) {
    if (contains(s, n, row)) return true;
  }
  return false;
}

template <int R>
bool DropWalk<R>::find_lock(const Target& target, int frame) {
  Node& n = node_;
  n.vertical = target.i == R;
  n.x = target.x;
  for (n.turned = 0; n.turned < Node::kTurns; ++n.turned) {
    for (n.i = 0; n.i < R; ++n.i) {
      if ((n.vertical || n.i == target.i) && find(n, frame - 1, target.row)) return true;
    }
  }
  return false;
}

// Whether the node's capsule can have dropped into `row` in `frame`; goes to where it was before.
template <int R>
bool DropWalk<R>::from_above(int row, int frame, u8& held) {
  if (node_.direction != 0 || row == 0 || !situation_.is_soft(frame)) return false;
  const auto drops = [&](Node n) { return find(n, frame - 1, row - 1); };
  return step_back(drops, 1, held) && find(node_, frame - 1, row - 1);
}

// From the frame in which the capsule left `row` back to the frame in which it entered, which it returns; -1 if that is
// too long before. Stays as long as gravity allows, so that less is left for the rows above.
template <int R>
int DropWalk<R>::walk_row(int row, int exit, u8* buttons) {
  const int longest = situation_.threshold + 1;
  fits_ = {situation_.fit.horizontal[row], situation_.fit.vertical[row]};
  for (int frame = exit - 1; frame > 0; --frame) {
    u8& held = buttons[frame - 1];
    const auto stays = [&](const Node& n) { return contains(search_.after(frame - 1), n, row); };
    const bool last = exit - (frame - 2) > longest;
    if ((last && from_above(row, frame, held)) ||
        (!step_back(stays, kDirections, held) && from_above(row, frame, held))) {
      return exit - frame <= longest ? frame : -1;
    }
  }
  return row == 0 && exit <= longest ? 0 : -1;
}

template <int R>
bool DropWalk<R>::run(const Target& target, int frame, u8* buttons) {
  std::fill_n(buttons, frame, u8{0});
  if (!find_lock(target, frame)) return false;
  for (int row = target.row; row >= 0; --row) {
    const int entry = walk_row(row, frame, buttons);
    if (entry < 0) return false;
    // Down only where gravity does not do it: a capsule that locks at once with T = 0 holds nothing (lock_capsule).
    if (frame - entry <= situation_.threshold) buttons[frame - 1] |= kDown;
    frame = entry;
  }
  return true;
}

}  // namespace drm
