// reach() against the reference, and every script replayed frame by frame.
// Usage: test_reach [cases] [seed] [scripts per case]. Prints the first mismatches in full and exits with 1.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "boards.h"
#include "placement.h"
#include "script.h"

namespace drm {
namespace {

// The name under which a lock at `pose` appears in the mask.
int action_at(Pose pose, bool equal) {
  if (!equal) return action_of(pose);
  if (pose.rotation == 3 && pose.y == 15) pose.rotation = 1;
  return canonical(action_of(pose));
}

// Whether the script, held frame by frame, locks the capsule at `action` in its last frame and not before.
bool replays(const Case& c, int action, const u8* buttons, int length) {
  Falling capsule;
  for (int t = 0; t < length; ++t) {
    if ((buttons[t] & kLeft) && (buttons[t] & kRight)) return false;
    const Pose pose = capsule.pose;
    const auto frame_counter = static_cast<u8>(c.query.frame_counter + 1 + t);
    if (fall_one_frame(c.bottle, frame_counter, c.threshold(), buttons[t], capsule)) {
      return t == length - 1 && action_at(pose, c.query.colors[0] == c.query.colors[1]) == action;
    }
  }
  return false;
}

struct Tally {
  long placements = 0;
  long scripts = 0;
  long wrong_placements = 0;
  long wrong_scripts = 0;
};

void check(const Case& c, long number, unsigned seed, int scripts, Random& rng, Tally& tally) {
  u16 fast[kActions];
  u16 slow[kActions];
  reach(c.query, fast);
  reach_reference(c.query, slow);
  const long wrong_before = tally.wrong_placements + tally.wrong_scripts;
  std::vector<int> legal;
  for (int a = 0; a < kActions; ++a) {
    if (slow[a] != kUnreachable) legal.push_back(a);
    if (fast[a] == slow[a]) continue;
    if (++tally.wrong_placements <= 20) std::printf("action %d: fast %d, reference %d\n", a, fast[a], slow[a]);
  }
  tally.placements += static_cast<long>(legal.size());
  for (int k = 0; k < scripts && !legal.empty(); ++k) {
    const int action = legal[static_cast<std::size_t>(below(rng, static_cast<int>(legal.size())))];
    u8 buttons[kMaxScript];
    const int length = script(c.query, action, buttons);
    ++tally.scripts;
    if (length == slow[action] && replays(c, action, buttons, length)) continue;
    if (++tally.wrong_scripts <= 20) std::printf("action %d: script of %d frames fails\n", action, length);
  }
  if (tally.wrong_placements + tally.wrong_scripts != wrong_before) {
    std::printf("case %ld of seed %u: ", number, seed);
    print(c);
  }
}

// The placements of an empty bottle by hand: the capsule drops on every second frame, 16 steps end in a lock.
bool empty_bottle() {
  Case c;
  c.query.colors[1] = 1;
  u16 frames[kActions];
  reach(c.query, frames);
  const int straight_down = action_of({3, 0, 0});
  bool good = frames[straight_down] == 31;  // frame 1 is odd: steps in frames 1, 3, ..., 31
  long legal = 0;
  for (const u16 f : frames) legal += f != kUnreachable;
  good &= legal == 30;  // two horizontal orders in 7 columns, two vertical ones in 8
  c.put(0, 4);
  reach(c.query, frames);
  for (const u16 f : frames) good &= f == kUnreachable;  // a blocked spawn
  if (!good) std::printf("empty_bottle fails\n");
  return good;
}

bool names() {
  bool good = true;
  for (int a = 0; a < kActions; ++a) {
    const Pose pose = pose_of(a);
    const bool inside = pose.y <= 15 && pose.x <= (is_vertical(pose.rotation) ? 7 : 6);
    good &= !inside || action_of(pose) == a;
    good &= canonical(canonical(a)) == canonical(a) && canonical(a) <= a;
  }
  if (!good) std::printf("names fails\n");
  return good;
}

}  // namespace
}  // namespace drm

int main(int argc, char** argv) {
  using namespace drm;
  const long cases = argc > 1 ? std::atol(argv[1]) : 200;
  const unsigned seed = argc > 2 ? static_cast<unsigned>(std::atol(argv[2])) : 1;
  const int scripts = argc > 3 ? std::atoi(argv[3]) : 4;
  bool good = names() && empty_bottle();
  Random rng(seed);
  Tally tally;
  for (long n = 0; n < cases; ++n) {
    Case c;
    any_case(rng, c);
    check(c, n, seed, scripts, rng, tally);
  }
  std::printf("%ld cases, %ld placements, %ld scripts: %ld and %ld wrong\n", cases, tally.placements, tally.scripts,
              tally.wrong_placements, tally.wrong_scripts);
  return good && tally.wrong_placements + tally.wrong_scripts == 0 ? 0 : 1;
}
