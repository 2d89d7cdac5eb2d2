// Search 3 (nothing merged, nothing left out) for one placement only, inside its corridor.
#pragma once

#include "corridor.h"

namespace drm {

inline constexpr int kMaxStay = kMaxThreshold + 1;  // frames in one row

// Sets by the direction held: none, Right, Left with hor_velocity 0-15. Only those with a bit in `live` have a value.
template <int R>
struct LiveStates {
  static constexpr int kDirections = 18;
  Turns<R> at[kDirections];
  unsigned live;

  void set(int direction, const Turns<R>& t) {
    at[direction] = t;
    live |= 1u << direction;
  }
};

template <int R>
struct NarrowSearch {
  using States = LiveStates<R>;
  struct Arriving {
    Turns<R> soft;
    States fallen;
  };
  // What leaves a row, by the frame in which it does; by gravity also by the direction held.
  struct Exits {
    Timeline<Turns<R>> soft;
    Timeline<Turns<R>> fallen[2][States::kDirections];
  };

  Corridor<R> corridor;
  Exits rows[kRows];
  States ages[kMaxStay];  // for a walk back

  // The least number of frames to lock at the corridor's target, if no more than its deadline; else kNever.
  int run();

  // Calls visit(arrivals, parity, index) for every block of capsules entering `row` (nullptr: the spawn), until one
  // returns false.
  template <class Visit>
  void for_each_block(int row, Visit visit);

  // What the arrivals are after the frame in which they enter the row, and a frame without a step down later.
  static void enter(const Arriving* from, const RowMasks& m, States& to);
  static void age(const States& from, const RowMasks& m, States& to) { advance(from, released(from), m, to); }

 private:
  static Turns<R> released(const States& s);
  static void advance(const States& s, const Turns<R>& neutral, const RowMasks& m, States& out);
  void run_block(int row, const RowMasks& m, const Arriving* from, int parity, int index);
  void leave(const States& s, const typename Corridor<R>::Row& open, int parity, int index, Exits& exits);
  int first_lock() const;

  States states_[2];
  Arriving arriving_;
};

// The members of `t` at the given poses.
template <int R>
Turns<R> at_poses(const Turns<R>& t, const Free<R>& p) {
  Turns<R> out;
  for (int i = 0; i < R; ++i) {
    out.free.h[i] = t.free.h[i] & p.h[i];
    out.one.h[i] = t.one.h[i] & p.h[i];
    out.one.v[i] = t.one.v[i] & p.v;
    out.both.h[i] = t.both.h[i] & p.h[i];
  }
  out.free.v = t.free.v & p.v;
  out.both.v = t.both.v & p.v;
  return out;
}

template <int R>
Turns<R> NarrowSearch<R>::released(const States& s) {
  Turns<R> out{};
  for (unsigned left = s.live; left; left &= left - 1) out = out | s.at[__builtin_ctz(left)];
  return out;
}

// As advance(DasStates), but only what is live.
template <int R>
void NarrowSearch<R>::advance(const States& s, const Turns<R>& neutral, const RowMasks& m, States& out) {
  const Lanes wall = broadcast(1);
  const Turns<R>* to_left_again = s.live >> 17 & 1 ? &s.at[17] : nullptr;
  out.live = 0;
  out.set(0, turn(neutral, m));
  Turns<R> may_right{}, pressed{};
  for (unsigned rest = s.live & ~2u; rest; rest &= rest - 1) may_right = may_right | s.at[__builtin_ctz(rest)];
  for (unsigned rest = s.live & 3u; rest; rest &= rest - 1) pressed = pressed | s.at[__builtin_ctz(rest)];
  out.set(1, turn(move_right(may_right, m), m));
  const auto hold_left = [&](int velocity, const Turns<R>& t) {
    Turns<R> after = turn_with_left(t, m);
    const int direction = 2 + velocity;
    if (out.live >> direction & 1) after = after | out.at[direction];
    out.set(direction, after);
  };
  if (any_set(pressed)) hold_left(0, move_left(pressed, m) | only(pressed, wall, wall));
  for (unsigned rest = s.live >> 2 & 0x7FFF; rest; rest &= rest - 1) {
    const int velocity = __builtin_ctz(rest);
    hold_left(velocity + 1, s.at[2 + velocity]);
  }
  if (to_left_again) {
    hold_left(kDasReload, move_left(*to_left_again, m) | only(*to_left_again, wall, wall));
    pressed = pressed | *to_left_again;
  }
  const Turns<R> stuck = only(pressed, m.stuck_h, m.stuck_v);
  if (any_set(stuck)) hold_left(kDasBlocked, stuck);
}

template <int R>
void NarrowSearch<R>::enter(const Arriving* from, const RowMasks& m, States& to) {
  if (from) {
    advance(from->fallen, from->soft | released(from->fallen), m, to);
    return;
  }
  Turns<R> spawn{};
  spawn.free.h[0][0] = 1u << kSpawnPose.x;
  to.live = 0;
  to.set(0, spawn);
}

template <int R>
template <class Visit>
void NarrowSearch<R>::for_each_block(int row, Visit visit) {
  if (row == 0) {
    visit(nullptr, corridor.situation.soft_parity, 0);
    return;
  }
  const Exits& from = rows[row - 1];
  for (int parity = 0; parity < 2; ++parity) {
    for (int index = from.soft.begin; corridor.situation.frame_of(parity, index) < corridor.rows[row - 1].end;
         index += kLanes) {
      Arriving& a = arriving_;
      const bool soft = parity == 0 && index < from.soft.end;
      a.soft = soft ? from.soft.load(index) : Turns<R>{};
      a.fallen.live = 0;
      for (int direction = 0; direction < States::kDirections; ++direction) {
        const Timeline<Turns<R>>& line = from.fallen[parity][direction];
        if (index >= line.end) continue;
        const Turns<R> t = line.load(index);
        if (any_set(t)) a.fallen.set(direction, t);
      }
      if ((a.fallen.live || any_set(a.soft)) && !visit(&a, parity, index)) return;
    }
  }
}

template <int R>
void NarrowSearch<R>::leave(const States& s, const typename Corridor<R>::Row& open, int parity, int index,
                            Exits& exits) {
  const Free<R> inside = open.fallen[parity].load(index);
  for (unsigned rest = s.live; rest; rest &= rest - 1) {
    const int direction = __builtin_ctz(rest);
    const Turns<R> t = at_poses(s.at[direction], inside);
    if (any_set(t)) exits.fallen[parity][direction].add(t, index);
  }
}

template <int R>
void NarrowSearch<R>::run_block(int row, const RowMasks& m, const Arriving* from, int parity, int index) {
  const auto& open = corridor.rows[row];
  const int offset = corridor.situation.soft_parity ^ parity;
  enter(from, m, states_[0]);
  // Every capsule has a state in the neutral set.
  const int first = corridor.situation.frame_of(parity, index + first_lane(union_of(states_[0].at[0])));
  const int last = std::min(corridor.situation.threshold, open.end - 2 - first);
  for (int t = 0; t <= last; ++t) {
    const States& s = states_[t & 1];
    const int exit_index = index + (offset + t + 1) / 2;
    if (t == corridor.situation.threshold) return leave(s, open, parity ^ ((t + 1) & 1), exit_index, rows[row]);
    if ((parity + t) & 1) {
      const Turns<R> soft = at_poses(released(s), open.soft.load(exit_index));
      if (any_set(soft)) rows[row].soft.add(soft, exit_index);
    }
    if (t < last) age(s, m, states_[(t + 1) & 1]);
  }
}

template <int R>
int NarrowSearch<R>::run() {
  for (int row = 0; row <= corridor.target.row; ++row) {
    const RowMasks m(corridor.situation.fit, row);
    const int first = corridor.first_entry(row + 1) / 2;
    rows[row].soft.clear(first);
    for (auto& lines : rows[row].fallen) {
      for (auto& line : lines) line.clear(first);
    }
    bool alive = false;
    for_each_block(row, [&](const Arriving* from, int parity, int index) {
      run_block(row, m, from, parity, index);
      return alive = true;
    });
    if (!alive) return kNever;
  }
  return first_lock();
}

// What leaves the target's row is there already.
template <int R>
int NarrowSearch<R>::first_lock() const {
  int first = kNever;
  const auto look = [&](const Timeline<Turns<R>>& line, int parity) {
    for (int index = line.begin; index < line.end; ++index) {
      for (const auto& set : line.at) {
        if (set[index]) {
          first = std::min(first, corridor.situation.frame_of(parity, index));
          return;
        }
      }
    }
  };
  const Exits& locks = rows[corridor.target.row];
  look(locks.soft, 0);
  for (int parity = 0; parity < 2; ++parity) {
    for (const auto& line : locks.fallen[parity]) look(line, parity);
  }
  return first;
}

}  // namespace drm
