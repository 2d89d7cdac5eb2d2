// One frame back along the sets of a search: from a state to one that led to it, and the buttons between them.
#pragma once

#include "pose_sets.h"

namespace drm {

// One state of one capsule inside its row: an element of one of the sets of Turns.
struct Node {
  enum Turned : u8 { kFree, kOne, kBoth, kTurns };

  int direction;  // held, as the model numbers it; 0 = none, 1 = Right, the others Left
  u8 turned;
  bool vertical;
  u8 i;  // which h (Free, One, Both) or v (One)
  int x;
};

template <int R>
Lanes set_of(const Turns<R>& t, const Node& n) {
  if (n.turned == Node::kOne) return n.vertical ? t.one.v[n.i] : t.one.h[n.i];
  const Free<R>& free = n.turned == Node::kFree ? t.free : t.both;
  return n.vertical ? free.v : free.h[n.i];
}

inline bool has(Lanes set, int lane, int x) { return x >= 0 && x < kCols && (set[lane] >> x & 1); }

// Where a horizontal and a vertical capsule fit in one row.
struct RowFit {
  unsigned h, v;
  bool operator()(bool vertical, int x) const { return x >= 0 && x < kCols && ((vertical ? v : h) >> x & 1); }
};

// Model says how the search numbers the directions held: kDirections of them, of which 0 = none, 1 = Right, the others
// Left; and with hold_left() what holding Left does.
template <class Model>
class StepBack {
 protected:
  static constexpr int R = Model::R;

  bool leads(const Node& from, const Node& to, u8& held) const;
  template <class In>
  bool step_back(In in, int directions, u8& held);

  Node node_{};    // where the walk is
  RowFit fits_{};  // in its row

 private:
  bool turn(bool& vertical, int& x, bool left_held) const;
};

// One turn, in place or kicked; returns whether it happened.
template <class Model>
bool StepBack<Model>::turn(bool& vertical, int& x, bool left_held) const {
  if (!vertical) {
    if (!fits_(true, x)) return false;
  } else if (fits_(false, x)) {
    if (left_held && fits_(false, x - 1)) --x;
  } else if (fits_(false, x - 1)) {
    --x;
  } else {
    return false;
  }
  vertical = !vertical;
  return true;
}

// Whether one frame, its vertical part done, leads from `from` to `to`; if so, the buttons held in it.
template <class Model>
bool StepBack<Model>::leads(const Node& from, const Node& to, u8& held) const {
  const bool left = to.direction >= 2;
  int x = from.x;
  held = left ? kLeft : to.direction == 1 ? kRight : 0;
  if (to.direction == 1 && (from.direction == 1 || !fits_(from.vertical, ++x))) return false;
  if (left && !Model::hold_left(fits_, from, to.direction, x)) return false;
  bool vertical = from.vertical;
  if (to.turned == Node::kOne) {
    if (from.turned == Node::kBoth || !turn(vertical, x, left)) return false;
    // h[i] <-> v[i] by one button, v[i] <-> h[1 - i] by the other, which One forbids to press again.
    if (from.turned == Node::kOne && from.i != to.i) return false;
    if (!from.vertical && from.i != to.i) return false;
    // h[0] is rotation 0, v rotation 1, h[1] rotation 2; B adds one.
    held |= (to.i == 0) == to.vertical ? kB : kA;
  } else if (to.turned == Node::kBoth) {
    if (from.turned != Node::kFree || !turn(vertical, x, left) || !turn(vertical, x, left)) return false;
    held |= kA | kB;
  }
  if (to.turned != Node::kOne && !vertical && from.i != to.i) return false;
  return vertical == to.vertical && x == to.x;
}

// Finds a node among those `in` has that leads to this one, and goes there. Tries the first `directions`, none first.
template <class Model>
template <class In>
bool StepBack<Model>::step_back(In in, int directions, u8& held) {
  const Node to = node_;
  const int first_x = to.x - (to.direction == 1);
  const int last_x = to.x + (to.turned != Node::kFree) + (to.direction >= 2);
  const int last_turned = to.turned == Node::kFree ? Node::kBoth : to.turned == Node::kOne ? Node::kOne : Node::kFree;
  Node from = to;
  from.vertical = to.vertical != (to.turned == Node::kOne);
  for (from.direction = 0; from.direction < directions; ++from.direction) {
    for (from.turned = 0; from.turned <= last_turned; ++from.turned) {
      for (from.i = 0; from.i < R; ++from.i) {
        for (from.x = first_x; from.x <= last_x; ++from.x) {
          if (!in(from) || !leads(from, to, held)) continue;
          node_ = from;
          return true;
        }
      }
    }
  }
  return false;
}

}  // namespace drm
