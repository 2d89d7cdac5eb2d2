// Sets of states over time, and the operations on them that look across moments.
#pragma once

#include "reach_rows.h"

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

// Keeps what fits into the row.
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
  mask(s.repeat, m);
  for (int i = 0; i < R; ++i) s.retry[i] &= m.h;
}

template <int R>
void mask(DasStates<R>& s, const RowMasks& m) {
  mask(s.neutral, m);
  mask(s.right, m);
  for (Turns<R>& left : s.left) mask(left, m);
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

}  // namespace drm
