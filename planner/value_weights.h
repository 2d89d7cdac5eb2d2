#pragma once

#include "types.h"

namespace drm {

inline constexpr i32 kDefaultWeights[] = {100, 100, 100, 60, 30, 14, 8, 8, 0, 100, 30, 0, 10, 3, 4, 30, 10, 20, -5, -10, 0, -10, -20, 0, -5, -10, 0, -10, 40, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 18, 0, 0, 40};

}  // namespace drm
