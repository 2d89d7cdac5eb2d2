#include "reach_reference.h"

#include <algorithm>
#include <bitset>
#include <vector>

#include "placement.h"
#include "tables.h"

namespace drm {

bool fits(const u8* bottle, Pose pose) {
  if (pose.y > 15) return false;  // below the floor: y wrapped
  const int cell = (kRows - 1 - pose.y) * kCols + pose.x;
  if (is_vertical(pose.rotation)) {
    return pose.x <= 7 && bottle[cell] == kEmpty && (pose.y == 15 || bottle[cell - kCols] == kEmpty);
  }
  return pose.x <= 6 && bottle[cell] == kEmpty && bottle[cell + 1] == kEmpty;
}

namespace {

void move_sideways(const u8* bottle, u8 held, u8 pressed, Falling& c) {
  if (pressed & (kLeft | kRight)) {
    c.hor_velocity = 0;
  } else {
    if (!(held & (kLeft | kRight))) return;
    if (++c.hor_velocity < kDasFirst) return;
    c.hor_velocity = kDasReload;
  }
  if ((held & kRight) && c.pose.x != (is_vertical(c.pose.rotation) ? 7 : 6)) {
    ++c.pose.x;
    if (!fits(bottle, c.pose)) {
      --c.pose.x;
      c.hor_velocity = kDasBlocked;
    }
  }
  if ((held & kLeft) && c.pose.x != 0) {
    --c.pose.x;
    if (!fits(bottle, c.pose)) {
      ++c.pose.x;
      c.hor_velocity = kDasBlocked;
    }
  }
}

void settle_rotation(const u8* bottle, u8 held, u8 x0, u8 rotation0, Pose& pose) {
  if (is_vertical(pose.rotation)) {
    if (fits(bottle, pose)) return;
  } else {
    if (fits(bottle, pose)) {
      if (held & kLeft) {
        --pose.x;  // from column 0 it wraps to 255, which never fits
        if (!fits(bottle, pose)) ++pose.x;
      }
      return;
    }
    --pose.x;
    if (fits(bottle, pose)) return;
  }
  pose.x = x0;
  pose.rotation = rotation0;
}

void rotate(const u8* bottle, u8 held, u8 pressed, Pose& pose) {
  const u8 x0 = pose.x;
  const u8 rotation0 = pose.rotation;
  if (pressed & kA) {
    pose.rotation = (pose.rotation - 1) & 3;
    settle_rotation(bottle, held, x0, rotation0, pose);
  }
  if (pressed & kB) {
    pose.rotation = (pose.rotation + 1) & 3;
    settle_rotation(bottle, held, x0, rotation0, pose);
  }
}

constexpr int kPoses = 4 * kCells;

int pose_index(Pose pose) { return pose.rotation * kCells + pose.y * kCols + pose.x; }

// Poses that no sequence of single moves leads to, whatever their timing, need not be waited for. Every real frame is
// made of the moves tried here.
std::bitset<kPoses> flood(const u8* bottle) {
  std::bitset<kPoses> seen;
  std::vector<Pose> stack;
  const auto visit = [&](int x, int y, int rotation) {
    const Pose pose{static_cast<u8>(x), static_cast<u8>(y), static_cast<u8>(rotation & 3)};
    if (!fits(bottle, pose) || seen[static_cast<std::size_t>(pose_index(pose))]) return;
    seen.set(static_cast<std::size_t>(pose_index(pose)));
    stack.push_back(pose);
  };
  visit(kSpawnPose.x, kSpawnPose.y, kSpawnPose.rotation);
  while (!stack.empty()) {
    const Pose p = stack.back();
    stack.pop_back();
    visit(p.x, p.y - 1, p.rotation);
    for (const int turn : {-1, 0, 1}) {
      for (const int dx : {-2, -1, 0, 1}) visit(p.x + dx, p.y, p.rotation + turn);
    }
  }
  return seen;
}

// Every state that differs in something rules.md section 8 reads. hor_velocity is only ever read while a direction
// is held; a new press sets it. 33 = nothing held, or Left or Right with a velocity 0-15.
std::size_t state_index(const Falling& c, bool odd_frame) {
  const int horizontal = c.held & kLeft ? 1 + c.hor_velocity : c.held & kRight ? 17 + c.hor_velocity : 0;
  const int turn = c.held >> 6;  // A and B
  return static_cast<std::size_t>((((c.speed_counter * 33 + horizontal) * 4 + turn) * kPoses + pose_index(c.pose)) * 2 +
                                  odd_frame);
}

}  // namespace

bool fall_one_frame(const u8* bottle, u8 frame_counter, u8 threshold, u8 held, Falling& c) {
  const u8 pressed = held & static_cast<u8>(~c.held);
  c.held = held;
  bool down = true;
  if (!((frame_counter & 1) && (held & kDpad) == kDown)) down = ++c.speed_counter > threshold;
  if (down) {
    c.speed_counter = 0;
    --c.pose.y;
    if (!fits(bottle, c.pose)) return true;
  }
  move_sideways(bottle, held, pressed, c);
  rotate(bottle, held, pressed, c.pose);
  return false;
}

void reach_reference(const ReachQuery& query, u16 frames_to_lock[kActions]) {
  std::fill_n(frames_to_lock, kActions, kUnreachable);
  if (!fits(query.bottle, kSpawnPose)) return;
  const u8 threshold = gravity_threshold(query.speed, query.speed_ups);
  const bool equal = query.colors[0] == query.colors[1];

  std::bitset<kPoses> unlocked = flood(query.bottle);
  for (std::size_t i = 0; i < kPoses; ++i) {
    const Pose below{static_cast<u8>(i % kCols), static_cast<u8>(i / kCols % kRows - 1), static_cast<u8>(i / kCells)};
    if (fits(query.bottle, below)) unlocked.reset(i);
  }

  std::vector<bool> seen(static_cast<std::size_t>(threshold + 1) * 33 * 4 * kPoses * 2);
  std::vector<Falling> layer{Falling{}};
  std::vector<Falling> next;
  for (u16 frame = 1; !layer.empty() && unlocked.any(); ++frame) {
    const auto frame_counter = static_cast<u8>(query.frame_counter + frame);
    const bool odd = frame_counter & 1;
    next.clear();
    for (const Falling& state : layer) {
      for (const int direction : {0, +kLeft, +kRight, +kDown}) {
        if (direction == kDown && !odd) continue;  // as if not held; the same goes for Down together with Left or Right
        for (const int turn : {0, +kA, +kB, kA | kB}) {
          Falling c = state;
          if (fall_one_frame(query.bottle, frame_counter, threshold, static_cast<u8>(direction | turn), c)) {
            unlocked.reset(static_cast<std::size_t>(pose_index(state.pose)));
            int action = action_of(state.pose);
            if (equal && state.pose.rotation == 3 && state.pose.y == 15) action = action_of({state.pose.x, 15, 1});
            if (action == kNoAction) continue;
            if (equal) action = canonical(action);
            frames_to_lock[action] = std::min(frames_to_lock[action], frame);
            continue;
          }
          if (!(c.held & (kLeft | kRight))) c.hor_velocity = 0;
          c.held &= static_cast<u8>(~kDown);  // no edge of Down is ever looked at
          auto bit = seen[state_index(c, odd)];
          if (bit) continue;
          bit = true;
          next.push_back(c);
        }
      }
    }
    layer.swap(next);
  }
}

}  // namespace drm
