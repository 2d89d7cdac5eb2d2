// Names of placements: where a capsule can lock, as one number.
//
//   action = o * 128 + row * 8 + col
//     row, col   cell in which the FIRST half lands, row 0 on top
//     o          where the SECOND half lies, seen from the first: 0 right, 1 below, 2 left, 3 above
//
// A vertical capsule can lock with its upper half above row 0, where that half vanishes. Rotation 1 (second half lost)
// is o = 3, row = 0; rotation 3 (first half lost) has no name, so it is never legal on its own.
//
// With equal colours two names mean the same placement; the mask shows the lower o only: o = 0 rather than 2, o = 1
// rather than 3. The lone exception is o = 3, row = 0, which has no lower name.
#pragma once

#include "types.h"

namespace drm {

inline constexpr int kNoAction = -1;

// Pose <-> action. kNoAction for the poses without a name: rotation 3 at y = 15.
constexpr int action_of(Pose pose) {
  const int row = kRows - 1 - pose.y;
  switch (pose.rotation) {
    case 0:
      return 0 * kCells + row * kCols + pose.x;
    case 1:
      return 3 * kCells + row * kCols + pose.x;
    case 2:
      return 2 * kCells + row * kCols + pose.x + 1;
    default:
      return row == 0 ? kNoAction : 1 * kCells + (row - 1) * kCols + pose.x;
  }
}

// Actions whose second half would lie outside the bottle map to poses that never fit: o = 0 in column 7, o = 2 in
// column 0 (x wraps to 255), o = 1 in row 15 (y wraps to 255).
constexpr Pose pose_of(int action) {
  constexpr u8 kRotation[4] = {0, 3, 2, 1};
  const int o = action / kCells;
  const int x = action % kCols - (o == 2 ? 1 : 0);
  const int y = kRows - 1 - action % kCells / kCols - (o == 1 ? 1 : 0);
  return {static_cast<u8>(x), static_cast<u8>(y), kRotation[o]};
}

// The name of the same placement that the mask shows when both halves have the same colour. Actions outside the bottle
// (see pose_of) are returned unchanged.
constexpr int canonical(int action) {
  const int o = action / kCells;
  const int cell = action % kCells;
  if (o == 2 && cell % kCols != 0) return cell - 1;
  if (o == 3 && cell >= kCols) return kCells + cell - kCols;
  return action;
}

}  // namespace drm
