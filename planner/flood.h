// Where a falling capsule could get to if timing were no matter. R as in reach_rows.h.
#pragma once

#include "collision.h"

namespace drm {

// Whether every pose in which a capsule can lock and to which moves of any timing lead has locked.
template <int R>
bool all_locked(const FitMasks& fit, const u16 (&lock)[kRows][R + 1][kCols]) {
  unsigned h[2] = {1u << kSpawnPose.x, 0};
  unsigned v = 0;
  for (int row = 0; row < kRows; ++row) {
    const unsigned fh = fit.horizontal[row];
    const unsigned fv = fit.vertical[row];
    h[0] &= fh;
    h[1] &= fh;
    v &= fv;
    for (unsigned before = ~0u; before != (h[0] | h[1] << 8 | v << 16);) {
      before = h[0] | h[1] << 8 | v << 16;
      const unsigned turned = v | v >> 1;
      for (unsigned& set : h) set = (set | set << 1 | set >> 1 | turned) & fh;
      v = (v | v << 1 | v >> 1 | h[0] | h[1]) & fv;
    }
    for (int x = 0; x < kCols; ++x) {
      for (int i = 0; i < R; ++i) {
        const unsigned rests = h[i] & ~static_cast<unsigned>(fit.horizontal[row + 1]);
        if ((rests >> x & 1) && lock[row][i][x] == kUnreachable) return false;
      }
      const unsigned rests = v & ~static_cast<unsigned>(fit.vertical[row + 1]);
      if ((rests >> x & 1) && lock[row][R][x] == kUnreachable) return false;
    }
  }
  return true;
}

}  // namespace drm
