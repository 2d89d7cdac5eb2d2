// The falling capsule taken literally: one frame as docs/rules.md section 8 has it, and a breadth-first search over
// complete states made of such frames. Slow (milliseconds) and obvious: the reference of the tests.
#pragma once

#include <algorithm>
#include <bitset>
#include <vector>

#include "placement.h"
#include "reach.h"
#include "tables.h"

namespace drm {

// A falling capsule between two frames, as much of it as docs/rules.md section 8 looks at.
struct Falling {
  Pose pose = kSpawnPose;
  u8 speed_counter = 0;
  u8 hor_velocity = 0;
  u8 held = 0;  // buttons of the previous frame
};

inline bool pose_fits(const u8* bottle, Pose pose) {
  if (pose.y > 15) return false;  // below the floor: y wrapped
  const int cell = (kRows - 1 - pose.y) * kCols + pose.x;
  if (is_vertical(pose.rotation)) {
    return pose.x <= 7 && bottle[cell] == kEmpty && (pose.y == 15 || bottle[cell - kCols] == kEmpty);
  }
  return pose.x <= 6 && bottle[cell] == kEmpty && bottle[cell + 1] == kEmpty;
}

namespace literal {

inline void move_sideways(const u8* bottle, u8 held, u8 pressed, Falling& c) {
  if (pressed & (kLeft | kRight)) {
    c.hor_velocity = 0;
  } else {
    if (!(held & (kLeft | kRight))) return;
    if (++c.hor_velocity < kDasFirst) return;
    c.hor_velocity = kDasReload;
  }
  if ((held & kRight) && c.pose.x != (is_vertical(c.pose.rotation) ? 7 : 6)) {
    ++c.pose.x;
    if (!pose_fits(bottle, c.pose)) {
      --c.pose.x;
      c.hor_velocity = kDasBlocked;
    }
  }
  if ((held & kLeft) && c.pose.x != 0) {
    --c.pose.x;
    if (!pose_fits(bottle, c.pose)) {
      ++c.pose.x;
      c.hor_velocity = kDasBlocked;
    }
  }
}

inline void settle_turn(const u8* bottle, u8 held, u8 x0, u8 rotation0, Pose& pose) {
  if (is_vertical(pose.rotation)) {
    if (pose_fits(bottle, pose)) return;
  } else {
    if (pose_fits(bottle, pose)) {
      if (held & kLeft) {
        --pose.x;  // from column 0 it wraps to 255, which never fits
        if (!pose_fits(bottle, pose)) ++pose.x;
      }
      return;
    }
    --pose.x;
    if (pose_fits(bottle, pose)) return;
  }
  pose.x = x0;
  pose.rotation = rotation0;
}

inline void turn(const u8* bottle, u8 held, u8 pressed, Pose& pose) {
  const u8 x0 = pose.x;
  const u8 rotation0 = pose.rotation;
  if (pressed & kA) {
    pose.rotation = (pose.rotation - 1) & 3;
    settle_turn(bottle, held, x0, rotation0, pose);
  }
  if (pressed & kB) {
    pose.rotation = (pose.rotation + 1) & 3;
    settle_turn(bottle, held, x0, rotation0, pose);
  }
}

}  // namespace literal

// One FALL frame under `held`. Returns true when the capsule locks, at the pose it had before the frame; `c` is then of
// no further use. `frame_counter` is this frame's value, `threshold` is gravity_threshold(speed, speed_ups).
inline bool fall_one_frame(const u8* bottle, u8 frame_counter, u8 threshold, u8 held, Falling& c) {
  const u8 pressed = held & static_cast<u8>(~c.held);
  c.held = held;
  bool down = true;
  if (!((frame_counter & 1) && (held & kDpad) == kDown)) down = ++c.speed_counter > threshold;
  if (down) {
    c.speed_counter = 0;
    --c.pose.y;
    if (!pose_fits(bottle, c.pose)) return true;
  }
  literal::move_sideways(bottle, held, pressed, c);
  literal::turn(bottle, held, pressed, c.pose);
  return false;
}

// The search. After the constructor, frames(action) answers.
class LiteralSearch {
 public:
  explicit LiteralSearch(const ReachQuery& query)
      : query_(query), threshold_(gravity_threshold(query.speed, query.speed_ups)) {
    std::fill_n(frames_, kActions, kUnreachable);
    if (pose_fits(query.bottle, kSpawnPose)) run();
  }

  u16 frames(int action) const { return frames_[action]; }

 private:
  static constexpr std::size_t kPoses = 4 * kCells;

  static std::size_t pose_index(Pose pose) {
    return static_cast<std::size_t>(pose.rotation * kCells + pose.y * kCols + pose.x);
  }

  // Everything section 8 reads. hor_velocity is only read while a direction stays held; a new press sets it.
  // 33 = nothing held, or Left or Right with a velocity 0-15.
  static std::size_t state_index(const Falling& c, bool odd_frame) {
    const int horizontal = c.held & kLeft ? 1 + c.hor_velocity : c.held & kRight ? 17 + c.hor_velocity : 0;
    const int counters = (c.speed_counter * 33 + horizontal) * 4 + (c.held >> 6);
    return (static_cast<std::size_t>(counters) * kPoses + pose_index(c.pose)) * 2 + odd_frame;
  }

  // Poses in which a capsule can lock and to which some sequence of moves leads, were timing no matter. Every real
  // frame is made of the moves tried here, so when all of these have locked there is nothing left to find.
  std::bitset<kPoses> candidates() const {
    std::bitset<kPoses> seen, resting;
    std::vector<Pose> stack;
    const auto visit = [&](int x, int y, int rotation) {
      const Pose pose{static_cast<u8>(x), static_cast<u8>(y), static_cast<u8>(rotation & 3)};
      if (!pose_fits(query_.bottle, pose)) return false;
      if (!seen[pose_index(pose)]) stack.push_back(pose);
      seen.set(pose_index(pose));
      return true;
    };
    visit(kSpawnPose.x, kSpawnPose.y, kSpawnPose.rotation);
    while (!stack.empty()) {
      const Pose p = stack.back();
      stack.pop_back();
      if (!visit(p.x, p.y - 1, p.rotation)) resting.set(pose_index(p));
      for (const int turned : {-1, 0, 1}) {
        for (const int dx : {-2, -1, 0, 1}) visit(p.x + dx, p.y, p.rotation + turned);
      }
    }
    return resting;
  }

  void run() {
    std::bitset<kPoses> waiting = candidates();
    std::vector<bool> seen(static_cast<std::size_t>(threshold_ + 1) * 33 * 4 * kPoses * 2);
    std::vector<Falling> now{Falling{}}, next;
    for (u16 frame = 1; !now.empty() && waiting.any(); ++frame, now.swap(next), next.clear()) {
      const auto frame_counter = static_cast<u8>(query_.frame_counter + frame);
      const bool odd = frame_counter & 1;
      for (const Falling& from : now) {
        for (const int direction : {0, +kLeft, +kRight, +kDown}) {
          if (direction == kDown && !odd) continue;  // as if not held; so is Down together with Left or Right
          for (const int turned : {0, +kA, +kB, kA | kB}) {
            const auto held = static_cast<u8>(direction | turned);
            Falling c = from;
            const Pose pose = c.pose;
            if (fall_one_frame(query_.bottle, frame_counter, threshold_, held, c)) {
              waiting.reset(pose_index(pose));
              lock(pose, frame);
              continue;
            }
            auto bit = seen[state_index(c, odd)];
            if (bit) continue;
            bit = true;
            next.push_back(c);
          }
        }
      }
    }
  }

  void lock(Pose pose, u16 frame) {
    const bool equal = query_.colors[0] == query_.colors[1];
    if (equal && pose.rotation == 3 && pose.y == 15) pose.rotation = 1;
    const int action = equal && action_of(pose) != kNoAction ? canonical(action_of(pose)) : action_of(pose);
    if (action != kNoAction) frames_[action] = std::min(frames_[action], frame);
  }

  ReachQuery query_;
  u8 threshold_;
  u16 frames_[kActions];
};

}  // namespace drm
