#include "script.h"

#include "drop_walk.h"
#include "narrow_walk.h"
#include "of_this_thread.h"
#include "placement.h"

namespace drm {
namespace {

static_assert(kMaxScript == kMaxFrames);

// With equal colours any turn button does, as long as it is a new press.
void alternate_turns(u8* buttons, int length) {
  u8 last = 0;
  for (int t = 0; t < length; ++t) {
    const u8 turn = buttons[t] & (kA | kB);
    u8 now = turn;
    if (turn == kA || turn == kB) now = last == kA ? kB : kA;
    buttons[t] = static_cast<u8>((buttons[t] & ~(kA | kB)) | now);
    last = now;
  }
}

// Exchanges A and B: rotations 1 and 3 change places.
void mirror_turns(u8* buttons, int length) {
  for (int t = 0; t < length; ++t) {
    const u8 turn = buttons[t] & (kA | kB);
    if (turn == kA || turn == kB) buttons[t] ^= kA | kB;
  }
}

// The first frame before `limit` in which a capsule can lock at the target, or kNever.
template <int R>
int first_before(NarrowSearch<R>& search, int limit) {
  Corridor<R>& corridor = search.corridor;
  const int last = limit - 1;
  return corridor.open(last) < 0 ? kNever : search.run();
}

// The same if nothing is known but that every capsule has locked by `last`. Deadlines are tried from a lower bound up,
// as a narrow corridor is a short search.
template <int R>
int first_until(NarrowSearch<R>& search, int last) {
  Corridor<R>& corridor = search.corridor;
  int until = std::min(last, corridor.first_entry(corridor.target.row + 1) + 30);
  int wait = corridor.open(until);
  for (; wait < 0 && until < last; wait = corridor.open(until)) until = std::min(last, 2 * until);
  if (wait < 0) return kNever;
  int deadline = until - wait;
  for (int more = 6;; more *= 2) {
    if (deadline != corridor.deadline) corridor.open(deadline);
    const int frame = search.run();
    if (frame != kNever || deadline == last) return frame;
    deadline = std::min(last, deadline + more);
  }
}

// The frame of the lock, or kNever; writes the buttons that lead to it.
template <int R>
int solve(const Situation& situation, const Target& target, u8* buttons) {
  auto& drops = of_this_thread<DropSearch<R>>();
  bool exact;
  int frames = drops.first_lock(situation, target, exact);
  u8 drop_buttons[kMaxScript];
  if (frames != kNever && !DropWalk<R>(drops, situation).run(target, frames, drop_buttons)) frames = kNever;
  if (!exact || frames == kNever) {
    auto& narrow = of_this_thread<NarrowSearch<R>>();
    narrow.corridor.aim(situation, target);
    const int earlier = frames == kNever ? first_until(narrow, (situation.threshold + 1) * (target.row + 1))
                                         : first_before(narrow, frames);
    if (earlier < frames) return NarrowWalk<R>(narrow).run(earlier, buttons) ? earlier : kNever;
  }
  if (frames != kNever) std::copy_n(drop_buttons, frames, buttons);
  return frames;
}

template <int R>
int script_as(const ReachQuery& query, int action, u8* buttons) {
  const Pose pose = pose_of(action);
  if (pose.x >= kCols || pose.y >= kRows) return 0;
  const Situation situation(query);
  const bool vertical = is_vertical(pose.rotation);
  const Target target = {kRows - 1 - pose.y, vertical ? R : pose.rotation / 2, pose.x};
  if (!situation.spawn_fits() || !situation.rests(vertical, target.row, target.x)) return 0;
  const int frames = solve<R>(situation, target, buttons);
  if (frames == kNever) return 0;
  if (R == 1) alternate_turns(buttons, frames);
  if (R == 2 && pose.rotation == 3) mirror_turns(buttons, frames);
  return frames;
}

}  // namespace

int script(const ReachQuery& query, int action, u8* buttons) {
  if (query.colors[0] != query.colors[1]) return script_as<2>(query, action, buttons);
  return canonical(action) == action ? script_as<1>(query, action, buttons) : 0;
}

}  // namespace drm
