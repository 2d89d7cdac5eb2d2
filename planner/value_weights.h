// The tuned weights of LinearValue, in quarters of a frame; written by
//   drmario tune --seed 0 --header planner/value_weights.h
#pragma once

#include "types.h"

namespace drm {

inline constexpr i32 kDefaultWeights[] = {
    309,   // viruses_0_7
    201,   // viruses_8_11
    191,   // viruses_12_15
    289,   // halves_0_1
    57,    // halves_2_3
    15,    // halves_4_5
    7,     // halves_6_9
    15,    // halves_10_15
    23,    // filled
    -141,  // center_0_1
    11,    // center_2_3
    40,    // center_4_5
    31,    // holes
    10,    // steps
    92,    // mixed
    -25,   // mixed_on_virus
    176,   // mixed_above_virus
    -17,   // covered_viruses
    139,   // top_two
    139,   // top_three
    -95,   // virus_down_1
    -138,  // virus_down_2
    -131,  // virus_down_3
    66,    // virus_across_1
    -56,   // virus_across_2
    -95,   // virus_across_3
    -50,   // virus_ready_2
    -1,    // virus_ready_3
    25,    // virus_buried
    180,   // virus_dead
    -106,  // half_down_1
    -51,   // half_down_2
    -40,   // half_down_3
    16,    // half_across_1
    -3,    // half_across_2
    -28,   // half_across_3
    -14,   // half_ready_2
    -35,   // half_ready_3
    -25,   // half_buried
    55,    // half_dead
    499,   // one
    20,    // root_viruses
    117,   // virus_columns
    489,   // virus_colors
    170,   // absent_tops
};

}  // namespace drm
