// What a query means to the searches. Internal to the planner.
#pragma once

#include "collision.h"
#include "reach.h"
#include "tables.h"

namespace drm {

inline constexpr int kNever = 1 << 20;                          // a frame
inline constexpr int kMaxThreshold = 39;                        // of gravity: LOW without speed-ups
inline constexpr int kMaxFrames = kRows * (kMaxThreshold + 1);  // after which every capsule has locked

struct Situation {
  FitMasks fit{};
  int threshold = 0;    // of gravity: T
  int soft_parity = 0;  // of the soft-drop frames (odd frame counter), frames being numbered from 1

  Situation() = default;
  explicit Situation(const ReachQuery& query)
      : fit(fit_masks(query.bottle)),
        threshold(gravity_threshold(query.speed, query.speed_ups)),
        soft_parity((query.frame_counter + 1) & 1) {}

  bool spawn_fits() const { return fit.horizontal[0] >> kSpawnPose.x & 1; }
  bool is_soft(int frame) const { return (frame & 1) == soft_parity; }

  // The frame of a moment, which is an index (frame / 2) and a parity (0 = the soft-drop frames').
  int frame_of(int parity, int index) const { return 2 * index + (soft_parity ^ parity); }

  bool rests(bool vertical, int row, int x) const {
    const u8* fits = vertical ? fit.vertical : fit.horizontal;
    return (fits[row] & ~fits[row + 1]) >> x & 1;
  }
};

// A pose by its base, row 0 on top: i < R horizontal (rotation 2 i), i = R vertical. R as in pose_sets.h.
struct Target {
  int row, i, x;
};

}  // namespace drm
