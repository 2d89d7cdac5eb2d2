// The tuned weights of LinearValue, in quarters of a frame; written by
//   in progress
#pragma once

#include "types.h"

namespace drm {

inline constexpr i32 kDefaultWeights[] = {
    229,  // viruses_0_7
    191,  // viruses_8_11
    198,  // viruses_12_15
    299,  // halves_0_1
    24,  // halves_2_3
    13,  // halves_4_5
    -12,  // halves_6_9
    -13,  // halves_10_15
    13,  // filled
    49,  // center_0_1
    34,  // center_2_3
    -9,  // center_4_5
    22,  // holes
    10,  // steps
    25,  // mixed
    -44,  // mixed_on_virus
    172,  // mixed_above_virus
    -19,  // covered_viruses
    261,  // top_two
    -74,  // top_three
    -230,  // virus_down_1
    -69,  // virus_down_2
    -14,  // virus_down_3
    23,  // virus_across_1
    14,  // virus_across_2
    -107,  // virus_across_3
    -131,  // virus_ready_2
    91,  // virus_ready_3
    55,  // virus_buried
    113,  // virus_dead
    -122,  // half_down_1
    -111,  // half_down_2
    74,  // half_down_3
    23,  // half_across_1
    0,  // half_across_2
    -23,  // half_across_3
    60,  // half_ready_2
    -71,  // half_ready_3
    2,  // half_buried
    94,  // half_dead
    488,  // one
    20,  // root_viruses
    190,  // virus_columns
    23,  // virus_colors
    127,  // absent_tops
};

}  // namespace drm
