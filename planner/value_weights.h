// The tuned weights of LinearValue, in quarters of a frame.
#pragma once

#include "types.h"

namespace drm {

// Of searches of one or two plies: by regression, `drmario tune --seed 0` as it was on 2026-11-26 (docs/LOG.md, "search
// (value function, ..."), whose search was another: it gives other numbers now.
inline constexpr i32 kShallowWeights[] = {
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

// Of those that look further: by games as well, on another machine (docs/LOG.md, 2026-11-27, polishing).
inline constexpr i32 kDeepWeights[] = {
    282,   // viruses_0_7
    144,   // viruses_8_11
    10,    // viruses_12_15
    228,   // halves_0_1
    104,   // halves_2_3
    60,    // halves_4_5
    78,    // halves_6_9
    104,   // halves_10_15
    -10,   // filled
    -14,   // center_0_1
    -58,   // center_2_3
    9,     // center_4_5
    75,    // holes
    24,    // steps
    92,    // mixed
    -2,    // mixed_on_virus
    225,   // mixed_above_virus
    -116,  // covered_viruses
    -12,   // top_two
    112,   // top_three
    -158,  // virus_down_1
    -18,   // virus_down_2
    -100,  // virus_down_3
    98,    // virus_across_1
    -82,   // virus_across_2
    -142,  // virus_across_3
    -98,   // virus_ready_2
    22,    // virus_ready_3
    -32,   // virus_buried
    94,    // virus_dead
    27,    // half_down_1
    -68,   // half_down_2
    -74,   // half_down_3
    -36,   // half_across_1
    14,    // half_across_2
    -14,   // half_across_3
    -26,   // half_ready_2
    -20,   // half_ready_3
    -89,   // half_buried
    81,    // half_dead
    499,   // one
    171,   // root_viruses
    47,    // virus_columns
    316,   // virus_colors
    88,    // absent_tops
};

}  // namespace drm
