// Splitmix64 (G. Steele, D. Lea, C. Flood, Fast splittable pseudorandom number generators, OOPSLA 2014).
#pragma once

#include "types.h"

namespace drm {

inline constexpr u64 kGolden = 0x9E3779B97F4A7C15ull;  // what its state moves by

// Its output function.
constexpr u64 mix(u64 z) {
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ z >> 27) * 0x94D049BB133111EBull;
  return z ^ z >> 31;
}

}  // namespace drm
