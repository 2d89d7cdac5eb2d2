// The slow, obvious planner and the literal frame it is made of. Tests only.
#pragma once

#include "reach.h"

namespace drm {

// A falling capsule between two frames, as much of it as rules.md section 8 looks at.
struct Falling {
  Pose pose = kSpawnPose;
  u8 speed_counter = 0;
  u8 hor_velocity = 0;
  u8 held = 0;  // buttons of the previous frame
};

bool fits(const u8* bottle, Pose pose);

// One FALL frame under `held`, in the order of rules.md section 8. Returns true when the capsule locks, at the pose it
// had before the frame; `capsule` is then of no further use. `frame_counter` is this frame's value, `threshold` is
// gravity_threshold(speed, speed_ups).
bool fall_one_frame(const u8* bottle, u8 frame_counter, u8 threshold, u8 held, Falling& capsule);

// Breadth-first search over complete states; the same answer as reach().
void reach_reference(const ReachQuery& query, u16 frames_to_lock[kActions]);

}  // namespace drm
