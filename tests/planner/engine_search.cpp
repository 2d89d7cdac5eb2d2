// A second opinion on reach(): breadth-first search that moves the capsule with the engine's own frame (falling.h), so
// it shares nothing with the planner or its reference. Usage: engine_search [boards] [seed]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "falling.h"
#include "placement.h"
#include "reach.h"

using namespace drm;

namespace {

struct Board {
  u8 bottle[kCells];
  ReachQuery query;
};

Board random_board(std::mt19937& random) {
  Board board;
  std::memset(board.bottle, kEmpty, kCells);
  const int height = static_cast<int>(4 + random() % 11);
  const auto density = random() % 70;
  for (int i = (kRows - height) * kCols; i < kCells; ++i) {
    if (random() % 100 < density) board.bottle[i] = kVirus;
  }
  // Some boards also have tiles beside the spawn.
  for (int col = 0; random() % 4 == 0 && col < kCols; ++col) board.bottle[random() % 3 * kCols + col] = kVirus;
  board.bottle[3] = board.bottle[4] = kEmpty;
  // Fast gravity more often: the search is exponential in nothing, but long falls take it a second.
  const auto speed_ups = static_cast<u8>(random() % 3 ? 25 + random() % 25 : random() % 50);
  board.query = {nullptr, {0, 1}, static_cast<u8>(random()), static_cast<u8>(random() % kSpeeds), speed_ups};
  return board;
}

constexpr int kStateBits = 25;

u32 key(const Player& p, int parity) {
  const u32 direction = p.held & (kLeft | kRight);
  const u32 velocity = direction ? p.hor_velocity : 0u;
  return p.pill_x | p.pill_y << 3 | p.pill_rotation << 7 | static_cast<u32>(p.speed_counter) << 9 | velocity << 15 |
         direction << 20 | static_cast<u32>(p.held >> 6) << 22 | static_cast<u32>(parity) << 24;
}

class Search {
 public:
  void solve(const Board& board, u16* frames_to_lock) {
    std::fill_n(frames_to_lock, kActions, kUnreachable);
    std::fill(seen_.begin(), seen_.end(), u64{0});
    Player start{};
    std::memcpy(start.bottle, board.bottle, kCells);
    start.pill_x = kSpawnPose.x;
    start.pill_y = kSpawnPose.y;
    start.speed_setting = board.query.speed;
    start.speed_ups = board.query.speed_ups;
    std::vector<Player> now{start}, next;
    for (u16 frame = 1; !now.empty(); ++frame, now.swap(next), next.clear()) {
      for (const Player& player : now) expand(player, board, frame, frames_to_lock, next);
    }
  }

 private:
  void expand(const Player& from, const Board& board, u16 frame, u16* frames_to_lock, std::vector<Player>& next) {
    static constexpr u8 kDirections[] = {0, kLeft, kRight, kDown};
    static constexpr u8 kTurns[] = {0, kA, kB, kA | kB};
    const u8 counter = static_cast<u8>(board.query.frame_counter + frame);
    for (const u8 direction : kDirections) {
      for (const u8 turn : kTurns) {
        Player p = from;
        p.held = direction | turn;
        p.pressed = p.held & static_cast<u8>(~from.held);
        Events untold{};
        fall(p, counter, untold);
        if (p.next_action == kResolve) {
          const int action = action_of({from.pill_x, from.pill_y, from.pill_rotation});
          if (action >= 0 && frames_to_lock[action] == kUnreachable) frames_to_lock[action] = frame;
          continue;
        }
        p.held &= static_cast<u8>(~kDown);  // nothing remembers it
        const u32 state = key(p, counter & 1);
        if (seen_[state >> 6] >> (state & 63) & 1) continue;
        seen_[state >> 6] |= u64{1} << (state & 63);
        next.push_back(p);
      }
    }
  }

  std::vector<u64> seen_ = std::vector<u64>(std::size_t{1} << (kStateBits - 6));
};

}  // namespace

int main(int argc, char** argv) {
  const int boards = argc > 1 ? std::atoi(argv[1]) : 100;
  std::mt19937 random(argc > 2 ? static_cast<unsigned>(std::atol(argv[2])) : 1u);
  Search search;
  long placements = 0, differ = 0;
  for (int i = 0; i < boards; ++i) {
    Board board = random_board(random);
    board.query.bottle = board.bottle;
    u16 slow[kActions], fast[kActions];
    search.solve(board, slow);
    reach(board.query, fast);
    for (int action = 0; action < kActions; ++action) {
      placements += slow[action] != kUnreachable;
      if (slow[action] == fast[action]) continue;
      if (++differ <= 5)
        std::printf("board %d action %d: search %d, reach %d\n", i, action, slow[action], fast[action]);
    }
  }
  std::printf("%d boards, %ld placements, %ld differ\n", boards, placements, differ);
  return differ != 0;
}
