// One frame of a falling capsule: vertical, horizontal, rotation, lock (docs/rules.md sections 8 and 9).
#pragma once

#include "events.h"
#include "state.h"
#include "tables.h"

namespace drm {

constexpr int base_cell(u8 x, u8 y) { return (kRows - 1 - y) * kCols + x; }

// Whether the capsule's pose is free. Cells above row 0 are free; y never leaves 0..15 unless it wrapped below 0.
inline bool fits(const Player& p) {
  if (p.pill_y > 15) return false;
  const int cell = base_cell(p.pill_x, p.pill_y);
  if (is_vertical(p.pill_rotation)) {
    return p.pill_x <= 7 && p.bottle[cell] == kEmpty && (cell < kCols || p.bottle[cell - kCols] == kEmpty);
  }
  return p.pill_x <= 6 && p.bottle[cell] == kEmpty && p.bottle[cell + 1] == kEmpty;
}

// Writes the capsule into the bottle; a half above row 0 vanishes.
inline void write_capsule(Player& p) {
  struct Landing {
    u8 kind[2];  // first half, second half
    int offset[2];
  };
  static constexpr Landing kLandings[4] = {
      {{kLeftHalf, kRightHalf}, {0, 1}},
      {{kBottom, kTop}, {0, -kCols}},
      {{kRightHalf, kLeftHalf}, {1, 0}},
      {{kTop, kBottom}, {-kCols, 0}},
  };
  const Landing& landing = kLandings[p.pill_rotation];
  const u8 colors[2] = {p.pill_color_l, p.pill_color_r};
  const int base = base_cell(p.pill_x, p.pill_y);
  for (int half = 0; half < 2; ++half) {
    const int cell = base + landing.offset[half];
    if (cell >= 0) p.bottle[cell] = landing.kind[half] + colors[half];
  }
  p.status = static_cast<u8>(kRows - 1 - p.pill_y);
}

// The capsule becomes cells where it is.
inline void lock(Player& p, Events& events) {
  write_capsule(p);
  p.next_action = kResolve;
  ++events.capsules;
}

inline void move_down(Player& p, u8 frame_counter, Events& events) {
  if ((frame_counter & 1) && (p.held & kDpad) == kDown) {
    // soft drop
  } else {
    ++p.speed_counter;
    p.speed_index = p.speed_ups;
    if (p.speed_counter <= gravity_threshold(p.speed_setting, p.speed_ups)) return;
  }
  p.speed_counter = 0;
  --p.pill_y;
  if (!fits(p)) {
    ++p.pill_y;
    lock(p, events);
  }
}

inline void move_sideways(Player& p) {
  if (p.pressed & (kLeft | kRight)) {
    p.hor_velocity = 0;
  } else {
    if (!(p.held & (kLeft | kRight))) return;
    if (++p.hor_velocity < kDasFirst) return;
    p.hor_velocity = kDasReload;
  }
  if ((p.held & kRight) && p.pill_x != (is_vertical(p.pill_rotation) ? 7 : 6)) {
    ++p.pill_x;
    if (!fits(p)) {
      --p.pill_x;
      p.hor_velocity = kDasBlocked;
    }
  }
  if ((p.held & kLeft) && p.pill_x != 0) {
    --p.pill_x;
    if (!fits(p)) {
      ++p.pill_x;
      p.hor_velocity = kDasBlocked;
    }
  }
}

// Keeps, kicks or undoes a turn; turning horizontal with Left held moves one column further left if that fits.
inline void settle_rotation(Player& p, u8 x0, u8 rotation0) {
  if (fits(p)) {
    if (is_vertical(p.pill_rotation) || !(p.held & kLeft)) return;
    --p.pill_x;  // from column 0 this wraps to 255, which never fits
    if (!fits(p)) ++p.pill_x;
    return;
  }
  if (!is_vertical(p.pill_rotation)) {
    --p.pill_x;
    if (fits(p)) return;
  }
  p.pill_x = x0;
  p.pill_rotation = rotation0;
}

inline void rotate(Player& p) {
  const u8 x0 = p.pill_x;
  const u8 rotation0 = p.pill_rotation;
  if (p.pressed & kA) {
    p.pill_rotation = (p.pill_rotation - 1) & 3;
    settle_rotation(p, x0, rotation0);
  }
  if (p.pressed & kB) {
    p.pill_rotation = (p.pill_rotation + 1) & 3;
    settle_rotation(p, x0, rotation0);
  }
}

// All three always run, also in the frame of the lock: against the bottle with the locked capsule in it they can still
// change pill_x, pill_rotation and, what matters later, hor_velocity.
inline void fall(Player& p, u8 frame_counter, Events& events) {
  p.chain_len = 0;
  move_down(p, frame_counter, events);
  move_sideways(p);
  rotate(p);
}

}  // namespace drm
