// Where a falling capsule could get to if timing were no matter. R as in pose_sets.h.
#pragma once

#include "collision.h"

namespace drm {

// Where a capsule can come to rest, by base: h[0..R-1], then v; a byte of columns for each row. `open` rows on top are
// empty.
template <int R>
void find_resting(const FitMasks& fit, int open, u8 (&rest)[R + 1][kRows]) {
  constexpr u32 kV = 8 * R;  // a set is h[0] | h[1] << 8 | v << kV
  constexpr u32 kBoth = R == 2 ? 0x101 : 1;
  u32 set = open ? 0x7F * kBoth | 0xFFu << kV : 1u << kSpawnPose.x;
  for (int row = 0; row < kRows; ++row) {
    const u32 fits = fit.horizontal[row] * kBoth | static_cast<u32>(fit.vertical[row]) << kV;
    set &= fits;
    for (u32 before = row < open ? set : 0; set != before;) {
      before = set;
      const u32 v = set >> kV;
      const u32 h = R == 2 ? set | set >> 8 : set;
      set |= (set << 1 | set >> 1 | (v | v >> 1) * kBoth | h << kV) & fits;
    }
    const u32 rests = set & ~(fit.horizontal[row + 1] * kBoth | static_cast<u32>(fit.vertical[row + 1]) << kV);
    for (int i = 0; i <= R; ++i) rest[i][row] = static_cast<u8>(rests >> 8 * i);
  }
}

}  // namespace drm
