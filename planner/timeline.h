// Sets of states over time, and the operations on them that look across moments.
#pragma once

#include <algorithm>

#include "pose_sets.h"
#include "situation.h"

namespace drm {

// The value of a group of sets T at a range of moments. A moment is a frame, or an index whose meaning the user knows.
template <class T>
struct Timeline {
  static constexpr int kSets = sizeof(T) / sizeof(Lanes);
  static constexpr int kMoments = kMaxFrames + 2 * kLanes;

  void clear(int first) { begin = end = first; }

  // Makes the moments before `until` part of the range.
  void extend(int until) {
    for (; end < until; end += kLanes) {
      for (auto& set : at) std::memset(&set[end], 0, kLanes);
    }
  }

  // Adds 16 consecutive moments.
  void add(const T& sets, int first) {
    extend(first + kLanes);
    const u8* from = reinterpret_cast<const u8*>(&sets);
    for (int i = 0; i < kSets; ++i) {
      const Lanes more = load_lanes(from + i * kLanes) | load_lanes(&at[i][first]);
      std::memcpy(&at[i][first], &more, kLanes);
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
void mask(States<R>& s, const RowMasks& m) {
  for (Turns<R>* t : {&s.neutral, &s.right, &s.left, &s.held_left, &s.repeat}) *t = only(*t, m.h, m.v);
  for (Lanes& set : s.retry) set &= m.h;
}

template <int R>
void mask(DasStates<R>& s, const RowMasks& m) {
  s.neutral = only(s.neutral, m.h, m.v);
  s.right = only(s.right, m.h, m.v);
  for (Turns<R>& left : s.left) left = only(left, m.h, m.v);
}

// Removes from each frame what a frame an even number earlier already had; `before` is what all frames before the first
// had, and afterwards what all up to the last have had.
inline void keep_new(Lanes& sets, Lanes& before) {
  using Pairs = u16 __attribute__((vector_size(16)));
  Lanes upto = sets | later<2>(sets);
  upto |= later<4>(upto);
  upto |= later<8>(upto);
  const u16 last = reinterpret_cast<Pairs>(upto)[7];
  sets &= ~(later<2>(upto) | before);
  before |= reinterpret_cast<Lanes>(Pairs{} + last);
}

// The same for a group of sets, which must consist of Lanes only. Most are empty, so a few are looked at together.
template <class T>
void keep_new_of(T& group, T& before) {
  constexpr std::size_t kTogether = 8 * kLanes;
  u8* sets = reinterpret_cast<u8*>(&group);
  u8* befores = reinterpret_cast<u8*>(&before);
  for (std::size_t begin = 0; begin < sizeof(T); begin += kTogether) {
    const std::size_t end = std::min(sizeof(T), begin + kTogether);
    Lanes all{};
    for (std::size_t i = begin; i < end; i += kLanes) all |= load_lanes(sets + i);
    if (!any(all)) continue;
    for (std::size_t i = begin; i < end; i += kLanes) {
      Lanes now = load_lanes(sets + i), earlier = load_lanes(befores + i);
      keep_new(now, earlier);
      std::memcpy(sets + i, &now, kLanes);
      std::memcpy(befores + i, &earlier, kLanes);
    }
  }
}

}  // namespace drm
