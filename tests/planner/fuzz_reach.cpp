// Fuzz target: bytes -> a planner query; reach() must equal the reference and every script must have the promised
// length (libFuzzer: `make fuzz`; the program also runs single inputs given as files).
#include <cstdio>
#include <cstdlib>

#include "boards.h"
#include "script.h"

namespace drm {
namespace {

// 16 bytes of rows (set bit = occupied), then speed, speed_ups, frame_counter, colours. Missing bytes are 0.
Case decode(const u8* data, std::size_t size) {
  const auto at = [&](std::size_t i) { return i < size ? data[i] : u8{0}; };
  Case c;
  for (int i = 0; i < kCells; ++i) {
    if (at(static_cast<std::size_t>(i / kCols)) >> (i % kCols) & 1) c.put(i / kCols, i % kCols);
  }
  c.query.speed = at(16) % kSpeeds;
  c.query.speed_ups = at(17) % (kMaxSpeedUps + 1);
  c.query.frame_counter = at(18);
  c.query.colors[0] = at(19) % kColors;
  c.query.colors[1] = at(19) / kColors % kColors;
  return c;
}

void fail(const Case& c, int action, int got, int expected) {
  std::printf("action %d: %d, expected %d; ", action, got, expected);
  print(c);
  std::abort();
}

}  // namespace
}  // namespace drm

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drm;
  const Case c = decode(data, size);
  u16 fast[kActions];
  u16 slow[kActions];
  reach(c.query, fast);
  reach_reference(c.query, slow);
  for (int action = 0; action < kActions; ++action) {
    if (fast[action] != slow[action]) fail(c, action, fast[action], slow[action]);
    if (action % 16 != (size > 0 ? data[0] % 16 : 0)) continue;
    u8 buttons[kMaxScript];
    const int expected = slow[action] == kUnreachable ? 0 : slow[action];
    const int length = script(c.query, action, buttons);
    if (length != expected) fail(c, action, length, expected);
  }
  return 0;
}
