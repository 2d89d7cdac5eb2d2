#include "reach.h"

#include <algorithm>
#include <cstring>

#include "placement.h"
#include "reach_rows.h"
#include "tables.h"

namespace drm {
namespace {

inline constexpr int kMoments = 16 * 40 / 2 + 2 * kLanes;

// For each of a number of sets, its value at a range of moments.
template <class T>
struct Timeline {
  static constexpr int kSets = sizeof(T) / sizeof(Lanes);
  u8 at[kSets][kMoments];
  int begin, end;

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
};

template <int R>
struct RowExits {
  Timeline<Turns<R>> soft;
  Timeline<States<R>> fallen[2];
};

template <class T>
void mask_all(T& sets, Lanes h, Lanes v);

template <int R>
void mask(Turns<R>& t, Lanes h, Lanes v) {
  for (int i = 0; i < R; ++i) {
    t.free.h[i] &= h;
    t.one.h[i] &= h;
    t.one.v[i] &= v;
    t.both.h[i] &= h;
  }
  t.free.v &= v;
  t.both.v &= v;
}

template <int R>
void mask(States<R>& s, Lanes h, Lanes v) {
  mask(s.neutral, h, v);
  mask(s.right, h, v);
  mask(s.left, h, v);
  for (int i = 0; i < R; ++i) s.retry[i] &= h;
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

template <class T>
bool same(const T& a, const T& b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

template <int kBytes>
Lanes later(Lanes set) {
  constexpr int k = kBytes;
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
struct Search {
  FitMasks fit;
  int threshold;
  int soft_parity;  // of the frames with an odd frame counter, numbered from 1
  RowExits<R> rows[kRows];
  u16 lock[kRows][R + 1][kCols];  // by base; h[0..R-1], v

  int time_of(int parity, int index) const { return 2 * index + (soft_parity ^ parity); }

  template <bool kGravity>
  bool run_block(int row, const RowMasks& m, const Arrivals<R>* arrivals, int parity, int index) {
    RowExits<R>& exits = rows[row];
    States<R> s;
    if (arrivals) {
      s = advance(arrivals->fallen, arrivals->soft | released(arrivals->fallen), m);
    } else {
      s = States<R>{};
      s.neutral.free.h[0][0] = 1u << kSpawnPose.x;
    }
    const int offset = soft_parity ^ parity;
    int closed = 0;
    for (int age = 0;; ++age) {
      const Turns<R> free = released(s);
      const int exit_index = index + (offset + age + 1) / 2;
      if (((parity + age) & 1) && (!kGravity || age < threshold)) exits.soft.add(free, exit_index);
      if (kGravity && age == threshold) {
        exits.fallen[parity ^ ((threshold + 1) & 1)].add(s, exit_index);
        return true;
      }
      const Free<R> now = poses(free);
      closed = same(now, s.neutral.free) ? closed + 1 : 0;
      if (!kGravity) {
        if (closed == 2) return true;
        if (age == threshold || age == 15) return false;
      }
      s = advance(s, free, m);
    }
  }

  template <bool kGravity>
  bool run() {
    std::fill_n(&lock[0][0][0], kRows * (R + 1) * kCols, kUnreachable);
    int earliest_fall = 1 << 20;
    for (int row = 0; row < kRows; ++row) {
      const RowMasks m(fit, row);
      RowExits<R>& exits = rows[row];
      if (row == 0) {
        exits.soft.clear(0);
        exits.fallen[0].clear(0);
        exits.fallen[1].clear(0);
        if (!run_block<kGravity>(row, m, nullptr, soft_parity, 0)) return false;
      } else if (!run_row<kGravity>(row, m)) {
        return false;
      }
      collect_locks<kGravity>(row);
      if (!kGravity && !certify(row, earliest_fall)) return false;
    }
    return true;
  }

  template <bool kGravity>
  bool run_row(int row, const RowMasks& m) {
    RowExits<R>& from = rows[row - 1];
    RowExits<R>& exits = rows[row];
    int first = from.soft.begin;
    exits.soft.clear(first);
    if (kGravity) {
      exits.fallen[0].clear(first);
      exits.fallen[1].clear(first);
    }
    for (int parity = 0; parity < (kGravity ? 2 : 1); ++parity) {
      Turns<R> soft_seen{};
      States<R> fallen_seen{};
      int end = kGravity ? from.fallen[parity].end : 0;
      if (parity == 0) end = std::max(end, from.soft.end);
      for (int index = first; index < end; index += kLanes) {
        Arrivals<R> a{};
        if (parity == 0 && index < from.soft.end) {
          a.soft = from.soft.load(index);
          mask(a.soft, m.h, m.v);
          keep_new(a.soft, soft_seen);
        }
        if (kGravity && index < from.fallen[parity].end) {
          a.fallen = from.fallen[parity].load(index);
          mask(a.fallen, m.h, m.v);
          keep_new(a.fallen, fallen_seen);
        }
        if (!any_set(a)) continue;
        if (!run_block<kGravity>(row, m, &a, parity, index)) return false;
      }
    }
    return true;
  }

  void collect(int row, const Free<R>& where, int parity, int index, const Lanes rest[2]) {
    for (int i = 0; i <= R; ++i) {
      const Lanes set = i < R ? where.h[i] & rest[0] : where.v & rest[1];
      if (!any(set)) continue;
      for (int lane = 0; lane < kLanes; ++lane) {
        unsigned bits = set[lane];
        for (; bits; bits &= bits - 1) {
          u16& best = lock[row][i][__builtin_ctz(bits)];
          best = std::min(best, static_cast<u16>(time_of(parity, index + lane)));
        }
      }
    }
  }

  template <bool kGravity>
  void collect_locks(int row) {
    const RowExits<R>& exits = rows[row];
    const Lanes rest[2] = {broadcast(fit.horizontal[row] & ~static_cast<unsigned>(fit.horizontal[row + 1])),
                           broadcast(fit.vertical[row] & ~static_cast<unsigned>(fit.vertical[row + 1]))};
    for (int i = exits.soft.begin; i < exits.soft.end; i += kLanes) collect(row, poses(exits.soft.load(i)), 0, i, rest);
    if (!kGravity) return;
    for (int parity = 0; parity < 2; ++parity) {
      const auto& fallen = exits.fallen[parity];
      for (int i = fallen.begin; i < fallen.end; i += kLanes) {
        collect(row, poses(released(fallen.load(i))), parity, i, rest);
      }
    }
  }

  bool certify(int row, int& earliest_fall) {
    // earliest entry without gravity: first nonempty soft exit of the row above
    int entry = 0;
    if (row > 0) {
      entry = 1 << 20;
      const auto& soft = rows[row - 1].soft;
      for (int i = soft.begin; i < soft.end && entry == 1 << 20; ++i) {
        u8 bits = 0;
        for (int k = 0; k < soft.kSets; ++k) {
          const bool horizontal = R == 2 ? (k != 2 && k != 5 && k != 6 && k != 9) : (k != 1 && k != 3 && k != 5);
          bits |= static_cast<u8>(soft.at[k][i] & (horizontal ? fit.horizontal[row] : fit.vertical[row]));
        }
        if (bits) entry = time_of(0, i);
      }
    }
    if (entry == 1 << 20) return true;
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

  void write(u16* out) const {
    for (int row = 0; row < kRows; ++row) {
      for (int x = 0; x < kCols; ++x) {
        const auto y = static_cast<u8>(kRows - 1 - row);
        const auto cx = static_cast<u8>(x);
        if (x < 7) {
          out[action_of({cx, y, 0})] = lock[row][0][x];
          if (R == 2) out[action_of({cx, y, 2})] = lock[row][1][x];
        }
        const u16 t = lock[row][R][x];
        if (R == 2 || row == 0) out[action_of({cx, y, 1})] = t;
        if (row > 0) out[action_of({cx, y, 3})] = t;
      }
    }
  }
};

template <int R>
void search(const ReachQuery& query, u16* out) {
  thread_local Search<R> s;
  s.fit = fit_masks(query.bottle);
  if (!(s.fit.horizontal[0] >> kSpawnPose.x & 1)) return;
  s.threshold = gravity_threshold(query.speed, query.speed_ups);
  s.soft_parity = (query.frame_counter + 1) & 1;
  if (!s.template run<false>()) s.template run<true>();
  s.write(out);
}

}  // namespace

void reach(const ReachQuery& query, u16 frames_to_lock[kActions]) {
  std::fill_n(frames_to_lock, kActions, kUnreachable);
  if (query.colors[0] == query.colors[1]) {
    search<1>(query, frames_to_lock);
  } else {
    search<2>(query, frames_to_lock);
  }
}

}  // namespace drm
