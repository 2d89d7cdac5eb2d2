// What search 2 knows about the holds of Left that it merges. Internal to the planner; docs/planner.md has the
// argument.
#pragma once

#include "timeline.h"

namespace drm {

// Frames to lock by the row of the base, h[0..R-1] then v, and its column.
template <int R>
using Locks = u16[kRows][R + 1][kCols];

// An optimistic run allows every hold that could be real, and more; notes the first frame in which one of those
// mattered. A pessimistic run allows none of them.
template <int R>
class MergedHolds {
 public:
  void clear(bool optimistic, int threshold) {
    optimistic_ = optimistic;
    threshold_ = threshold;
    std::fill_n(doubt_, kRows + 1, kNever);
    std::fill_n(longest_, kRows + 1, 0);
    std::fill_n(sticks_above_, kRows + 1, false);
  }

  // The greatest hor_velocity of Left pressed in this row, for capsules that have just entered it.
  int first_velocity(int row) const { return sticks_above_[row] ? kDasReload - 1 : -1; }

  // Whether nothing depends on the age from here on, but for the states themselves.
  bool settled(int row, int age, int velocity) const {
    return !optimistic_ || std::max(longest_[row] + threshold_, velocity + threshold_ - age) < kDasBlocked;
  }

  void age(const States<R>& before, const Turns<R>& free, int row, const RowMasks& m, int frame, int age, int& velocity,
           States<R>& after);
  void fall(const Turns<R>& free, int row, const RowMasks& m, int frame, int velocity, States<R>& s);

  // Whether some lock is late enough to have come after a doubt in its row or above.
  bool doubtful(const Locks<R>& lock) const;

 private:
  void note_doubt(int row, Lanes where, int frame);
  static bool can_stick(const Turns<R>& free, const RowMasks& m);

  bool optimistic_;
  int threshold_;
  // About the capsules that fall into a row. Nothing falls into row 0 or beyond row 15.
  int longest_[kRows + 1];        // the greatest hor_velocity with which Left can be held
  bool sticks_above_[kRows + 1];  // in the row above, a tile may have blocked a press of Left
  int doubt_[kRows + 1];          // first frame in which a hold may have mattered that is not real
};

// From the first lane of `where` that has members on, locks in this row and below may owe their time to a hold of Left
// that is not real. `frame` is lane 0's.
template <int R>
void MergedHolds<R>::note_doubt(int row, Lanes where, int frame) {
  if (any(where)) doubt_[row] = std::min(doubt_[row], frame + first_lane(where));
}

// Whether pressing Left can leave hor_velocity at 15, so that holding it moves one frame later and leaves 10.
template <int R>
bool MergedHolds<R>::can_stick(const Turns<R>& free, const RowMasks& m) {
  const Free<R> where = poses(free);
  Lanes stuck = where.v & m.stuck_v;
  for (int i = 0; i < R; ++i) stuck |= where.h[i] & m.stuck_h;
  return any(stuck);
}

// Called after each frame, `age` frames after the one in which the lanes' capsules entered (lane 0's in `frame`);
// `free` is what was released before it. In an optimistic run, holds that can be long enough may repeat their move
// after an extra step; notes where that has gained anything. In another, none does. `velocity` is an upper bound.
template <int R>
void MergedHolds<R>::age(const States<R>& before, const Turns<R>& free, int row, const RowMasks& m, int frame, int age,
                         int& velocity, States<R>& after) {
  if (!optimistic_) {
    after.repeat = Turns<R>{};
    return;
  }
  ++velocity;
  if (velocity < kDasReload && can_stick(free, m)) velocity = kDasReload;
  if (longest_[row] + age < kDasBlocked) after.repeat = Turns<R>{};
  if (velocity >= kDasBlocked) after.repeat = after.repeat | extra_steps(before.left, m);
  if (any_set(before.repeat)) {
    const Free<R> gains = poses(repeat_gains(before, after, m));
    Lanes where = gains.v;
    for (int i = 0; i < R; ++i) where |= gains.h[i];
    note_doubt(row, where, frame + age);
  }
}

// Called before `s` falls out of the row, in `frame` for lane 0.
template <int R>
void MergedHolds<R>::fall(const Turns<R>& free, int row, const RowMasks& m, int frame, int velocity, States<R>& s) {
  sticks_above_[row + 1] |= can_stick(free, m);
  longest_[row + 1] = std::max(longest_[row + 1], velocity + 1);
  if (!optimistic_ || threshold_ >= kDasFirst - 2) {
    s.held_left = Turns<R>{};  // T + 1 >= 15 frames of holding end in a repeat before the row below
    return;
  }
  Turns<R> old = s.held_left;
  drop_dominated(old, s.left);  // a shorter hold does as well
  Lanes upright = old.free.v;
  for (int i = 0; i < R; ++i) upright |= old.one.v[i];
  note_doubt(row + 1, upright & m.slip, frame);
  if (any_set(s.held_left)) longest_[row + 1] = std::max(longest_[row + 1], longest_[row] + threshold_ + 1);
}

template <int R>
bool MergedHolds<R>::doubtful(const Locks<R>& lock) const {
  int since = kNever;
  for (int row = 0; row < kRows; ++row) {
    since = std::min(since, doubt_[row]);
    for (const auto& poses_of_row : lock[row]) {
      for (const u16 frame : poses_of_row) {
        if (frame != kUnreachable && frame > since) return true;
      }
    }
  }
  return false;
}

}  // namespace drm
