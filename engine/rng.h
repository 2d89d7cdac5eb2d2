// The game's 16-bit random number generator (docs/rules.md section 4).
#pragma once

#include "types.h"

namespace drm {

// A linear feedback shift register with period 32,767 on the orbit of 0x8988; the high byte is `hi`.
struct Rng {
  u8 hi;
  u8 lo;

  constexpr void step() {
    const u32 bit = ((hi >> 1) ^ (lo >> 1)) & 1u;
    const u32 word = (static_cast<u32>(hi) << 8 | lo) >> 1 | bit << 15;
    hi = static_cast<u8>(word >> 8);
    lo = static_cast<u8>(word);
  }
};

}  // namespace drm
