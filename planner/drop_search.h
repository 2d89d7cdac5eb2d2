// Search 1: soft drops only. All rows of the bottle at once (a lane each), one frame after the other. Internal to the
// planner; docs/planner.md has the argument.
#pragma once

#include <algorithm>

#include "flood.h"
#include "pose_sets.h"
#include "situation.h"

namespace drm {

// The first frames in which a capsule that has fallen by gravity, or could have, can enter a row; row after row.
struct FallBounds {
  int fallen = kNever;   // its last step was by gravity
  int dropped = kNever;  // it was a soft drop

  // The first frame in which one can lock in the next row, which no other capsule enters before `entry`: a fall takes
  // T + 1 frames from there, soft drops are two frames apart, and one can follow a fall in the next frame.
  int next(int entry, int threshold) {
    const int fall = std::min({entry, fallen, dropped}) + threshold + 1;
    const int first = std::min({fall, fallen + 1, dropped + 1});
    dropped = std::min(fallen + 1, dropped + 2);
    fallen = fall;
    return first;
  }
};

template <int R>
DropStates<R> spawned() {
  DropStates<R> s{};
  s.neutral.free.h[0][0] = 1u << kSpawnPose.x;
  return s;
}

// What one row down is free for the members of `t`.
template <int R>
Turns<R> one_row_down(const Turns<R>& t, const RowMasks& m) {
  return each(t, [&](Lanes set) { return later<1>(set) & m.h; }, [&](Lanes set) { return later<1>(set) & m.v; });
}

// The states of an empty bottle after each frame: whatever lies below its empty rows, this is how any bottle begins.
template <int R>
struct OpenRows {
  static constexpr int kFrames = 2 * kRows;
  DropStates<R> after[2][kFrames];  // by soft_parity

  static const OpenRows& table() {
    static const OpenRows open;
    return open;
  }

 private:
  OpenRows() {
    Situation empty;
    std::fill_n(empty.fit.horizontal, kRows, kOpenRow);
    std::fill_n(empty.fit.vertical, kRows, u8{0xFF});
    const RowMasks m(empty.fit);
    for (empty.soft_parity = 0; empty.soft_parity < 2; ++empty.soft_parity) {
      auto& states = after[empty.soft_parity];
      states[0] = spawned<R>();
      for (int frame = 1; frame < kFrames; ++frame) {
        const Turns<R> free = released(states[frame - 1]);
        states[frame] = advance(states[frame - 1], empty.is_soft(frame) ? free | one_row_down(free, m) : free, m);
      }
    }
  }
};

template <int R>
class DropSearch {
 public:
  // Calls visit(i, cell, frame) for each placement as it locks, `cell` being that of its base. Those are exact. Returns
  // false if there may be others, or ones that only gravity reaches in time.
  template <class Visit>
  bool solve(const Situation& situation, Visit visit);

  // The first frame in which a capsule that gravity never moves locks at the target, or kNever. `exact` if no other one
  // can be earlier; if not, this one may not be real, as it may have stayed in a row for longer than gravity lets it.
  int first_lock(const Situation& situation, const Target& target, bool& exact);

  // The states after each frame of the last search, lane = row.
  const DropStates<R>& after(int frame) const {
    return frame <= open_frames_ ? open_->after[situation_.soft_parity][frame] : after_[frame];
  }

 private:
  static constexpr int kFrames = kMaxThreshold + 2 + 2 * kRows;  // what locks later is never exact

  void begin(const Situation& situation, int open_rows);
  void wait_for(const u8 (&where)[R + 1][kRows]);
  template <class Visit>
  bool run(bool exact_only, Visit visit);
  template <class Visit>
  void lock(const Turns<R>& free, int frame, Visit visit);
  void enter(const Turns<R>& below, int frame);
  bool none_waits() const;
  int first_waiting_row() const;

  const OpenRows<R>* open_ = &OpenRows<R>::table();
  Situation situation_;
  int open_frames_ = 0;   // in which no capsule leaves the empty rows on top
  Lanes waiting_[R + 1];  // lane = row: where something is to lock, and has not yet; h[0..R-1], then v
  FallBounds bounds_;
  int deepest_ = 0;         // row that has been entered
  int exact_until_[kRows];  // what locks in a row by this frame is exact
  DropStates<R> after_[kFrames];
};

template <int R>
void DropSearch<R>::begin(const Situation& situation, int open_rows) {
  situation_ = situation;
  open_frames_ = std::max(0, 2 * open_rows - situation.soft_parity - 1);
  bounds_ = {};
  std::fill_n(exact_until_, kRows, kNever);
  exact_until_[0] = bounds_.next(0, situation.threshold);
  for (deepest_ = 0; deepest_ < open_rows - 1;) {
    ++deepest_;
    exact_until_[deepest_] = bounds_.next(2 * deepest_ - situation.soft_parity, situation.threshold);
  }
}

template <int R>
void DropSearch<R>::wait_for(const u8 (&where)[R + 1][kRows]) {
  for (int i = 0; i <= R; ++i) waiting_[i] = load_lanes(where[i]);
}

template <int R>
bool DropSearch<R>::none_waits() const {
  return !any(waiting_[0] | waiting_[R - 1] | waiting_[R]);
}

template <int R>
int DropSearch<R>::first_waiting_row() const {
  return first_lane(waiting_[0] | waiting_[R - 1] | waiting_[R]);
}

// The members of `free` that a soft drop locks.
template <int R>
template <class Visit>
void DropSearch<R>::lock(const Turns<R>& free, int frame, Visit visit) {
  const Free<R> where = poses(free);
  for (int i = 0; i <= R; ++i) {
    const Lanes locked = (i < R ? where.h[i] : where.v) & waiting_[i];
    waiting_[i] &= ~locked;
    for (int k = 0; k < 2; ++k) {
      for (u64 bits = eight_lanes(locked, k); bits; bits &= bits - 1) {
        visit(i, kCells / 2 * k + __builtin_ctzll(bits), frame);
      }
    }
  }
}

// Notes when a row is entered for the first time.
template <int R>
void DropSearch<R>::enter(const Turns<R>& below, int frame) {
  if (deepest_ == kRows - 1) return;
  const Free<R> where = poses(below);
  const Lanes all = where.v | where.h[0] | where.h[R - 1];
  if (all[deepest_ + 1] == 0) return;
  ++deepest_;
  exact_until_[deepest_] = bounds_.next(frame, situation_.threshold);
}

// Until nothing waits any more. Rows are exact for longer the deeper they are, so the first that waits decides.
template <int R>
template <class Visit>
bool DropSearch<R>::run(bool exact_only, Visit visit) {
  const RowMasks m(situation_.fit);
  const DropStates<R>* s = &after(open_frames_);
  for (int frame = open_frames_ + 1; frame < kFrames; s = &after_[frame++]) {
    Turns<R> free = released(*s);
    if (situation_.is_soft(frame)) {
      if (exact_only && frame > exact_until_[first_waiting_row()]) return false;
      lock(free, frame, visit);
      if (none_waits()) return true;
      const Turns<R> below = one_row_down(free, m);
      enter(below, frame);
      free = free | below;
    }
    after_[frame] = advance(*s, free, m);
  }
  return false;
}

template <int R>
template <class Visit>
bool DropSearch<R>::solve(const Situation& situation, Visit visit) {
  const int open_rows = count_open_rows(situation.fit);
  begin(situation, open_rows);
  u8 rest[R + 1][kRows];
  find_resting<R>(situation.fit, open_rows, rest);
  wait_for(rest);
  return run(true, visit);
}

template <int R>
int DropSearch<R>::first_lock(const Situation& situation, const Target& target, bool& exact) {
  begin(situation, count_open_rows(situation.fit));
  u8 where[R + 1][kRows] = {};
  where[target.i][target.row] = static_cast<u8>(1u << target.x);
  wait_for(where);
  int first = kNever;
  run(false, [&](int, int, int frame) { first = frame; });
  exact = first <= exact_until_[target.row];
  return first;
}

}  // namespace drm
