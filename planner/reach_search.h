// The row-by-row search behind reach() and script(). Internal to the planner; docs/planner.md has the argument.
#pragma once

#include <algorithm>
#include <cstring>

#include "reach.h"
#include "reach_rows.h"
#include "tables.h"

namespace drm {

// The value of a group of sets T at a range of moments. A moment is an index: frame / 2, the parity being known.
template <class T>
struct Timeline {
  static constexpr int kSets = sizeof(T) / sizeof(Lanes);
  static constexpr int kMoments = 16 * 40 / 2 + 2 * kLanes;

  void clear(int first) { begin = end = first; }

  // Adds 16 consecutive moments.
  void add(const T& sets, int first) {
    for (; end < first + kLanes; end += kLanes) {
      for (auto& set : at) std::memset(&set[end], 0, kLanes);
    }
    const u8* from = reinterpret_cast<const u8*>(&sets);
    for (int i = 0; i < kSets; ++i) {
      Lanes old, more;
      std::memcpy(&old, &at[i][first], kLanes);
      std::memcpy(&more, from + i * kLanes, kLanes);
      old |= more;
      std::memcpy(&at[i][first], &old, kLanes);
    }
  }

  T load(int first) const {
    T out;
    u8* to = reinterpret_cast<u8*>(&out);
    for (int i = 0; i < kSets; ++i) std::memcpy(to + i * kLanes, &at[i][first], kLanes);
    return out;
  }

  int begin, end;
  u8 at[kSets][kMoments];
};

// States that leave a row, by the frame in which they step down or lock.
template <int R>
struct RowExits {
  Timeline<Turns<R>> soft;
  Timeline<States<R>> fallen[2];  // by parity of the frame: 0 = a soft-drop frame
};

enum class Verdict : u8 { kBlockedSpawn, kExact, kUndecided };

template <int R>
struct Search {
  using Locks = u16[kRows][R + 1][kCols];

  FitMasks fit;
  int threshold;    // of gravity
  int soft_parity;  // of the soft-drop frames (odd frame counter), frames being numbered from 1
  bool gravity;     // whether the last run knew gravity
  bool long_holds;  // whether the last run let Left be held through a whole row and beyond
  RowExits<R> rows[kRows];
  Locks lock;            // frames to lock, by base; h[0..R-1], then v
  int doubt[kRows + 1];  // first frame in which a long hold may have mattered on entering the row

  // Fills `lock`; kUndecided when it may be wrong.
  Verdict solve(const ReachQuery& query);

  int frame_of(int parity, int index) const { return 2 * index + (soft_parity ^ parity); }

  // Ages one block of 16 arrivals (nullptr: the spawn) until nothing new can leave the row. `record`, if given, receives
  // the states of every age. Returns the last age, or -1 when a search without gravity cannot answer.
  template <bool kGravity>
  int run_block(int row, const RowMasks& m, const Arrivals<R>* arrivals, int parity, int index,
                States<R>* record = nullptr);

  // Calls visit(arrivals, parity, index) for every block of capsules entering `row`, until one returns false.
  template <bool kGravity, class Visit>
  bool for_each_block(int row, const RowMasks& m, Visit visit) const;

 private:
  template <bool kGravity>
  bool run();
  template <bool kGravity>
  void collect_locks(int row);
  void collect(int row, const Free<R>& where, int parity, int index, const Lanes rest[2]);
  bool certify(int row, int& earliest_fall);
  void note_doubt(int row, const States<R>& s, const RowMasks& m, int parity, int index);
  bool doubtful() const;
};

inline constexpr int kNever = 1 << 20;  // a frame

template <int R>
void mask(Turns<R>& t, const RowMasks& m) {
  for (int i = 0; i < R; ++i) {
    t.free.h[i] &= m.h;
    t.one.h[i] &= m.h;
    t.one.v[i] &= m.v;
    t.both.h[i] &= m.h;
  }
  t.free.v &= m.v;
  t.both.v &= m.v;
}

template <int R>
void mask(States<R>& s, const RowMasks& m) {
  mask(s.neutral, m);
  mask(s.right, m);
  mask(s.left, m);
  mask(s.held_left, m);
  for (int i = 0; i < R; ++i) s.retry[i] &= m.h;
}

template <class T>
bool any_set(const T& sets) {
  Lanes all{};
  const u8* from = reinterpret_cast<const u8*>(&sets);
  for (std::size_t i = 0; i < sizeof(T) / sizeof(Lanes); ++i) {
    Lanes one;
    std::memcpy(&one, from + i * kLanes, kLanes);
    all |= one;
  }
  return any(all);
}

// The same sets k moments later.
template <int k>
Lanes later(Lanes set) {
  return __builtin_shufflevector(Lanes{}, set, 16 - k, 17 - k, 18 - k, 19 - k, 20 - k, 21 - k, 22 - k, 23 - k, 24 - k,
                                 25 - k, 26 - k, 27 - k, 28 - k, 29 - k, 30 - k, 31 - k);
}

// Removes from each moment what an earlier one already had. `carry` holds what came before the first.
template <class T>
void keep_new(T& sets, T& carry) {
  u8* p = reinterpret_cast<u8*>(&sets);
  u8* c = reinterpret_cast<u8*>(&carry);
  for (std::size_t i = 0; i < sizeof(T) / sizeof(Lanes); ++i, p += kLanes, c += kLanes) {
    Lanes now, before;
    std::memcpy(&now, p, kLanes);
    std::memcpy(&before, c, kLanes);
    Lanes upto = now;
    upto |= later<1>(upto);
    upto |= later<2>(upto);
    upto |= later<4>(upto);
    upto |= later<8>(upto);
    const Lanes fresh = now & ~(later<1>(upto) | before);
    before |= broadcast(upto[15]);
    std::memcpy(p, &fresh, kLanes);
    std::memcpy(c, &before, kLanes);
  }
}

template <int R>
template <bool kGravity>
int Search<R>::run_block(int row, const RowMasks& m, const Arrivals<R>* arrivals, int parity, int index,
                         States<R>* record) {
  RowExits<R>& exits = rows[row];
  States<R> s{};
  if (arrivals) {
    s = advance<kGravity>(arrivals->fallen, arrivals->soft | released<kGravity>(arrivals->fallen), m);
  } else {
    s.neutral.free.h[0][0] = 1u << kSpawnPose.x;
  }
  const int offset = soft_parity ^ parity;
  int closed = 0;
  for (int age = 0;; ++age) {
    if (record) record[age] = s;
    const Turns<R> free = released<kGravity>(s);
    const int exit_index = index + (offset + age + 1) / 2;
    if (((parity + age) & 1) && (!kGravity || age < threshold)) exits.soft.add(free, exit_index);
    if (kGravity && age == threshold) {
      const int exit_parity = parity ^ ((threshold + 1) & 1);
      if (long_holds) {
        note_doubt(row, s, m, exit_parity, exit_index);
      } else {
        s.held_left = Turns<R>{};
      }
      exits.fallen[exit_parity].add(s, exit_index);
      return age;
    }
    const Free<R> now = poses(free);
    closed = std::memcmp(&now, &s.neutral.free, sizeof now) == 0 ? closed + 1 : 0;
    if (!kGravity) {
      if (closed == 2) return age;
      if (age == threshold || age == 15) return -1;
    }
    s = advance<kGravity>(s, free, m);
  }
}

template <int R>
template <bool kGravity, class Visit>
bool Search<R>::for_each_block(int row, const RowMasks& m, Visit visit) const {
  const RowExits<R>& from = rows[row - 1];
  for (int parity = 0; parity < (kGravity ? 2 : 1); ++parity) {
    Turns<R> soft_seen{};
    States<R> fallen_seen{};
    int end = kGravity ? from.fallen[parity].end : 0;
    if (parity == 0) end = std::max(end, from.soft.end);
    for (int index = from.soft.begin; index < end; index += kLanes) {
      Arrivals<R> a{};
      if (parity == 0 && index < from.soft.end) {
        a.soft = from.soft.load(index);
        mask(a.soft, m);
        keep_new(a.soft, soft_seen);
      }
      if (kGravity && index < from.fallen[parity].end) {
        a.fallen = from.fallen[parity].load(index);
        mask(a.fallen, m);
        a.fallen.held_left = a.fallen.held_left | a.fallen.left;
        a.fallen.left = Turns<R>{};
        keep_new(a.fallen, fallen_seen);
      }
      if (any_set(a) && !visit(a, parity, index)) return false;
    }
  }
  return true;
}

template <int R>
template <bool kGravity>
bool Search<R>::run() {
  gravity = kGravity;
  std::fill_n(&lock[0][0][0], kRows * (R + 1) * kCols, kUnreachable);
  int earliest_fall = kNever;
  std::fill_n(doubt, kRows + 1, kNever);
  for (int row = 0; row < kRows; ++row) {
    const RowMasks m(fit, row);
    RowExits<R>& exits = rows[row];
    const int first = row ? rows[row - 1].soft.begin : 0;
    exits.soft.clear(first);
    exits.fallen[0].clear(first);
    exits.fallen[1].clear(first);
    if (row == 0) {
      if (run_block<kGravity>(row, m, nullptr, soft_parity, 0) < 0) return false;
    } else {
      const bool done = for_each_block<kGravity>(row, m, [&](const Arrivals<R>& a, int parity, int index) {
        return run_block<kGravity>(row, m, &a, parity, index) >= 0;
      });
      if (!done) return false;
    }
    collect_locks<kGravity>(row);
    if (!kGravity && !certify(row, earliest_fall)) return false;
  }
  return true;
}

template <int R>
void Search<R>::collect(int row, const Free<R>& where, int parity, int index, const Lanes rest[2]) {
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

template <int R>
template <bool kGravity>
void Search<R>::collect_locks(int row) {
  const RowExits<R>& exits = rows[row];
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

// A state that has held Left through all of this row falls into the next, where a turn would take the extra step left in
// a way that no shorter hold can imitate. The hold may be too long to be real.
template <int R>
void Search<R>::note_doubt(int row, const States<R>& s, const RowMasks& m, int parity, int index) {
  Lanes upright = s.held_left.free.v;
  for (int i = 0; i < R; ++i) upright |= s.held_left.one.v[i];
  upright &= m.slip;
  if (!any(upright)) return;
  int lane = 0;
  while (upright[lane] == 0) ++lane;
  doubt[row + 1] = std::min(doubt[row + 1], frame_of(parity, index + lane));
}

// Whether some lock is late enough to have come after a doubt in its row or above.
template <int R>
bool Search<R>::doubtful() const {
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

template <int R>
bool Search<R>::certify(int row, int& earliest_fall) {
  // earliest entry without gravity: first nonempty soft exit of the row above
  int entry = 0;
  if (row > 0) {
    entry = kNever;
    const auto& soft = rows[row - 1].soft;
    for (int i = soft.begin; i < soft.end && entry == kNever; ++i) {
      u8 bits = 0;
      for (int k = 0; k < soft.kSets; ++k) {
        const bool horizontal = R == 2 ? (k != 2 && k != 5 && k != 6 && k != 9) : (k != 1 && k != 3 && k != 5);
        bits |= static_cast<u8>(soft.at[k][i] & (horizontal ? fit.horizontal[row] : fit.vertical[row]));
      }
      if (bits) entry = frame_of(0, i);
    }
  }
  if (entry == kNever) return true;
  const int limit = std::min(earliest_fall + 1, entry + threshold + 1);
  for (int i = 0; i <= R; ++i) {
    for (int x = 0; x < kCols; ++x) {
      if (lock[row][i][x] != kUnreachable && lock[row][i][x] > limit) return false;
    }
  }
  // a fall out of this row into the next, or one from above after one more row
  earliest_fall = std::min(earliest_fall + 1, entry + threshold + 1);
  return true;
}

template <int R>
Verdict Search<R>::solve(const ReachQuery& query) {
  fit = fit_masks(query.bottle);
  if (!(fit.horizontal[0] >> kSpawnPose.x & 1)) return Verdict::kBlockedSpawn;
  threshold = gravity_threshold(query.speed, query.speed_ups);
  soft_parity = (query.frame_counter + 1) & 1;
  long_holds = false;
  if (run<false>()) return Verdict::kExact;
  // A hold that lasts through T + 1 >= 15 frames repeats its move before it can matter in the row after.
  long_holds = threshold < kDasFirst - 2;
  run<true>();
  if (!long_holds || !doubtful()) return Verdict::kExact;
  // With long holds nothing is too late, without them nothing too early.
  Locks optimistic;
  std::memcpy(optimistic, lock, sizeof lock);
  long_holds = false;
  run<true>();
  return std::memcmp(optimistic, lock, sizeof lock) == 0 ? Verdict::kExact : Verdict::kUndecided;
}

// One per thread and R: its 0.4 MB are too much for a stack, and it must outlive reach() for nothing.
template <int R>
Search<R>& search_of_thread() {
  thread_local Search<R> search;
  return search;
}

}  // namespace drm
