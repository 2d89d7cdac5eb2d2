// One bottle row of the reachability search: sets of capsule states as bits, 16 moments at a time.
//
// A capsule never rises, so the search goes row by row. `Lanes` holds one set of columns (bit x = base column x) for 16
// capsules that entered the row at 16 different frames; all of them age together, one frame per advance().
// docs/planner.md explains which states are kept and why no other is needed.
#pragma once

#include <cstring>

#include "collision.h"

namespace drm {

using Lanes = u8 __attribute__((vector_size(16)));
inline constexpr int kLanes = 16;

// Moves every bit one column left. The set must not contain column 0.
inline Lanes to_left(Lanes set) {
  using Words = u64 __attribute__((vector_size(16)));
  return reinterpret_cast<Lanes>(reinterpret_cast<Words>(set) >> 1);
}

// Moves every bit one column right; what was in column 7 is gone.
inline Lanes to_right(Lanes set) { return set + set; }

inline Lanes load_lanes(const u8* from) {
  Lanes out;
  std::memcpy(&out, from, kLanes);
  return out;
}

inline Lanes broadcast(unsigned columns) { return Lanes{} + static_cast<u8>(columns); }

inline bool any(Lanes set) {
  using Words = u64 __attribute__((vector_size(16)));
  const Words words = reinterpret_cast<Words>(set);
  return (words[0] | words[1]) != 0;
}

// Lanes 8 k to 8 k + 7, the first in the lowest byte.
inline u64 eight_lanes(Lanes set, int k) {
  using Words = u64 __attribute__((vector_size(16)));
  return reinterpret_cast<Words>(set)[k];
}

// Every lane's set k lanes further on.
template <int k>
inline Lanes later(Lanes set) {
  return __builtin_shufflevector(Lanes{}, set, 16 - k, 17 - k, 18 - k, 19 - k, 20 - k, 21 - k, 22 - k, 23 - k, 24 - k,
                                 25 - k, 26 - k, 27 - k, 28 - k, 29 - k, 30 - k, 31 - k);
}

// The union of a group of sets, which must consist of Lanes only.
template <class T>
inline Lanes union_of(const T& sets) {
  Lanes all{};
  const u8* from = reinterpret_cast<const u8*>(&sets);
  for (std::size_t i = 0; i < sizeof(T) / sizeof(Lanes); ++i) all |= load_lanes(from + i * kLanes);
  return all;
}

template <class T>
inline bool any_set(const T& sets) {
  return any(union_of(sets));
}

// The first lane with members; there must be one.
inline int first_lane(Lanes set) {
  const u64 lower = eight_lanes(set, 0);
  return (lower ? __builtin_ctzll(lower) : kCells / 2 + __builtin_ctzll(eight_lanes(set, 1))) / 8;
}

inline int last_lane(Lanes set) {
  const u64 upper = eight_lanes(set, 1);
  return upper ? 15 - __builtin_clzll(upper) / 8 : 7 - __builtin_clzll(eight_lanes(set, 0)) / 8;
}

template <class T>
inline bool same(const T& a, const T& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

// Everything in every second lane, from lane 0 on or from lane 1.
inline Lanes every_second_lane(bool from_0) {
  using Pairs = u16 __attribute__((vector_size(16)));
  const u16 pair = from_0 ? 0x00FF : 0xFF00;
  return reinterpret_cast<Lanes>(Pairs{} + pair);
}

// The geometry of one row, in the form advance() needs it: sets of columns.
struct RowMasks {
  Lanes h, v;              // a horizontal / vertical capsule fits
  Lanes h_left, v_left;    // it would fit one column further left
  Lanes turn_kicked;       // turning horizontal here kicks one column left
  Lanes turn_extra;        // turning horizontal here with Left held ends one column left (extra step, or kick)
  Lanes turn_stays;        // turning horizontal here with Left held stays in its column
  Lanes spin_kicked;       // A and B together move a vertical capsule one column left
  Lanes spin_v, spin_h;    // the same with Left held, for a vertical / horizontal capsule
  Lanes retry;             // Left blocked by a tile, yet a turn takes the extra step left
  Lanes stuck_h, stuck_v;  // a tile, not the wall, keeps the capsule from moving left
  // About the row below: only a hold without a move takes the extra step to where it ends when falling from here.
  Lanes slip;

  // One row of the bottle at 16 moments.
  RowMasks(const FitMasks& fit, int row) : RowMasks(broadcast(fit.horizontal[row]), broadcast(fit.vertical[row])) {
    const Lanes h_below = broadcast(fit.horizontal[row + 1]);
    const Lanes v_below = broadcast(fit.vertical[row + 1]);
    slip = v_below & (v_below + v_below) & h_below & to_right(h_below) & to_right(to_right(h_below)) & ~to_right(v);
  }

  // Lane = row: all rows of the bottle at one moment. Nothing is known about the row below.
  explicit RowMasks(const FitMasks& fit) : RowMasks(load_lanes(fit.horizontal), load_lanes(fit.vertical)) {}

 private:
  RowMasks(Lanes fits_h, Lanes fits_v) : h(fits_h), v(fits_v), slip{} {
    const Lanes not_wall = broadcast(0xFE);
    h_left = to_right(h);
    v_left = to_right(v);
    turn_kicked = h_left & ~h;
    turn_extra = h_left;
    turn_stays = h & ~h_left;
    spin_kicked = turn_kicked & v_left;
    spin_v = h_left & v_left;
    spin_h = h_left & v;
    retry = h_left & h & ~v_left;
    stuck_h = turn_stays & not_wall;
    stuck_v = v & ~v_left & not_wall;
  }
};

// Rotations: R = 2 horizontal ones (0 and 2), or R = 1 when both halves have the same colour and 0 and 2 are the same
// pose. Vertical rotation 3 is not stored: exchanging A and B exchanges rotations 1 and 3, so its sets mirror 1's.
//
// Sets of poses that share what was pressed in the last frame:
//   Free: no turn button, so both can be pressed now.
//   One:  one of them. h[i] was reached by a turn from vertical; v[i] by a turn from h[i], and may turn back to h[i].
//   Both: A and B; neither can be pressed now.
template <int R>
struct Free {
  Lanes h[R];
  Lanes v;
};

template <int R>
struct One {
  Lanes h[R];
  Lanes v[R];
};

template <int R>
struct Turns {
  Free<R> free;
  One<R> one;
  Free<R> both;
};

// All states after a frame, by the direction held in it, as long as gravity carries no capsule into another row: Left
// was pressed in this row. Blocked by a tile, holding it tries again in the next frame (only h of One).
template <int R>
struct DropStates {
  Turns<R> neutral;
  Turns<R> right;
  Turns<R> left;
  Lanes retry[R];
};

// With gravity, Left may also have been pressed in a row above and held since.
template <int R>
struct States : DropStates<R> {
  Turns<R> held_left;
  Turns<R> repeat;  // part of held_left: has just taken the extra step, and might repeat the move in the next frame
};

// The same with Left by hor_velocity: nothing merged, nothing left out.
template <int R>
struct DasStates {
  Turns<R> neutral;
  Turns<R> right;
  Turns<R> left[16];
};

template <class S>
struct Rotations;
template <int R>
struct Rotations<States<R>> {
  static constexpr int value = R;
};
template <int R>
struct Rotations<DasStates<R>> {
  static constexpr int value = R;
};

template <int R>
inline Turns<R> operator|(const Turns<R>& a, const Turns<R>& b) {
  Turns<R> out;
  for (int i = 0; i < R; ++i) {
    out.free.h[i] = a.free.h[i] | b.free.h[i];
    out.one.h[i] = a.one.h[i] | b.one.h[i];
    out.one.v[i] = a.one.v[i] | b.one.v[i];
    out.both.h[i] = a.both.h[i] | b.both.h[i];
  }
  out.free.v = a.free.v | b.free.v;
  out.both.v = a.both.v | b.both.v;
  return out;
}

// The same done to all sets of horizontal capsules, and to all sets of vertical ones.
template <int R, class OfH, class OfV>
inline Turns<R> each(const Turns<R>& t, OfH of_h, OfV of_v) {
  Turns<R> out;
  for (int i = 0; i < R; ++i) {
    out.free.h[i] = of_h(t.free.h[i]);
    out.one.h[i] = of_h(t.one.h[i]);
    out.one.v[i] = of_v(t.one.v[i]);
    out.both.h[i] = of_h(t.both.h[i]);
  }
  out.free.v = of_v(t.free.v);
  out.both.v = of_v(t.both.v);
  return out;
}

// The members at some poses only.
template <int R>
inline Turns<R> only(const Turns<R>& t, Lanes h, Lanes v) {
  return each(t, [h](Lanes set) { return set & h; }, [v](Lanes set) { return set & v; });
}

// Every pose of the set, whatever was pressed.
template <int R>
inline Free<R> poses(const Turns<R>& t) {
  Free<R> out;
  out.v = t.free.v | t.both.v;
  for (int i = 0; i < R; ++i) {
    out.h[i] = t.free.h[i] | t.one.h[i] | t.both.h[i];
    out.v |= t.one.v[i];
  }
  return out;
}

template <int R>
inline Turns<R> move_right(const Turns<R>& t, const RowMasks& m) {
  return each(t, [&](Lanes set) { return to_right(set) & m.h; }, [&](Lanes set) { return to_right(set) & m.v; });
}

template <int R>
inline Turns<R> move_left(const Turns<R>& t, const RowMasks& m) {
  return each(
      t, [&](Lanes set) { return to_left(set & m.h_left); }, [&](Lanes set) { return to_left(set & m.v_left); });
}

// The rotation part of a frame in which Left is not held / is held.
template <int R>
inline Turns<R> turn(const Turns<R>& t, const RowMasks& m) {
  Turns<R> out;
  out.free = poses(t);
  for (int i = 0; i < R; ++i) {
    const Lanes upright = t.free.v | t.one.v[i];
    out.one.v[i] = (t.free.h[i] | t.one.h[i]) & m.v;
    out.one.h[i] = (upright & m.h) | to_left(upright & m.turn_kicked);
    out.both.h[i] = Lanes{};
  }
  out.both.v = to_left(t.free.v & m.spin_kicked);
  return out;
}

template <int R>
inline Turns<R> turn_with_left(const Turns<R>& t, const RowMasks& m) {
  Turns<R> out;
  out.free = poses(t);
  for (int i = 0; i < R; ++i) {
    const Lanes upright = t.free.v | t.one.v[i];
    out.one.v[i] = (t.free.h[i] | t.one.h[i]) & m.v;
    out.one.h[i] = (upright & m.turn_stays) | to_left(upright & m.turn_extra);
    out.both.h[i] = to_left(t.free.h[i] & m.spin_h);
  }
  out.both.v = to_left(t.free.v & m.spin_v);
  return out;
}

// Removes from `t` the poses that `better` has with no more turn buttons pressed.
template <int R>
inline void drop_dominated(Turns<R>& t, const Turns<R>& better) {
  for (int i = 0; i < R; ++i) {
    t.free.h[i] &= ~better.free.h[i];
    t.one.h[i] &= ~(better.free.h[i] | better.one.h[i]);
    t.one.v[i] &= ~(better.free.v | better.one.v[i]);
    t.both.h[i] &= ~(better.free.h[i] | better.both.h[i]);
  }
  t.free.v &= ~better.free.v;
  t.both.v &= ~(better.free.v | better.both.v);
}

// The states in which Right can be pressed.
template <int R>
inline Turns<R> not_right(const DropStates<R>& s) {
  Turns<R> out = s.neutral | s.left;
  for (int i = 0; i < R; ++i) out.one.h[i] |= s.retry[i];
  return out;
}

template <int R>
inline Turns<R> not_right(const States<R>& s) {
  return not_right(static_cast<const DropStates<R>&>(s)) | s.held_left;
}

template <int R>
inline Turns<R> not_right(const DasStates<R>& s) {
  Turns<R> out = s.neutral;
  for (const Turns<R>& left : s.left) out = out | left;
  return out;
}

// What any state offers once the direction is released: the set that a soft drop starts from.
template <class S>
inline auto released(const S& s) {
  return not_right(s) | s.right;
}

// The states of `t` that take the extra step left in a turn, once they have.
template <int R>
inline Turns<R> extra_steps(const Turns<R>& t, const RowMasks& m) {
  Turns<R> out{};
  for (int i = 0; i < R; ++i) {
    out.one.h[i] = to_left((t.free.v | t.one.v[i]) & m.h & m.turn_extra);
    out.both.h[i] = to_left(t.free.h[i] & m.spin_h);
  }
  out.both.v = to_left(t.free.v & m.spin_v);
  return out;
}

// The rest of a frame after its vertical part. `neutral` can go on without a direction, `may_right` with Right.
template <int R>
inline void advance(const DropStates<R>& s, const Turns<R>& neutral, const Turns<R>& may_right, const RowMasks& m,
                    DropStates<R>& out) {
  out.neutral = turn(neutral, m);
  out.right = turn(move_right(may_right, m), m);
  const Turns<R> may_left = s.neutral | s.right;
  Turns<R> with_left = move_left(may_left, m) | s.left;
  for (int i = 0; i < R; ++i) with_left.one.h[i] |= to_left(s.retry[i] & m.h_left);
  out.left = turn_with_left(with_left, m);
  for (int i = 0; i < R; ++i) out.retry[i] = to_left((may_left.free.v | may_left.one.v[i]) & m.retry);
}

template <int R>
inline DropStates<R> advance(const DropStates<R>& s, const Turns<R>& neutral, const RowMasks& m) {
  DropStates<R> out;
  advance(s, neutral, not_right(s), m, out);
  return out;
}

template <int R>
inline States<R> advance(const States<R>& s, const Turns<R>& neutral, const RowMasks& m) {
  States<R> out;
  advance(s, neutral, not_right(s), m, out);
  out.held_left = out.repeat = Turns<R>{};
  if (any_set(s.held_left) || any_set(s.repeat)) {
    out.held_left = turn_with_left(s.held_left | move_left(s.repeat, m), m);
    out.repeat = extra_steps(s.held_left, m);
  }
  return out;
}

// What repeated moves in the frame before -> after have gained over everything else.
template <int R>
inline Turns<R> repeat_gains(const States<R>& before, const States<R>& after, const RowMasks& m) {
  Turns<R> gains = turn_with_left(move_left(before.repeat, m), m);
  drop_dominated(gains, after.neutral);
  drop_dominated(gains, after.right);
  drop_dominated(gains, after.left);
  return gains;
}

template <int R>
inline DasStates<R> advance(const DasStates<R>& s, const Turns<R>& neutral, const RowMasks& m) {
  const Lanes wall = broadcast(1);
  DasStates<R> out;
  out.neutral = turn(neutral, m);
  out.right = turn(move_right(not_right(s), m), m);

  const Turns<R> pressed = s.neutral | s.right;
  const Turns<R>& repeated = s.left[15];
  Turns<R> after[16];
  after[0] = move_left(pressed, m) | only(pressed, wall, wall);
  for (int das = 1; das < 16; ++das) after[das] = s.left[das - 1];
  after[10] = after[10] | move_left(repeated, m) | only(repeated, wall, wall);
  after[15] = after[15] | only(pressed | repeated, ~(m.h_left | wall), ~(m.v_left | wall));
  for (int das = 0; das < 16; ++das) out.left[das] = turn_with_left(after[das], m);
  return out;
}

}  // namespace drm
