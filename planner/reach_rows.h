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

inline Lanes broadcast(unsigned columns) { return Lanes{} + static_cast<u8>(columns); }

inline bool any(Lanes set) {
  using Words = u64 __attribute__((vector_size(16)));
  const Words words = reinterpret_cast<Words>(set);
  return (words[0] | words[1]) != 0;
}

// Whether a group of sets, which must consist of Lanes only, has any member.
template <class T>
inline bool any_set(const T& sets) {
  Lanes all{};
  const u8* from = reinterpret_cast<const u8*>(&sets);
  for (std::size_t i = 0; i < sizeof(T) / sizeof(Lanes); ++i) {
    Lanes one;
    std::memcpy(&one, from + i * kLanes, kLanes);
    all |= one;
  }
  return any(all);
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

  RowMasks(const FitMasks& fit, int row) {
    const unsigned fh = fit.horizontal[row];
    const unsigned fv = fit.vertical[row];
    const unsigned hl = fh << 1 & 0xFF;  // columns whose left neighbour fits
    const unsigned vl = fv << 1 & 0xFF;
    h = broadcast(fh);
    v = broadcast(fv);
    h_left = broadcast(hl);
    v_left = broadcast(vl);
    turn_kicked = broadcast(hl & ~fh);
    turn_extra = h_left;
    turn_stays = broadcast(fh & ~hl);
    spin_kicked = broadcast(hl & ~fh & vl);
    spin_v = broadcast(hl & vl);
    spin_h = broadcast(hl & fv);
    retry = broadcast(hl & fh & ~vl);
    stuck_h = broadcast(fh & ~hl & ~1u);
    stuck_v = broadcast(fv & ~vl & ~1u);
    const unsigned h_below = fit.horizontal[row + 1];
    const unsigned v_below = fit.vertical[row + 1];
    slip = broadcast(v_below & (v_below << 1) & h_below & (h_below << 1) & (h_below << 2) & ~vl);
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

// All states after a frame, by the direction held in it. Left has three classes: pressed in this row; pressed in a row
// above and held since; and blocked, so that holding it tries again in the next frame (only h of One).
template <int R>
struct States {
  Turns<R> neutral;
  Turns<R> right;
  Turns<R> left;
  Turns<R> held_left;
  Turns<R> repeat;  // part of held_left: has just taken the extra step, and might repeat the move in the next frame
  Lanes retry[R];
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

template <class S>
struct Arrivals {
  Turns<Rotations<S>::value> soft;  // soft drop: no direction may be pressed in this frame
  S fallen;                         // gravity
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
  Turns<R> out;
  for (int i = 0; i < R; ++i) {
    out.free.h[i] = (t.free.h[i] + t.free.h[i]) & m.h;
    out.one.h[i] = (t.one.h[i] + t.one.h[i]) & m.h;
    out.one.v[i] = (t.one.v[i] + t.one.v[i]) & m.v;
    out.both.h[i] = (t.both.h[i] + t.both.h[i]) & m.h;
  }
  out.free.v = (t.free.v + t.free.v) & m.v;
  out.both.v = (t.both.v + t.both.v) & m.v;
  return out;
}

template <int R>
inline Turns<R> move_left(const Turns<R>& t, const RowMasks& m) {
  Turns<R> out;
  for (int i = 0; i < R; ++i) {
    out.free.h[i] = to_left(t.free.h[i] & m.h_left);
    out.one.h[i] = to_left(t.one.h[i] & m.h_left);
    out.one.v[i] = to_left(t.one.v[i] & m.v_left);
    out.both.h[i] = to_left(t.both.h[i] & m.h_left);
  }
  out.free.v = to_left(t.free.v & m.v_left);
  out.both.v = to_left(t.both.v & m.v_left);
  return out;
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

// What any state offers once the direction is released: the set that a soft drop starts from.
template <bool kGravity, int R>
inline Turns<R> released(const States<R>& s) {
  Turns<R> out = s.neutral | s.right | s.left;
  if constexpr (kGravity) out = out | s.held_left;
  for (int i = 0; i < R; ++i) out.one.h[i] |= s.retry[i];
  return out;
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

// The rest of a frame after its vertical part. `neutral` can go on without a direction, the states of `s` with any.
template <bool kGravity, int R>
inline States<R> advance(const States<R>& s, const Turns<R>& neutral, const RowMasks& m) {
  States<R> out;
  out.neutral = turn(neutral, m);

  Turns<R> may_right = s.neutral | s.left;
  if constexpr (kGravity) may_right = may_right | s.held_left;
  for (int i = 0; i < R; ++i) may_right.one.h[i] |= s.retry[i];
  out.right = turn(move_right(may_right, m), m);

  const Turns<R> may_left = s.neutral | s.right;
  Turns<R> with_left = move_left(may_left, m) | s.left;
  for (int i = 0; i < R; ++i) with_left.one.h[i] |= to_left(s.retry[i] & m.h_left);
  out.left = turn_with_left(with_left, m);
  for (int i = 0; i < R; ++i) out.retry[i] = to_left((may_left.free.v | may_left.one.v[i]) & m.retry);

  out.held_left = out.repeat = Turns<R>{};
  if constexpr (kGravity) {
    if (any_set(s.held_left) || any_set(s.repeat)) {
      out.held_left = turn_with_left(s.held_left | move_left(s.repeat, m), m);
      out.repeat = extra_steps(s.held_left, m);
    }
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

template <bool kGravity, int R>
inline Turns<R> released(const DasStates<R>& s) {
  Turns<R> out = s.neutral | s.right;
  for (const Turns<R>& left : s.left) out = out | left;
  return out;
}

// The part of `t` that a tile (h, v: columns in which that can be) keeps from moving left.
template <int R>
inline Turns<R> only(const Turns<R>& t, Lanes h, Lanes v) {
  Turns<R> out;
  for (int i = 0; i < R; ++i) {
    out.free.h[i] = t.free.h[i] & h;
    out.one.h[i] = t.one.h[i] & h;
    out.one.v[i] = t.one.v[i] & v;
    out.both.h[i] = t.both.h[i] & h;
  }
  out.free.v = t.free.v & v;
  out.both.v = t.both.v & v;
  return out;
}

template <bool kGravity, int R>
inline DasStates<R> advance(const DasStates<R>& s, const Turns<R>& neutral, const RowMasks& m) {
  const Lanes wall = broadcast(1);
  DasStates<R> out;
  out.neutral = turn(neutral, m);
  Turns<R> may_right = s.neutral;
  for (const Turns<R>& left : s.left) may_right = may_right | left;
  out.right = turn(move_right(may_right, m), m);

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
