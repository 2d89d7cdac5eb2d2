// Where a capsule fits, as one byte per bottle row: bit x = a capsule based in column x fits.
#pragma once

#include "types.h"

namespace drm {

// Indexed by the row of the capsule's base (its left or lower half), row 0 on top. Rotations 0 and 2 share
// `horizontal`, 1 and 3 share `vertical`. Row 16 is the floor: nothing fits.
struct FitMasks {
  u8 horizontal[kRows + 1];
  u8 vertical[kRows + 1];
};

// Only 0xFF is free for a falling capsule; everything above row 0 is free (docs/rules.md section 8).
inline FitMasks fit_masks(const u8* bottle) {
  FitMasks fit{};
  unsigned above = 0xFF;
  for (int row = 0; row < kRows; ++row) {
    unsigned empty = 0;
    for (int col = 0; col < kCols; ++col) empty |= static_cast<unsigned>(bottle[row * kCols + col] == kEmpty) << col;
    fit.horizontal[row] = static_cast<u8>(empty & (empty >> 1));
    fit.vertical[row] = static_cast<u8>(empty & above);
    above = empty;
  }
  return fit;
}

}  // namespace drm
