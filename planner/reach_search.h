// The row-by-row search behind reach() and script(). Internal to the planner; docs/planner.md has the argument.
#pragma once

#include <algorithm>
#include <type_traits>

#include "flood.h"
#include "reach.h"
#include "tables.h"
#include "timeline.h"

namespace drm {

// States that leave a row, by the frame in which they step down or lock.
template <class S>
struct RowExits {
  Timeline<Turns<Rotations<S>::value>> soft;
  Timeline<S> fallen[2];  // by parity of the frame: 0 = a soft-drop frame
};

inline constexpr int kNever = 1 << 20;  // a frame
inline constexpr int kMaxStay = 40;     // frames in one row: T + 1 at most

// The earliest frames in which a capsule that has fallen by gravity at least once can enter a row.
struct FallBounds {
  int fallen = kNever;   // its last step was by gravity
  int dropped = kNever;  // it was a soft drop
};

enum class Verdict : u8 { kBlockedSpawn, kExact, kUndecided };

// The row-by-row search for one capsule; S is States<R>, or DasStates<R>.
template <class S>
struct Search {
  static constexpr int R = Rotations<S>::value;
  static constexpr bool kMerged = std::is_same_v<S, States<R>>;
  using Locks = u16[kRows][R + 1][kCols];

  FitMasks fit;
  int threshold;    // of gravity
  int soft_parity;  // of the soft-drop frames (odd frame counter), frames being numbered from 1
  Locks lock;       // frames to lock, by base; h[0..R-1], then v
  RowExits<S> rows[kRows];

  // About the last run. An optimistic one allows every hold of Left that could be real, and more.
  bool optimistic;
  bool complete;  // gravity ended no capsule's stay in a row before it had been everywhere

  // Of an optimistic run, about the capsules that fall into a row. Nothing falls into row 0 or beyond row 15.
  int longest_hold[kRows + 1];   // the greatest hor_velocity with which Left can be held
  bool sticks_above[kRows + 1];  // in the row above, a tile may have blocked a press of Left
  int doubt[kRows + 1];          // first frame in which a hold may have mattered that is not real

  // Fills `lock`. kUndecided when it may be wrong, which cannot happen with DasStates.
  Verdict solve(const ReachQuery& query);

  // For a single placement: reads the query (false: the spawn is blocked), then runs search 1 down to its row. Gives
  // the frame of the lock or kNever; `certain` if nothing that falls by gravity locks there earlier.
  bool start(const ReachQuery& query);
  int first_drop(int row, int i, int x, bool& certain);

  int frame_of(int parity, int index) const { return 2 * index + (soft_parity ^ parity); }

  // Ages one block of 16 arrivals (nullptr: the spawn) until nothing new can leave the row. Returns false when a search
  // without gravity cannot answer.
  template <bool kGravity>
  bool run_block(int row, const RowMasks& m, const Arrivals<S>* arrivals, int parity, int index);

  // Calls visit(arrivals, parity, index) for every block of capsules entering `row`, until one returns false.
  template <bool kGravity, class Visit>
  bool for_each_block(int row, const RowMasks& m, Visit visit) const;

 private:
  template <bool kGravity>
  bool run();
  void clear();
  template <bool kGravity>
  bool run_row(int row);
  template <bool kGravity>
  void collect_locks(int row);
  void collect(int row, const Free<R>& where, int parity, int index, const Lanes rest[2]);
  int first_fall(int row, FallBounds& bounds) const;
  bool locks_by(int row, int frame_limit) const;
  void note_doubt(int row, Lanes where, int parity, int index, int age = 0);
  bool can_stick(const S& s, const RowMasks& m) const;
  void keep_repeats(const S& before, int row, const RowMasks& m, int parity, int index, int age, int& velocity,
                    S& after);
  bool doubtful() const;
};

template <class S>
template <bool kGravity>
bool Search<S>::run_block(int row, const RowMasks& m, const Arrivals<S>* arrivals, int parity, int index) {
  RowExits<S>& exits = rows[row];
  S s{};
  int velocity = sticks_above[row] ? kDasReload - 1 : -1;  // greatest hor_velocity of Left pressed in this row
  if (arrivals) {
    s = advance<kGravity>(arrivals->fallen, arrivals->soft | released<kGravity>(arrivals->fallen), m);
    if constexpr (kGravity && kMerged) {
      keep_repeats(arrivals->fallen, row, m, parity, index, 0, velocity, s);
    }
  } else {
    s.neutral.free.h[0][0] = 1u << kSpawnPose.x;
  }
  const int offset = soft_parity ^ parity;
  int closed = 0;
  for (int age = 0;; ++age) {
    const Turns<R> free = released<kGravity>(s);
    const int exit_index = index + (offset + age + 1) / 2;
    if (((parity + age) & 1) && (!kGravity || age < threshold)) exits.soft.add(free, exit_index);
    if (kGravity && age == threshold) {
      const int exit_parity = parity ^ ((threshold + 1) & 1);
      if constexpr (kMerged) {
        sticks_above[row + 1] |= can_stick(s, m);
        longest_hold[row + 1] = std::max(longest_hold[row + 1], velocity + 1);
        if (optimistic && threshold < kDasFirst - 2) {
          Turns<R> old = s.held_left;
          drop_dominated(old, s.left);  // a shorter hold does as well
          Lanes upright = old.free.v;
          for (int i = 0; i < R; ++i) upright |= old.one.v[i];
          note_doubt(row + 1, upright & m.slip, exit_parity, exit_index);
          if (any_set(s.held_left)) {
            longest_hold[row + 1] = std::max(longest_hold[row + 1], longest_hold[row] + threshold + 1);
          }
        } else {
          s.held_left = Turns<R>{};  // T + 1 >= 15 frames of holding end in a repeat before the row below
        }
      }
      exits.fallen[exit_parity].add(s, exit_index);
      return true;
    }
    const Free<R> now = poses(free);
    closed = std::memcmp(&now, &s.neutral.free, sizeof now) == 0 ? closed + 1 : 0;
    if (!kGravity) {
      if (closed == 2) return true;
      if (age == threshold) {
        complete = false;
        return true;
      }
      if (age == kDasFirst - 1) return false;  // from here on Left held since the row's first frame would repeat
    }
    if constexpr (kGravity && kMerged) {
      const S before = s;
      s = advance<kGravity>(before, free, m);
      keep_repeats(before, row, m, parity, index, age + 1, velocity, s);
    } else {
      s = advance<kGravity>(s, free, m);
    }
  }
}

template <class S>
template <bool kGravity, class Visit>
bool Search<S>::for_each_block(int row, const RowMasks& m, Visit visit) const {
  const RowExits<S>& from = rows[row - 1];
  for (int parity = 0; parity < (kGravity ? 2 : 1); ++parity) {
    Turns<R> soft_seen{};
    S fallen_seen{};
    int end = kGravity ? from.fallen[parity].end : 0;
    if (parity == 0) end = std::max(end, from.soft.end);
    for (int index = from.soft.begin; index < end; index += kLanes) {
      Arrivals<S> a{};
      if (parity == 0 && index < from.soft.end) {
        a.soft = from.soft.load(index);
        mask(a.soft, m);
        keep_new(a.soft, soft_seen);
      }
      if (kGravity && index < from.fallen[parity].end) {
        a.fallen = from.fallen[parity].load(index);
        mask(a.fallen, m);
        if constexpr (kMerged) {
          a.fallen.held_left = a.fallen.held_left | a.fallen.left;
          a.fallen.left = Turns<R>{};
        }
        keep_new(a.fallen, fallen_seen);
      }
      if (any_set(a) && !visit(a, parity, index)) return false;
    }
  }
  return true;
}

template <class S>
void Search<S>::clear() {
  std::fill_n(&lock[0][0][0], kRows * (R + 1) * kCols, kUnreachable);
  complete = true;
  std::fill_n(doubt, kRows + 1, kNever);
  std::fill_n(longest_hold, kRows + 1, 0);
  std::fill_n(sticks_above, kRows + 1, false);
}

template <class S>
template <bool kGravity>
bool Search<S>::run_row(int row) {
  const RowMasks m(fit, row);
  RowExits<S>& exits = rows[row];
  const int first = row ? rows[row - 1].soft.begin : 0;
  exits.soft.clear(first);
  exits.fallen[0].clear(first);
  exits.fallen[1].clear(first);
  const bool done = row == 0 ? run_block<kGravity>(row, m, nullptr, soft_parity, 0)
                             : for_each_block<kGravity>(row, m, [&](const Arrivals<S>& a, int parity, int index) {
                                 return run_block<kGravity>(row, m, &a, parity, index);
                               });
  if (done) collect_locks<kGravity>(row);
  return done;
}

template <class S>
template <bool kGravity>
bool Search<S>::run() {
  clear();
  FallBounds bounds;
  for (int row = 0; row < kRows; ++row) {
    if (!run_row<kGravity>(row)) return false;
    if (!kGravity && !locks_by(row, first_fall(row, bounds))) return false;
  }
  return kGravity || complete || all_locked<R>(fit, lock);
}

template <class S>
int Search<S>::first_drop(int row, int i, int x, bool& certain) {
  clear();
  certain = false;
  FallBounds bounds;
  int fall = kNever;
  for (int r = 0; r <= row; ++r) {
    if (!run_row<false>(r)) return kNever;
    fall = first_fall(r, bounds);
  }
  const int frame = lock[row][i][x];
  certain = frame <= fall;
  return frame == kUnreachable ? kNever : frame;
}

template <class S>
void Search<S>::collect(int row, const Free<R>& where, int parity, int index, const Lanes rest[2]) {
  for (int i = 0; i <= R; ++i) {
    const Lanes set = i < R ? where.h[i] & rest[0] : where.v & rest[1];
    if (!any(set)) continue;
    for (int lane = 0; lane < kLanes; ++lane) {
      unsigned bits = set[lane];
      for (; bits; bits &= bits - 1) {
        u16& best = lock[row][i][__builtin_ctz(bits)];
        best = std::min(best, static_cast<u16>(frame_of(parity, index + lane)));
      }
    }
  }
}

template <class S>
template <bool kGravity>
void Search<S>::collect_locks(int row) {
  const RowExits<S>& exits = rows[row];
  const Lanes rest[2] = {broadcast(fit.horizontal[row] & ~static_cast<unsigned>(fit.horizontal[row + 1])),
                         broadcast(fit.vertical[row] & ~static_cast<unsigned>(fit.vertical[row + 1]))};
  for (int i = exits.soft.begin; i < exits.soft.end; i += kLanes) collect(row, poses(exits.soft.load(i)), 0, i, rest);
  if (!kGravity) return;
  for (int parity = 0; parity < 2; ++parity) {
    const auto& fallen = exits.fallen[parity];
    for (int i = fallen.begin; i < fallen.end; i += kLanes) {
      collect(row, poses(released<true>(fallen.load(i))), parity, i, rest);
    }
  }
}

// From the first lane of `where` that has members on, locks in this row and below may owe their time to a hold of Left
// that is not real. The lanes' capsules entered at `index` and `age` frames have passed since.
template <class S>
void Search<S>::note_doubt(int row, Lanes where, int parity, int index, int age) {
  if (!any(where)) return;
  int lane = 0;
  while (where[lane] == 0) ++lane;
  doubt[row] = std::min(doubt[row], frame_of(parity, index + lane) + age);
}

// Whether pressing Left can leave hor_velocity at 15, so that holding it moves one frame later and leaves 10.
template <class S>
bool Search<S>::can_stick(const S& s, const RowMasks& m) const {
  const Free<R> where = poses(released<true>(s));
  Lanes stuck = where.v & m.stuck_v;
  for (int i = 0; i < R; ++i) stuck |= where.h[i] & m.stuck_h;
  return any(stuck);
}

// Called after each frame. In an optimistic run, holds that can be long enough may repeat their move after an extra
// step; notes where that has gained anything. In another, none does. `velocity` is an upper bound.
template <class S>
void Search<S>::keep_repeats(const S& before, int row, const RowMasks& m, int parity, int index, int age, int& velocity,
                             S& after) {
  if (!optimistic) {
    after.repeat = Turns<R>{};
    return;
  }
  ++velocity;
  if (velocity < kDasReload && can_stick(before, m)) velocity = kDasReload;
  if (longest_hold[row] + age < kDasBlocked) after.repeat = Turns<R>{};
  if (velocity >= kDasBlocked) after.repeat = after.repeat | extra_steps(before.left, m);
  if (any_set(before.repeat)) {
    const Free<R> gains = poses(repeat_gains(before, after, m));
    Lanes where = gains.v;
    for (int i = 0; i < R; ++i) where |= gains.h[i];
    note_doubt(row, where, parity, index, age);
  }
}

// Whether some lock is late enough to have come after a doubt in its row or above.
template <class S>
bool Search<S>::doubtful() const {
  int since = kNever;
  for (int row = 0; row < kRows; ++row) {
    since = std::min(since, doubt[row]);
    for (const auto& poses_of_row : lock[row]) {
      for (const u16 frame : poses_of_row) {
        if (frame != kUnreachable && frame > since) return true;
      }
    }
  }
  return false;
}

// No capsule that has fallen by gravity can lock in this row earlier: a fall takes T + 1 frames from the entry into the
// row, soft drops are two frames apart, and one can follow a fall in the next frame.
template <class S>
int Search<S>::first_fall(int row, FallBounds& bounds) const {
  int entry = row == 0 ? 0 : kNever;
  if (row > 0) {
    const auto& soft = rows[row - 1].soft;
    for (int i = soft.begin; i < soft.end && entry == kNever; i += kLanes) {
      const Free<R> where = poses(soft.load(i));
      Lanes in = where.v & broadcast(fit.vertical[row]);
      for (int k = 0; k < R; ++k) in |= where.h[k] & broadcast(fit.horizontal[row]);
      for (int lane = 0; lane < kLanes && any(in); ++lane) {
        if (in[lane] == 0) continue;
        entry = frame_of(0, i + lane);
        break;
      }
    }
  }
  const int fall = std::min({entry, bounds.fallen, bounds.dropped}) + threshold + 1;
  const int first = std::min({fall, bounds.fallen + 1, bounds.dropped + 1});
  bounds.dropped = std::min(bounds.fallen + 1, bounds.dropped + 2);
  bounds.fallen = fall;
  return first;
}

template <class S>
bool Search<S>::locks_by(int row, int frame_limit) const {
  for (const auto& frames : lock[row]) {
    for (const u16 frame : frames) {
      if (frame != kUnreachable && frame > frame_limit) return false;
    }
  }
  return true;
}

template <class S>
bool Search<S>::start(const ReachQuery& query) {
  fit = fit_masks(query.bottle);
  threshold = gravity_threshold(query.speed, query.speed_ups);
  soft_parity = (query.frame_counter + 1) & 1;
  optimistic = false;
  return fit.horizontal[0] >> kSpawnPose.x & 1;
}

template <class S>
Verdict Search<S>::solve(const ReachQuery& query) {
  if (!start(query)) return Verdict::kBlockedSpawn;
  if constexpr (!kMerged) {
    run<true>();
    return Verdict::kExact;
  }
  if (run<false>()) return Verdict::kExact;
  optimistic = true;
  run<true>();
  if (!doubtful()) return Verdict::kExact;
  Locks earliest;
  std::memcpy(earliest, lock, sizeof lock);
  optimistic = false;
  run<true>();
  return std::memcmp(earliest, lock, sizeof lock) == 0 ? Verdict::kExact : Verdict::kUndecided;
}

// One per thread and R: its 0.4 MB are too much for a stack, and it must outlive reach() for nothing.
template <class S>
Search<S>& search_of_thread() {
  thread_local Search<S> search;
  return search;
}

}  // namespace drm
