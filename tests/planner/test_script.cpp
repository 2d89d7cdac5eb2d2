// Every script of every placement: as long as reach() says, and replayed with the engine's own frame (falling.h) it
// locks there in its last frame and not before. Usage: test_script [cases] [seed]. Prints the first failures and exits
// with 1.
#include <cstdlib>
#include <cstring>

#include "boards.h"
#include "falling.h"
#include "placement.h"
#include "script.h"

namespace drm {
namespace {

struct Tally {
  long scripts = 0;
  long illegal = 0;
  long wrong = 0;
  long of_threshold[kMaxScript / kRows][2] = {};  // scripts by gravity threshold and parity of the frame counter
};

Player before_control(const Case& c) {
  Player p{};
  std::memcpy(p.bottle, c.bottle, kCells);
  p.pill_x = kSpawnPose.x;
  p.pill_y = kSpawnPose.y;
  p.pill_rotation = kSpawnPose.rotation;
  p.pill_color_l = c.query.colors[0];
  p.pill_color_r = c.query.colors[1];
  p.speed_setting = c.query.speed;
  p.speed_ups = c.query.speed_ups;
  return p;
}

bool replays(const Case& c, int action, const u8* buttons, int length) {
  Player p = before_control(c);
  Events untold{};
  for (int t = 0; t < length; ++t) {
    Pose pose{p.pill_x, p.pill_y, p.pill_rotation};
    p.pressed = buttons[t] & static_cast<u8>(~p.held);
    p.held = buttons[t];
    if ((p.held & kLeft) && (p.held & kRight)) return false;
    fall(p, static_cast<u8>(c.query.frame_counter + 1 + t), untold);
    if (p.next_action != kResolve) continue;
    const bool equal = c.query.colors[0] == c.query.colors[1];
    if (equal && pose.rotation == 3 && pose.y == 15) pose.rotation = 1;
    const int locked = equal && action_of(pose) != kNoAction ? canonical(action_of(pose)) : action_of(pose);
    return t == length - 1 && locked == action;
  }
  return false;
}

void check(const Case& c, long number, Tally& tally) {
  u16 frames[kActions];
  reach(c.query, frames);
  for (int action = 0; action < kActions; ++action) {
    const bool legal = frames[action] != kUnreachable;
    u8 buttons[kMaxScript];
    const int length = script(c.query, action, buttons);
    ++(legal ? tally.scripts : tally.illegal);
    tally.of_threshold[c.threshold()][c.query.frame_counter & 1] += legal;
    bool good = length == (legal ? frames[action] : 0);
    if (good && legal) {
      good = replays(c, action, buttons, length);
      good &= c.threshold() > 0 || length > 1 || buttons[0] == 0;  // the clock relies on it (lock_capsule)
    }
    if (good || ++tally.wrong > 20) continue;
    std::printf("case %ld, action %d: script of %d frames, reach %d; ", number, action, length, frames[action]);
    print(c);
  }
}

}  // namespace
}  // namespace drm

int main(int argc, char** argv) {
  using namespace drm;
  const long cases = argc > 1 ? std::atol(argv[1]) : 1000;
  Random random(argc > 2 ? static_cast<unsigned>(std::atol(argv[2])) : 1u);
  Tally tally;
  for (long n = 0; n < cases; ++n) {
    Case c;
    any_case(random, c);
    check(c, n, tally);
  }
  std::printf("%ld cases, %ld scripts (and %ld placements without one), %ld wrong; by gravity threshold (even, odd):",
              cases, tally.scripts, tally.illegal, tally.wrong);
  for (int t = 0; t < kMaxScript / kRows; ++t) {
    const long* n = tally.of_threshold[t];
    if (n[0] + n[1]) std::printf(" %d: %ld, %ld;", t, n[0], n[1]);
  }
  std::printf("\n");
  return tally.wrong != 0;
}
