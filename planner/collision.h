// Where a capsule fits, as one byte per bottle row: bit x = a capsule based in column x fits.
#pragma once

#include <cstring>

#include "types.h"

namespace drm {

// Indexed by the row of the capsule's base (its left or lower half), row 0 on top. Rotations 0 and 2 share
// `horizontal`, 1 and 3 share `vertical`. Row 16 is the floor: nothing fits.
struct FitMasks {
  u8 horizontal[kRows + 1];
  u8 vertical[kRows + 1];
};

inline constexpr u8 kOpenRow = 0x7F;  // `horizontal` of an empty row

// The columns of the eight cells that are exactly kEmpty.
inline unsigned empty_columns(const u8* cells) {
  constexpr u64 kEach = 0x0101010101010101ull;
  u64 filled;  // a byte is 0 where the cell is empty
  std::memcpy(&filled, cells, kCols);
  filled = ~filled;
  const u64 low_bits = (filled & 0x7F * kEach) + 0x7F * kEach;  // bit 7: one of bits 0-6 is set
  const u64 empty = ~(low_bits | filled) >> 7 & kEach;          // bit 0 of each byte
  return static_cast<unsigned>(gathered(empty));
}

// Only 0xFF is free for a falling capsule; everything above row 0 is free (docs/rules.md section 8).
inline FitMasks fit_masks(const u8* bottle) {
  FitMasks fit{};
  unsigned above = 0xFF;
  for (int row = 0; row < kRows; ++row) {
    const unsigned empty = empty_columns(bottle + row * kCols);
    fit.horizontal[row] = static_cast<u8>(empty & (empty >> 1));
    fit.vertical[row] = static_cast<u8>(empty & above);
    above = empty;
  }
  return fit;
}

// Empty rows on top.
inline int count_open_rows(const FitMasks& fit) {
  int row = 0;
  while (row < kRows && fit.horizontal[row] == kOpenRow) ++row;
  return row;
}

}  // namespace drm
