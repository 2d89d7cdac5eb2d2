// Where a capsule must be at each frame to lock at one given placement in time: a quick, too generous answer.
//
// Backwards from the lock, row by row, with poses only: any button may be pressed in any frame and the direction held
// before does not matter. So no capsule that can make it is missing, and "the spawn is not inside" is a proof.
#pragma once

#include <algorithm>

#include "timeline.h"

namespace drm {

template <int R>
Free<R> operator|(const Free<R>& a, const Free<R>& b) {
  Free<R> out;
  for (int i = 0; i < R; ++i) out.h[i] = a.h[i] | b.h[i];
  out.v = a.v | b.v;
  return out;
}

// The poses from which a turn, or none, ends in `s`.
template <int R>
Free<R> before_turn(const Free<R>& s, const RowMasks& m) {
  const Lanes turned = s.h[0] | s.h[R - 1];
  Free<R> out;
  for (int i = 0; i < R; ++i) out.h[i] = (s.h[i] | s.v) & m.h;
  out.v = (s.v | turned | ((turned + turned) & m.turn_kicked) | ((s.v + s.v) & m.spin_kicked)) & m.v;
  return out;
}

// The same with Left held.
template <int R>
Free<R> before_turn_with_left(const Free<R>& s, const RowMasks& m) {
  const Lanes turned = s.h[0] | s.h[R - 1];
  Free<R> out;
  for (int i = 0; i < R; ++i) out.h[i] = (s.h[i] | s.v | ((s.h[i] + s.h[i]) & m.spin_h)) & m.h;
  out.v = (s.v | (turned & m.turn_stays) | ((turned + turned) & m.turn_extra) | ((s.v + s.v) & m.spin_v)) & m.v;
  return out;
}

// The poses from which the rest of a frame, its vertical part done, ends in `s`.
template <int R>
Free<R> before_frame(const Free<R>& s, const RowMasks& m) {
  const Lanes has_left = broadcast(0xFE);
  const Free<R> right = before_turn(s, m);
  const Free<R> left = before_turn_with_left(s, m);
  Free<R> out;
  for (int i = 0; i < R; ++i) {
    out.h[i] = (right.h[i] | to_left(right.h[i] & has_left) | left.h[i] | (left.h[i] + left.h[i])) & m.h;
  }
  out.v = (right.v | to_left(right.v & has_left) | left.v | (left.v + left.v)) & m.v;
  return out;
}

template <int R>
struct Corridor {
  // What leaves a row, by kind and frame, as in RowExits: the poses that can still make it. Only frames before `end`.
  struct Row {
    Timeline<Free<R>> soft;
    Timeline<Free<R>> fallen[2];
    int end;
  };

  Row rows[kRows];
  Situation situation;
  Target target;
  int deadline;

  void aim(const Situation& at_spawn, const Target& at) {
    situation = at_spawn;
    target = at;
  }

  // No capsule enters `row` earlier. With T > 0 every step down can be charged to a soft-drop frame of its own: a fall
  // at another frame comes two frames or more after the last step, and leaves the soft-drop frame between unused.
  int first_entry(int row) const {
    return row == 0 || situation.threshold == 0 ? row : 2 * row - situation.soft_parity;
  }

  // The latest even frame up to which the capsule could wait in the spawn, in no row at all, and still lock at the
  // target in frame `until` or before; -1 if there is none. Fills `rows` for that deadline.
  int open(int until);

 private:
  int open_block(int row, const RowMasks& m, int parity, int index);
  void store(Timeline<Free<R>>& to, const Free<R>& sets, int index) {
    const u8* from = reinterpret_cast<const u8*>(&sets);
    for (int i = 0; i <= R; ++i) std::memcpy(&to.at[i][index], from + i * kLanes, kLanes);
  }
  void clear(Row& row);
};

template <int R>
void Corridor<R>::clear(Row& row) {
  const int moments = std::min(deadline / 2 + 2 * kLanes, Timeline<Free<R>>::kMoments);
  for (auto* line : {&row.soft, &row.fallen[0], &row.fallen[1]}) {
    for (auto& set : line->at) std::memset(set, 0, static_cast<std::size_t>(moments));
  }
  row.end = 0;
}

// One block of 16 entries into `row`, from the last age back to the entry. Returns the last lane that can make it.
template <int R>
int Corridor<R>::open_block(int row, const RowMasks& m, int parity, int index) {
  const Row& exits = rows[row];
  const int offset = situation.soft_parity ^ parity;
  const int last = std::min(situation.threshold, exits.end - 2 - situation.frame_of(parity, index));
  Free<R> s{};
  for (int age = last; age >= 0; --age) {
    const int exit_index = index + (offset + age + 1) / 2;
    if (age == situation.threshold) {
      s = exits.fallen[parity ^ ((age + 1) & 1)].load(exit_index);
      continue;
    }
    if (age < last) s = before_frame(s, m);
    if ((parity + age) & 1) s = s | exits.soft.load(exit_index);
  }
  Lanes open;
  if (row == 0) {
    open = s.h[0] & broadcast(1u << kSpawnPose.x);
  } else {
    const Free<R> fallen = before_frame(s, m);
    open = fallen.v | fallen.h[0] | fallen.h[R - 1];
    store(rows[row - 1].fallen[parity], fallen, index);
    if (parity == 0) store(rows[row - 1].soft, before_turn(s, m), index);
  }
  int lane = kLanes - 1;
  while (lane >= 0 && open[lane] == 0) --lane;
  return lane;
}

template <int R>
int Corridor<R>::open(int until) {
  deadline = until;
  clear(rows[target.row]);
  rows[target.row].end = deadline + 1;
  for (int frame = 1; frame <= deadline; ++frame) {
    const int parity = situation.is_soft(frame) ? 0 : 1;
    rows[target.row].fallen[parity].at[target.i][frame / 2] = static_cast<u8>(1u << target.x);
    if (parity == 0) rows[target.row].soft.at[target.i][frame / 2] = static_cast<u8>(1u << target.x);
  }
  for (int row = target.row;; --row) {
    const RowMasks m(situation.fit, row);
    int end = 0;  // one more than the last frame in which the row can be entered
    if (row > 0) clear(rows[row - 1]);
    for (int parity = 0; parity < 2; ++parity) {
      if (row == 0 && parity != situation.soft_parity) continue;  // even frames only, as the spawn is frame 0
      for (int index = first_entry(row) / 2; situation.frame_of(parity, index) + 1 < rows[row].end; index += kLanes) {
        const int lane = open_block(row, m, parity, index);
        if (lane >= 0) end = std::max(end, situation.frame_of(parity, index + lane) + 1);
      }
    }
    if (row == 0 || end == 0) return end - 1;
    rows[row - 1].end = end;
  }
}

}  // namespace drm
