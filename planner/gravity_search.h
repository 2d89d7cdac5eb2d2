// Searches 2 and 3: gravity included, row after row, for 16 frames of entry at once. Internal to the planner;
// docs/planner.md has the argument.
#pragma once

#include <type_traits>

#include "merged_holds.h"

namespace drm {

// S is States<R> (search 2: holds of Left are merged) or DasStates<R> (search 3: nothing is merged).
template <class S>
class GravitySearch {
 public:
  static constexpr int R = Rotations<S>::value;

  Locks<R> lock;

  // Fills `lock`. False when it may be wrong, which cannot happen with DasStates. The spawn must fit.
  bool solve(const Situation& situation);

 private:
  static constexpr bool kMerged = std::is_same_v<S, States<R>>;

  // States that leave a row, by the frame in which they step down or lock.
  struct Exits {
    Timeline<Turns<R>> soft;  // soft drop: no direction may be pressed in that frame
    Timeline<S> fallen;       // gravity
  };

  void run(bool optimistic);
  void find_arrivals(const RowMasks& m);
  void run_first_row();
  void run_row(int row);
  void run_block(int row, const RowMasks& m, S s, int frame, int velocity);
  void drop(const Turns<R>& free, int frame);
  void collect_locks(int row);
  static void collect(u16 (&best)[kCols], Lanes locks, int frame, u8& columns);

  Situation situation_;
  MergedHolds<R> holds_;
  Exits exits_;                        // from one row
  int exits_end_;                      // after the last
  Exits arrivals_;                     // those that are new in the next
  u8 arrives_[Timeline<S>::kMoments];  // non-zero where there is one, by frame
};

// A state that enters a row an even number of frames after the same state has nothing to add.
template <class S>
void GravitySearch<S>::find_arrivals(const RowMasks& m) {
  const int first = exits_.soft.begin;
  const int end = exits_end_;
  exits_.soft.extend(end);
  exits_.fallen.extend(end);
  arrivals_.soft.clear(first);
  arrivals_.fallen.clear(first);
  Turns<R> soft_seen{};
  S fallen_seen{};
  for (int frame = first; frame < end; frame += kLanes) {
    Turns<R> soft = only(exits_.soft.load(frame), m.h, m.v);
    keep_new_of(soft, soft_seen);
    S fallen = exits_.fallen.load(frame);
    mask(fallen, m);
    if constexpr (kMerged) {
      fallen.held_left = fallen.held_left | fallen.left;
      fallen.left = Turns<R>{};
    }
    keep_new_of(fallen, fallen_seen);
    arrivals_.soft.add(soft, frame);
    arrivals_.fallen.add(fallen, frame);
    const Lanes all = union_of(soft) | union_of(fallen);
    std::memcpy(&arrives_[frame], &all, kLanes);
  }
  // A block may begin anywhere, but not beyond what arrives.
  arrivals_.soft.extend(end + kLanes);
  arrivals_.fallen.extend(end + kLanes);
  std::memset(&arrives_[end], 0, kLanes);
}

// Lets those out for which the frame, or one of the 15 after it, is a soft-drop frame.
template <class S>
void GravitySearch<S>::drop(const Turns<R>& free, int frame) {
  const Lanes soft = every_second_lane(situation_.is_soft(frame));
  exits_.soft.add(only(free, soft, soft), frame);
}

// The capsules of `s` have entered the row in `frame` and the frames after. They leave it by a soft drop whenever they
// can, and by gravity after T + 1 frames.
template <class S>
void GravitySearch<S>::run_block(int row, const RowMasks& m, S s, int frame, int velocity) {
  const int threshold = situation_.threshold;
  for (int age = 0;; ++age) {
    const Turns<R> free = released(s);
    const int exit = frame + age + 1;
    if (age == threshold) {
      if constexpr (kMerged) holds_.fall(free, row, m, exit, velocity, s);
      exits_.fallen.add(s, exit);
      return;
    }
    drop(free, exit);
    const S before = s;
    s = advance(before, free, m);
    if constexpr (kMerged) {
      holds_.age(before, free, row, m, frame, age + 1, velocity, s);
      if (age + 2 < threshold && holds_.settled(row, age + 1, velocity) && same(s, before)) {
        // Nothing changes any more. What has not had a soft-drop frame yet has one now.
        drop(free, exit + 1);
        velocity += threshold - (age + 1);
        age = threshold - 1;
      }
    }
  }
}

template <class S>
void GravitySearch<S>::run_first_row() {
  const RowMasks m(situation_.fit, 0);
  exits_.soft.clear(1);
  exits_.fallen.clear(1);
  S s{};
  s.neutral.free.h[0][0] = 1u << kSpawnPose.x;
  exits_end_ = situation_.threshold + 2;
  run_block(0, m, s, 0, holds_.first_velocity(0));
}

template <class S>
void GravitySearch<S>::run_row(int row) {
  const RowMasks m(situation_.fit, row);
  find_arrivals(m);
  const int end = exits_end_;  // of the row above
  int frame = arrivals_.soft.begin;
  const auto find_block = [&] {
    while (frame < end && arrives_[frame] == 0) ++frame;
  };
  find_block();
  exits_.soft.clear(frame + 1);
  exits_.fallen.clear(frame + 1);
  for (; frame < end; find_block()) {
    exits_end_ = frame + last_lane(load_lanes(&arrives_[frame])) + situation_.threshold + 2;
    const S fallen = arrivals_.fallen.load(frame);
    const Turns<R> free = released(fallen);
    S s = advance(fallen, arrivals_.soft.load(frame) | free, m);
    int velocity = holds_.first_velocity(row);
    if constexpr (kMerged) holds_.age(fallen, free, row, m, frame, 0, velocity, s);
    run_block(row, m, s, frame, velocity);
    frame += kLanes;
  }
}

// Notes the first of `locks`, the first of which are in `frame`, in each of the columns; takes those away that had one.
template <class S>
void GravitySearch<S>::collect(u16 (&best)[kCols], Lanes locks, int frame, u8& columns) {
  locks &= broadcast(columns);
  while (any(locks)) {
    const int lane = first_lane(locks);
    const unsigned now = locks[lane];
    for (unsigned bits = now; bits; bits &= bits - 1) {
      u16& frames = best[__builtin_ctz(bits)];
      frames = std::min(frames, static_cast<u16>(frame + lane));
    }
    columns = static_cast<u8>(columns & ~now);
    locks &= broadcast(columns);
  }
}

template <class S>
void GravitySearch<S>::collect_locks(int row) {
  const FitMasks& fit = situation_.fit;
  const auto rests_h = static_cast<u8>(fit.horizontal[row] & ~fit.horizontal[row + 1]);
  const auto rests_v = static_cast<u8>(fit.vertical[row] & ~fit.vertical[row + 1]);
  if ((rests_h | rests_v) == 0) return;
  const auto collect_from = [&](const auto& exits, auto poses_of) {
    u8 columns[R + 1];
    std::fill_n(columns, R, rests_h);
    columns[R] = rests_v;
    for (int frame = exits.begin; frame < exits.end; frame += kLanes) {
      const Free<R> where = poses_of(exits.load(frame));
      for (int i = 0; i < R; ++i) collect(lock[row][i], where.h[i], frame, columns[i]);
      collect(lock[row][R], where.v, frame, columns[R]);
    }
  };
  collect_from(exits_.soft, [](const Turns<R>& t) { return poses(t); });
  collect_from(exits_.fallen, [](const S& s) { return poses(released(s)); });
}

template <class S>
void GravitySearch<S>::run(bool optimistic) {
  holds_.clear(optimistic, situation_.threshold);
  std::fill_n(&lock[0][0][0], kRows * (R + 1) * kCols, kUnreachable);
  run_first_row();
  collect_locks(0);
  for (int row = 1; row < kRows; ++row) {
    run_row(row);
    collect_locks(row);
  }
}

template <class S>
bool GravitySearch<S>::solve(const Situation& situation) {
  situation_ = situation;
  run(true);
  if (!kMerged || !holds_.doubtful(lock)) return true;
  Locks<R> earliest;
  std::memcpy(earliest, lock, sizeof lock);
  run(false);
  return std::memcmp(earliest, lock, sizeof lock) == 0;
}

}  // namespace drm
