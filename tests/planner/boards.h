// Bottles and queries for the planner's tests and benchmark.
#pragma once

#include <algorithm>
#include <cstdio>
#include <random>

#include "literal.h"
#include "reach_reference.h"
#include "tables.h"

namespace drm {

using Random = std::mt19937;

inline int below(Random& rng, int n) { return static_cast<int>(rng() % static_cast<unsigned>(n)); }

struct Case {
  u8 bottle[kCells];
  ReachQuery query;

  Case() : bottle{}, query{} {
    std::fill_n(bottle, kCells, kEmpty);
    query.bottle = bottle;
  }
  Case(const Case& other) : query(other.query) {
    std::copy_n(other.bottle, kCells, bottle);
    query.bottle = bottle;
  }
  Case& operator=(const Case&) = delete;

  void put(int row, int col) { bottle[row * kCols + col] = kVirus; }
  void dig(int row, int col) { bottle[row * kCols + col] = kEmpty; }
  u8 threshold() const { return gravity_threshold(query.speed, query.speed_ups); }
};

inline void print(const Case& c) {
  std::printf("gravity threshold %d (speed %d, speed_ups %d), frame_counter %d, %s colours\n", c.threshold(),
              c.query.speed, c.query.speed_ups, c.query.frame_counter,
              c.query.colors[0] == c.query.colors[1] ? "equal" : "distinct");
  for (int i = 0; i < kCells; ++i) std::printf("%c%s", c.bottle[i] == kEmpty ? '.' : '#', i % kCols == 7 ? "\n" : "");
}

// Speed and speed_ups uniform over the table, either parity, a third of the capsules of one colour (as in the game).
inline void any_capsule(Random& rng, Case& c) {
  c.query.speed = static_cast<u8>(below(rng, kSpeeds));
  c.query.speed_ups = static_cast<u8>(below(rng, kMaxSpeedUps + 1));
  c.query.frame_counter = static_cast<u8>(below(rng, 256));
  c.query.colors[0] = static_cast<u8>(below(rng, 3));
  c.query.colors[1] = static_cast<u8>(below(rng, 3));
}

// Viruses only, placed at random below `top` with the given density in percent.
inline void scatter(Random& rng, Case& c, int top, int percent) {
  for (int row = top; row < kRows; ++row) {
    for (int col = 0; col < kCols; ++col) {
      if (below(rng, 100) < percent) c.put(row, col);
    }
  }
}

// A virus field as a level starts with it: `count` viruses in the lowest `height` rows, which are never filled up.
inline void sparse_viruses(Random& rng, Case& c, int count, int height) {
  count = std::min(count, height * kCols * 3 / 4);
  while (count > 0) {
    const int row = kRows - 1 - below(rng, height);
    const int col = below(rng, kCols);
    if (c.bottle[row * kCols + col] != kEmpty) continue;
    c.put(row, col);
    --count;
  }
}

// Mid-game: a virus field with capsules dropped onto it by a random player who avoids the two spawn columns near the
// top and now and then removes a few cells, as clears do.
inline void mid_game(Random& rng, Case& c) {
  const int height = 10 + below(rng, 3);
  sparse_viruses(rng, c, 8 + below(rng, 60), height);
  for (int pill = 5 + below(rng, 35); pill > 0; --pill) {
    const bool vertical = below(rng, 2) != 0;
    const int col = below(rng, vertical ? 8 : 7);
    Falling capsule;
    capsule.pose = {static_cast<u8>(col), 15, static_cast<u8>(vertical)};
    if (!pose_fits(c.bottle, capsule.pose)) continue;
    while (capsule.pose.y > 0) {
      Pose next = capsule.pose;
      --next.y;
      if (!pose_fits(c.bottle, next)) break;
      capsule.pose = next;
    }
    const int row = kRows - 1 - capsule.pose.y;
    if (row < 5 && below(rng, 8)) continue;
    c.put(row, col);
    if (!vertical) c.put(row, col + 1);
    if (vertical && row > 0) c.put(row - 1, col);
    if (below(rng, 4) == 0) {
      const int hole = below(rng, kRows);
      for (int x = below(rng, 5), end = x + 4; x < end; ++x) c.dig(hole, x);
    }
  }
  for (int row = 0; row < 3; ++row) {
    for (const int x : {3, 4}) c.dig(row, x);
  }
}

// Bottles that a game would not produce: wells, shelves, shafts, a nearly blocked top.
inline void adversarial(Random& rng, Case& c) {
  const int kind = below(rng, 6);
  scatter(rng, c, below(rng, 14), 1 + below(rng, 75));
  if (kind == 0) {  // wells
    for (int col = 0; col < kCols; ++col) {
      for (int row = 2; row < kRows && below(rng, 2); ++row) c.dig(row, col);
    }
  } else if (kind == 1) {  // shelves with gaps
    for (int row = 1; row < kRows; ++row) {
      if (below(rng, 3)) continue;
      const int gap = below(rng, 8);
      for (int col = 0; col < kCols; ++col) {
        if (col == gap || below(rng, 6) == 0) {
          c.dig(row, col);
        } else {
          c.put(row, col);
        }
      }
    }
  } else if (kind == 2) {  // empty rows
    for (int row = 0; row < kRows; ++row) {
      if (below(rng, 4) == 0) {
        for (int col = 0; col < kCols; ++col) {
          if (below(rng, 8)) c.dig(row, col);
        }
      }
    }
  } else if (kind == 3) {  // a cliff: tall right side, open left side, holes in its face
    const int edge = 1 + below(rng, 6);
    const int top = 1 + below(rng, 6);
    for (int row = 0; row < kRows; ++row) {
      for (int col = 0; col < kCols; ++col) {
        if (row > top && col > edge && below(rng, 12)) {
          c.put(row, col);
        } else if (below(rng, 6)) {
          c.dig(row, col);
        }
      }
    }
  } else if (kind == 4) {  // a crowded top
    for (int k = below(rng, 8); k > 0; --k) c.put(below(rng, 4), below(rng, kCols));
  }
  if (below(rng, 10)) {
    c.dig(0, 3);
    c.dig(0, 4);
  }
}

// Any capsule over a bottle of any of these kinds.
inline void any_case(Random& rng, Case& c) {
  any_capsule(rng, c);
  switch (below(rng, 4)) {
    case 0:
      return mid_game(rng, c);
    case 1:
      return sparse_viruses(rng, c, below(rng, 85), 3 + below(rng, 11));
    default:
      return adversarial(rng, c);
  }
}

}  // namespace drm
