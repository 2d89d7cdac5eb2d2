// Where the named fields of a game lie in its bytes.
#pragma once

#include <vector>

#include "state.h"

namespace drm {

// A field of Match: where its bytes lie.
struct Field {
  const char* name;  // golden name, "p1_..." and "p2_..." for the players
  std::size_t offset;
  std::size_t bytes;
  u8 max;  // greatest value accepted from outside
};

// All fields of a game with `players` players, in dtype order.
const std::vector<Field>& match_fields(int players);

}  // namespace drm
