#include "script.h"

#include "literal.h"
#include "placement.h"
#include "reach_search.h"

namespace drm {
namespace {

// One state of one capsule inside its row: an element of one of the sets of States.
struct Node {
  enum Direction : u8 { kNeutral, kToRight, kToLeft, kHeldLeft, kRetry, kRepeat, kDirections };  // as in States
  enum Turned : u8 { kFree, kOne, kBoth, kTurns };

  Direction direction;
  Turned turned;
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

bool has(Lanes set, int lane, int x) { return x >= 0 && x < kCols && (set[lane] >> x & 1); }

template <int R>
bool contains(const Turns<R>& t, const Node& n, int lane) {
  return has(set_of(t, n), lane, n.x);
}

template <int R>
bool contains(const States<R>& s, const Node& n, int lane) {
  switch (n.direction) {
    case Node::kNeutral:
      return contains(s.neutral, n, lane);
    case Node::kToRight:
      return contains(s.right, n, lane);
    case Node::kToLeft:
      return contains(s.left, n, lane);
    case Node::kHeldLeft:
      return contains(s.held_left, n, lane);
    case Node::kRepeat:
      return contains(s.repeat, n, lane);
    default:
      return n.turned == Node::kOne && !n.vertical && has(s.retry[n.i], lane, n.x);
  }
}

// Walks a solved search back from a lock to the spawn.
template <int R>
class Walk {
 public:
  Walk(Search<States<R>>& search, u8* buttons) : search_(search), buttons_(buttons) {}

  // The capsule locks in `frame` at `pose`, its rotation being the one stored for it (v is rotation 1).
  bool run(int row, bool vertical, u8 i, int x, int frame) {
    Node node{Node::kNeutral, Node::kFree, vertical, i, x};
    if (!find_exit(row, node, frame)) return false;
    for (;; --row) {
      if (!(search_.gravity ? walk_row<true>(row, node, frame) : walk_row<false>(row, node, frame))) return false;
      if (frame == 0) break;
    }
    return true;
  }

 private:
  bool fits(bool vertical, int x) const {
    return x >= 0 && x < kCols && ((vertical ? search_.fit.vertical[row_] : search_.fit.horizontal[row_]) >> x & 1);
  }

  // One turn, in place or kicked; returns whether it happened.
  bool turn(bool& vertical, int& x, bool left_held) const {
    if (!vertical) {
      if (!fits(true, x)) return false;
    } else if (fits(false, x)) {
      if (left_held && fits(false, x - 1)) --x;
    } else if (fits(false, x - 1)) {
      --x;
    } else {
      return false;
    }
    vertical = !vertical;
    return true;
  }

  // Whether one frame, its vertical part done, leads from `from` to `to`; if so, the buttons held in it.
  bool leads(const Node& from, const Node& to, u8& held) const {
    const bool left = to.direction >= Node::kToLeft;
    int x = from.x;
    held = 0;
    if (to.direction == Node::kToRight) {
      if (from.direction == Node::kToRight || !fits(from.vertical, ++x)) return false;
      held = kRight;
    } else if (left) {
      if (!may_follow(from.direction, to.direction)) return false;
      held = kLeft;
      const bool tries = from.direction != Node::kToLeft && from.direction != Node::kHeldLeft;
      const bool moves = tries && fits(from.vertical, x - 1);
      if (tries && moves == (to.direction == Node::kRetry)) return false;
      x -= moves;
    }
    const int x_before_turn = x;
    bool vertical = from.vertical;
    if (to.turned == Node::kOne) {
      if (from.turned == Node::kBoth || !turn(vertical, x, left)) return false;
      // h[i] <-> v[i] by one button, v[i] <-> h[1 - i] by the other, which One forbids to press again.
      if (from.turned == Node::kOne && from.i != to.i) return false;
      if (!from.vertical && from.i != to.i) return false;
      held |= turn_button(from, to);
    } else if (to.turned == Node::kBoth) {
      if (from.turned != Node::kFree || !turn(vertical, x, left) || !turn(vertical, x, left)) return false;
      if (!vertical && from.i != to.i) return false;
      held |= kA | kB;
    } else if (!vertical && from.i != to.i) {
      return false;
    }
    return vertical == to.vertical && x == to.x && (to.direction != Node::kRepeat || x < x_before_turn);
  }

  // Whether Left can be held in two frames that leave these states.
  static bool may_follow(Node::Direction before, Node::Direction after) {
    const bool pressed = before == Node::kNeutral || before == Node::kToRight;
    switch (after) {
      case Node::kToLeft:
        return pressed || before == Node::kToLeft || before == Node::kRetry;
      case Node::kHeldLeft:
        return before == Node::kHeldLeft || before == Node::kRepeat;
      case Node::kRetry:
        return pressed;
      default:
        return before == Node::kToLeft || before == Node::kHeldLeft;
    }
  }

  // h[0] is rotation 0, v rotation 1, h[1] rotation 2; B adds one.
  static u8 turn_button(const Node& from, const Node& to) {
    if (to.vertical) return from.i == 0 ? kB : kA;
    return to.i == 0 ? kA : kB;
  }

  // Calls try_from(node) for every node that may precede `to`, the harmless ones first, until it returns true.
  template <class Try>
  static bool for_each_before(const Node& to, Try try_from) {
    for (int direction = 0; direction < Node::kDirections; ++direction) {
      for (int turned = 0; turned < Node::kTurns; ++turned) {
        for (u8 i = 0; i < R; ++i) {
          for (int x = to.x - 1; x <= to.x + 2; ++x) {
            Node from{static_cast<Node::Direction>(direction), static_cast<Node::Turned>(turned),
                      to.vertical != (to.turned == Node::kOne), i, x};
            if (try_from(from)) return true;
          }
        }
      }
    }
    return false;
  }

  // The state that locks at node's pose in `frame`.
  bool find_exit(int row, Node& node, int frame) {
    const int parity = (frame & 1) ^ search_.soft_parity;
    const int index = frame / 2;
    const RowExits<States<R>>& exits = search_.rows[row];
    const Node pose = node;
    if (parity == 0 && index < exits.soft.end) {
      const Turns<R> soft = exits.soft.load(index);
      by_gravity_ = false;
      const auto take = [&](const Node& n) {
        return n.direction == Node::kNeutral && contains(soft, n, 0) && (node = n, true);
      };
      if (for_each_state(pose, take)) return true;
    }
    if (index >= exits.fallen[parity].end) return false;
    const States<R> fallen = exits.fallen[parity].load(index);
    by_gravity_ = true;
    return for_each_state(pose, [&](const Node& n) { return contains(fallen, n, 0) && (node = n, true); });
  }

  template <class Try>
  static bool for_each_state(const Node& pose, Try try_state) {
    for (int direction = 0; direction < Node::kDirections; ++direction) {
      for (int turned = 0; turned < Node::kTurns; ++turned) {
        for (u8 i = 0; i < R; ++i) {
          if (!pose.vertical && i != pose.i) continue;
          if (try_state(Node{static_cast<Node::Direction>(direction), static_cast<Node::Turned>(turned), pose.vertical,
                             i, pose.x})) {
            return true;
          }
        }
      }
    }
    return false;
  }

  // Whether the wanted exit state is what a capsule of this lane is after `age` frames. A soft drop does not care for
  // the direction held before.
  bool matches(const States<R>& s, Node& node, int lane) const {
    if (by_gravity_) {
      Node pressed_here = node;
      pressed_here.direction = Node::kToLeft;
      if (node.direction == Node::kHeldLeft && contains(s, pressed_here, lane)) {
        node = pressed_here;
        return true;
      }
      return contains(s, node, lane);
    }
    for (int direction = 0; direction < Node::kDirections; ++direction) {
      Node n = node;
      n.direction = static_cast<Node::Direction>(direction);
      if (contains(s, n, lane)) {
        node = n;
        return true;
      }
    }
    return false;
  }

  // From the frame in which the capsule left `row` as `node` back to the frame in which it entered.
  template <bool kGravity>
  bool walk_row(int row, Node& node, int& frame) {
    row_ = row;
    const RowMasks m(search_.fit, row);
    if (row == 0) {
      const int last = search_.template run_block<kGravity>(row, m, nullptr, search_.soft_parity, 0, record_);
      return frame - 1 <= last && matches(record_[frame - 1], node, 0) && walk_lane(nullptr, node, 0, frame - 1, frame);
    }
    bool found = false;
    search_.template for_each_block<kGravity>(row, m, [&](const Arrivals<States<R>>& a, int parity, int index) {
      const int last = search_.template run_block<kGravity>(row, m, &a, parity, index, record_);
      for (int lane = 0; lane < kLanes && !found; ++lane) {
        const int age = frame - 1 - search_.frame_of(parity, index + lane);
        if (age < 0 || age > last || (kGravity && by_gravity_ != (age == search_.threshold))) continue;
        found = matches(record_[age], node, lane) && walk_lane(&a, node, lane, age, frame);
      }
      return !found;
    });
    return found;
  }

  bool walk_lane(const Arrivals<States<R>>* arrivals, Node& node, int lane, int age, int& frame) {
    buttons_[--frame] |= by_gravity_ ? 0 : kDown;
    u8 held = 0;
    for (; age > 0; --age) {
      const Node to = node;
      const States<R>& before = record_[age - 1];
      if (!for_each_before(to, [&](const Node& from) {
            return contains(before, from, lane) && leads(from, to, held) && (node = from, true);
          })) {
        return false;
      }
      buttons_[--frame] = held;
    }
    if (!arrivals) return true;
    const Node to = node;
    by_gravity_ = false;
    if (to.direction == Node::kNeutral && for_each_before(to, [&](const Node& from) {
          return from.direction == Node::kNeutral && contains(arrivals->soft, from, lane) && leads(from, to, held) &&
                 (node = from, true);
        })) {
      buttons_[frame - 1] = held;
      return true;
    }
    by_gravity_ = true;
    const bool found = for_each_before(to, [&](const Node& from) {
      return contains(arrivals->fallen, from, lane) && leads(from, to, held) && (node = from, true);
    });
    buttons_[frame - 1] = held;
    return found;
  }

  Search<States<R>>& search_;
  u8* buttons_;
  int row_ = 0;
  bool by_gravity_ = false;
  States<R> record_[40];
};

// With equal colours any turn button does, as long as it is a new press.
void alternate_turns(u8* buttons, int length) {
  u8 last = 0;
  for (int t = 0; t < length; ++t) {
    const u8 turn = buttons[t] & (kA | kB);
    u8 now = turn;
    if (turn == kA || turn == kB) now = last == kA ? kB : kA;
    buttons[t] = static_cast<u8>((buttons[t] & ~(kA | kB)) | now);
    last = now;
  }
}

// Exchanges A and B: rotations 1 and 3 change places.
void mirror_turns(u8* buttons, int length) {
  for (int t = 0; t < length; ++t) {
    const u8 turn = buttons[t] & (kA | kB);
    if (turn == kA || turn == kB) buttons[t] ^= kA | kB;
  }
}

int literal_script(const ReachQuery& query, int action, u8* buttons, int capacity) {
  const LiteralSearch literal(query);
  const u16 frames = literal.frames(action);
  if (frames == kUnreachable || frames > capacity) return 0;
  literal.script(action, buttons);
  return frames;
}

// Whether the buttons make the capsule lock at `pose` in their last frame and not before.
bool replays(const ReachQuery& query, Pose pose, const u8* buttons, int length) {
  const u8 threshold = gravity_threshold(query.speed, query.speed_ups);
  Falling capsule;
  for (int t = 0; t < length; ++t) {
    const Pose before = capsule.pose;
    const auto frame_counter = static_cast<u8>(query.frame_counter + 1 + t);
    if (!fall_one_frame(query.bottle, frame_counter, threshold, buttons[t], capsule)) continue;
    const u8 differs = before.rotation ^ pose.rotation;  // with equal colours rotations 0 and 2, 1 and 3 are the same
    return t == length - 1 && before.x == pose.x && before.y == pose.y &&
           (differs == 0 || (differs == 2 && query.colors[0] == query.colors[1]));
  }
  return false;
}

template <int R>
int script_as(const ReachQuery& query, int action, u8* buttons, int capacity) {
  Search<States<R>>& search = search_of_thread<States<R>>();
  const Pose pose = pose_of(action);
  if (pose.x >= kCols || pose.y >= kRows) return 0;
  const Verdict verdict = search.solve(query);
  if (verdict == Verdict::kBlockedSpawn) return 0;
  if (verdict == Verdict::kUndecided) return literal_script(query, action, buttons, capacity);
  const int row = kRows - 1 - pose.y;
  const bool vertical = is_vertical(pose.rotation);
  const u8 i = pose.rotation == 2 ? 1 : 0;
  const u16 frames = search.lock[row][vertical ? R : i][pose.x];
  if (frames == kUnreachable || frames > capacity) return 0;
  std::memset(buttons, 0, frames);
  Walk<R> walk(search, buttons);
  const bool walked = walk.run(row, vertical, i, pose.x, frames);
  if (R == 1) alternate_turns(buttons, frames);
  if (R == 2 && pose.rotation == 3) mirror_turns(buttons, frames);
  // The sets do not count how long Left is held; a walk along too long a hold shows up here.
  if (!walked || !replays(query, pose, buttons, frames)) return literal_script(query, action, buttons, capacity);
  return frames;
}

}  // namespace

int script(const ReachQuery& query, int action, u8* buttons, int capacity) {
  if (query.colors[0] != query.colors[1]) return script_as<2>(query, action, buttons, capacity);
  return canonical(action) == action ? script_as<1>(query, action, buttons, capacity) : 0;
}

}  // namespace drm
