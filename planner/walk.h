// From a lock back to the spawn along the sets of a search: one state per frame, and the buttons between them.
#pragma once

#include "corridor.h"
#include "narrow_search.h"

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

// Search 1 as Walk sees it. Directions: none, Right, Left, Left to be tried again (only h of One).
template <int N>
struct DropModel {
  static constexpr int R = N;
  static constexpr int kDirections = 4;
  using Sets = States<R>;
  using Arriving = Arrivals<Sets>;

  Search<Sets>& search;

  const FitMasks& fit() const { return search.fit; }
  int threshold() const { return search.threshold; }
  int soft_parity() const { return search.soft_parity; }
  const Timeline<Turns<R>>& soft(int row) const { return search.rows[row].soft; }
  bool falls_to(int, int, int, const Node&) const { return false; }

  static bool contains(const Sets& s, const Node& n, int lane) {
    if (n.direction == 3) return n.turned == Node::kOne && !n.vertical && has(s.retry[n.i], lane, n.x);
    const Turns<R>& t = n.direction == 0 ? s.neutral : n.direction == 1 ? s.right : s.left;
    return has(set_of(t, n), lane, n.x);
  }
  static bool contains(const Arriving& a, const Node& n, bool by_gravity, int lane) {
    return !by_gravity && n.direction == 0 && has(set_of(a.soft, n), lane, n.x);
  }

  // Whether Left held in a frame leads to direction `to`; moves `x`.
  static bool hold_left(const RowFit& fits, const Node& from, int to, int& x) {
    const bool free = fits(from.vertical, x - 1);
    if (to == 3) return from.direction <= 1 && !free;
    if (from.direction == 2) return true;
    x -= free;
    return free;
  }

  template <class Visit>
  void for_each_block(int row, const RowMasks& m, Visit visit) const {
    if (row == 0) {
      visit(nullptr, search.soft_parity, 0);
    } else {
      search.template for_each_block<false>(row, m,
                                            [&](const Arriving& a, int parity, int i) { return visit(&a, parity, i); });
    }
  }
  void enter(const Arriving* from, const RowMasks& m, Sets& to) const {
    to = Sets{};
    if (from) {
      to.neutral = turn(from->soft, m);
    } else {
      to.neutral.free.h[0][0] = 1u << kSpawnPose.x;
    }
  }
  void age(const Sets& from, const RowMasks& m, Sets& to) const { to = advance<false>(from, released<false>(from), m); }
};

// Search 3 as Walk sees it. Directions: none, Right, Left with hor_velocity 0-15.
template <int N>
struct NarrowModel {
  static constexpr int R = N;
  using Sets = LiveStates<R>;
  static constexpr int kDirections = Sets::kDirections;
  using Arriving = typename NarrowSearch<R>::Arriving;

  NarrowSearch<R>& search;

  const FitMasks& fit() const { return search.corridor.fit; }
  int threshold() const { return search.corridor.threshold; }
  int soft_parity() const { return search.corridor.soft_parity; }
  const Timeline<Turns<R>>& soft(int row) const { return search.rows[row].soft; }
  bool falls_to(int row, int parity, int index, const Node& n) const {
    const Timeline<Turns<R>>& line = search.rows[row].fallen[parity][n.direction];
    return index >= line.begin && index < line.end && has(set_of(line.load(index), n), 0, n.x);
  }

  static bool contains(const Sets& s, const Node& n, int lane) {
    return (s.live >> n.direction & 1) && has(set_of(s.at[n.direction], n), lane, n.x);
  }
  static bool contains(const Arriving& a, const Node& n, bool by_gravity, int lane) {
    if (by_gravity) return contains(a.fallen, n, lane);
    return n.direction == 0 && has(set_of(a.soft, n), lane, n.x);
  }

  static bool hold_left(const RowFit& fits, const Node& from, int to, int& x) {
    const int velocity = from.direction <= 1 ? -1 : from.direction - 2;  // before the frame; -1 = Left is pressed in it
    if (velocity >= 0 && velocity < kDasFirst - 1) return to == from.direction + 1;
    int after = velocity < 0 ? 0 : kDasReload;
    if (x > 0) {
      if (fits(from.vertical, x - 1)) {
        --x;
      } else {
        after = kDasBlocked;
      }
    }
    return to == 2 + after;
  }

  template <class Visit>
  void for_each_block(int row, const RowMasks&, Visit visit) const {
    search.for_each_block(row, visit);
  }
  void enter(const Arriving* from, const RowMasks& m, Sets& to) const { search.enter(from, m, to); }
  void age(const Sets& from, const RowMasks& m, Sets& to) const { search.age(from, m, to); }
};

template <class Model>
class Walk {
 public:
  // `ages` is room for as many frames as a capsule can stay in a row.
  Walk(Model model, typename Model::Sets* ages) : model_(model), ages_(ages) {}

  // Writes the buttons of the frames 1 to `frame`, in which the capsule locks at the target.
  bool run(const Target& target, int frame, u8* buttons);

 private:
  static constexpr int R = Model::R;
  using Sets = typename Model::Sets;
  using Arriving = typename Model::Arriving;

  bool find_exit(const Target& target, int frame);
  bool walk_row(int row, int& frame, u8* buttons);
  bool at_exit(const Sets& s, int lane);
  bool walk_lane(const Arriving* from, int lane, int age, int& frame, u8* buttons);
  bool turn(bool& vertical, int& x, bool left_held) const;
  bool leads(const Node& from, const Node& to, u8& held) const;
  template <class In>
  bool step_back(In in, u8& held);

  Model model_;
  Node node_{};              // where the walk is
  bool by_gravity_ = false;  // how it left its row
  RowFit fits_{};
  Sets* ages_;
};

// One turn, in place or kicked; returns whether it happened.
template <class Model>
bool Walk<Model>::turn(bool& vertical, int& x, bool left_held) const {
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
bool Walk<Model>::leads(const Node& from, const Node& to, u8& held) const {
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

// Finds a node among those `in` has that leads to this one, no direction first, and goes there.
template <class Model>
template <class In>
bool Walk<Model>::step_back(In in, u8& held) {
  const Node to = node_;
  const int first_x = to.x - (to.direction == 1);
  const int last_x = to.x + (to.turned != Node::kFree) + (to.direction >= 2);
  const int last_turned = to.turned == Node::kFree ? Node::kBoth : to.turned == Node::kOne ? Node::kOne : Node::kFree;
  Node from = to;
  from.vertical = to.vertical != (to.turned == Node::kOne);
  for (from.direction = 0; from.direction < Model::kDirections; ++from.direction) {
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

// The state that locks at the target in `frame`.
template <class Model>
bool Walk<Model>::find_exit(const Target& target, int frame) {
  const int parity = (frame & 1) ^ model_.soft_parity();
  const int index = frame / 2;
  const Timeline<Turns<R>>& soft = model_.soft(target.row);
  const bool has_soft = parity == 0 && index >= soft.begin && index < soft.end;
  Node& n = node_;
  n.vertical = target.i == R;
  n.x = target.x;
  for (n.turned = 0; n.turned < Node::kTurns; ++n.turned) {
    for (n.i = 0; n.i < R; ++n.i) {
      if (!n.vertical && n.i != target.i) continue;
      n.direction = 0;
      by_gravity_ = false;
      if (has_soft && has(set_of(soft.load(index), n), 0, n.x)) return true;
      by_gravity_ = true;
      for (; n.direction < Model::kDirections; ++n.direction) {
        if (model_.falls_to(target.row, parity, index, n)) return true;
      }
    }
  }
  return false;
}

// Whether a capsule of this lane is what left the row. A soft drop does not care for the direction held before.
template <class Model>
bool Walk<Model>::at_exit(const Sets& s, int lane) {
  if (by_gravity_) return Model::contains(s, node_, lane);
  for (Node n = node_; n.direction < Model::kDirections; ++n.direction) {
    if (!Model::contains(s, n, lane)) continue;
    node_ = n;
    return true;
  }
  return false;
}

// From `frame`, in which the capsule left `row`, back to the frame in which it entered.
template <class Model>
bool Walk<Model>::walk_row(int row, int& frame, u8* buttons) {
  const RowMasks m(model_.fit(), row);
  fits_ = {model_.fit().horizontal[row], model_.fit().vertical[row]};
  const int last = model_.threshold();
  bool found = false;
  model_.for_each_block(row, m, [&](const Arriving* from, int parity, int index) {
    const int first_frame = 2 * index + (model_.soft_parity() ^ parity);  // of lane 0
    const int age_0 = frame - 1 - first_frame;                            // when it is to leave
    int done = -1;
    for (int age = by_gravity_ ? last : std::max(0, age_0 - 2 * (kLanes - 1)); age <= std::min(age_0, last); ++age) {
      if ((age_0 - age) & 1 || age_0 - age > 2 * (kLanes - 1)) continue;
      if (done < 0) model_.enter(from, m, ages_[done = 0]);
      for (; done < age; ++done) model_.age(ages_[done], m, ages_[done + 1]);
      const int lane = (age_0 - age) / 2;
      if (!at_exit(ages_[age], lane)) continue;
      found = walk_lane(from, lane, age, frame, buttons);
      break;
    }
    return !found && from;
  });
  return found;
}

template <class Model>
bool Walk<Model>::walk_lane(const Arriving* from, int lane, int age, int& frame, u8* buttons) {
  // Down only where gravity does not do it: a capsule that locks at once with T = 0 holds nothing (lock_capsule).
  buttons[--frame] |= by_gravity_ || age == model_.threshold() ? 0 : kDown;
  for (; age > 0; --age) {
    u8 held = 0;
    if (!step_back([&](const Node& n) { return Model::contains(ages_[age - 1], n, lane); }, held)) return false;
    buttons[--frame] = held;
  }
  if (!from) return true;
  u8& held = buttons[frame - 1];
  const auto arrived = [&](const Node& n) { return Model::contains(*from, n, by_gravity_, lane); };
  by_gravity_ = false;
  if (node_.direction == 0 && step_back(arrived, held)) return true;
  by_gravity_ = true;
  return step_back(arrived, held);
}

template <class Model>
bool Walk<Model>::run(const Target& target, int frame, u8* buttons) {
  std::fill_n(buttons, frame, u8{0});
  if (!find_exit(target, frame)) return false;
  for (int row = target.row; row >= 0; --row) {
    if (!walk_row(row, frame, buttons)) return false;
  }
  return frame == 0;
}

}  // namespace drm
