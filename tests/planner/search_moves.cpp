// The law of search's transitions at scale: for random boards, capsules, clocks and placements, place() and expand()
// give the bottle, the frames and the end that the engine gives (place_and_settle, advance), which warp.cpp ties to
// play frame by frame. Usage: search_moves [cases] [seed]
#include "search_moves.h"

#include <algorithm>
#include <cstdlib>

#include "reach.h"
#include "round.h"
#include "start.h"
#include "warp.h"
#include "warp_rounds.h"

using namespace drm;

namespace {

// A parked game. Half of the time few colours and a high filling, so that runs, cascades and ends are common.
Round fresh_game(std::mt19937_64& random) {
  GameConfig config{};
  config.players = 1;
  config.level[0] = below(random, kMaxLevel + 1);
  config.speed[0] = below(random, kSpeeds);
  config.seed = static_cast<u16>(2 + random() % 65534);
  config.frame_counter = static_cast<u8>(random());
  Round round{};
  start_at_play(round.match, config);
  begin(round);
  Player& p = round.match.player[0];
  if (random() % 2) p.speed_ups = below(random, kMaxSpeedUps + 1);
  if (random() % 2) {  // a pile that has come to rest
    Board board{};
    const int top = 2 + below(random, 13), colors = 1 + below(random, 3), fill = 2 + below(random, 6);
    for (int cell = top * kCols; cell < kCells; ++cell) {
      if (below(random, 8) >= fill) continue;
      const auto color = below(random, static_cast<u64>(colors));
      board.color[color] = board.color[color] | cell_at(cell);
      if (below(random, 6) == 0) board.virus = board.virus | cell_at(cell);
    }
    bool moving = true;
    while (moving) {
      Cells runs{};
      for (const Cells color : board.color) runs = runs | in_runs(color);
      for (Cells& color : board.color) color = color & ~runs;
      board.virus = board.virus & ~runs;
      moving = drop_pass(board) || any(runs);
    }
    if (any(board.virus)) {
      write_bottle(board, p.bottle);
      p.virus_left_bcd = int_to_bcd(count(board.virus));
    }
  }
  return round;
}

struct Tally {
  long cases = 0, games = 1, clears = 0, cascades = 0, cleared = 0, topped = 0, low = 0;
};

bool equal_case(const Round& before, const Child& child, u16 frames_to_lock, Tally& tally, Round& after) {
  after = before;
  place_and_settle(after, 0, child.action, frames_to_lock);
  u8 settled[kCells], ours[kCells];
  std::copy_n(after.match.player[0].bottle, kCells, settled);
  advance(after);
  const Match& match = before.match;
  const Events& outcome = after.events[0];
  write_bottle(child.board, ours);
  ++tally.cases;
  tally.clears += outcome.combos > 0;
  tally.cascades += outcome.cascade > 1;
  tally.cleared += outcome.cleared;
  tally.topped += outcome.top_out;
  tally.low += match.player[0].speed_setting == kLow;
  const End end = outcome.cleared ? End::kCleared : outcome.top_out ? End::kTopOut : End::kNone;
  // The game stops at the scan that takes the last virus; search goes on to the settled board of no interest.
  const bool same_bottle = outcome.cleared || std::memcmp(settled, ours, kCells) == 0;
  bool same_clock = true;
  if (end == End::kNone) {
    const PublicState root = public_state(match, 0), next = public_state(after.match, 0);
    const Pace pace = Pace{root.speed, root.speed_ups, root.capsules_thrown}.next();
    same_clock = pace.capsules == next.capsules_thrown && pace.speed_ups == next.speed_ups && at_rest(next.bottle) &&
                 count(child.board.virus) == next.viruses_left &&
                 ((root.frame_counter + child.tau) & 1) == (next.frame_counter & 1);
  }
  if (same_bottle && same_clock && child.tau == outcome.tau && child.end == end) return true;
  std::printf("action %d: tau %d and %u, end %d and %d, bottles %s, clocks %s\n", child.action, child.tau, outcome.tau,
              static_cast<int>(child.end), static_cast<int>(end), same_bottle ? "equal" : "differ",
              same_clock ? "equal" : "differ");
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const long wanted = argc > 1 ? std::atol(argv[1]) : 100'000;
  std::mt19937_64 random(argc > 2 ? static_cast<u64>(std::atol(argv[2])) : 1u);
  static Children children;
  Round round = fresh_game(random);
  Tally tally;
  while (tally.cases < wanted) {
    const PublicState root = public_state(round.match, 0);
    u16 frames_to_lock[kActions];
    reach(query_of(round.match, 0), frames_to_lock);
    const Board board = board_of(root.bottle);
    if (!at_rest(root.bottle)) return std::printf("a parked bottle is not at rest\n"), 1;
    expand(board, root.frame_counter & 1, {root.speed, root.speed_ups, root.capsules_thrown},
           {root.capsule[0], root.capsule[1]}, children);
    Round after{};
    const auto chosen = random() % static_cast<u64>(children.size);
    int n = 0;
    for (int action = 0; action < kActions; ++action) {
      if (frames_to_lock[action] == kUnreachable) continue;
      if (n >= children.size || children.at[n].action != action) return std::printf("placements differ\n"), 1;
      Round next;
      if (!equal_case(round, children.at[n], frames_to_lock[action], tally, next)) return 1;
      if (static_cast<u64>(n++) == chosen) after = next;
    }
    if (n != children.size) return std::printf("placements differ\n"), 1;
    round = after;
    if (round.over || random() % 16 == 0) {
      round = fresh_game(random);
      ++tally.games;
    }
  }
  std::printf(
      "%ld cases, %ld games, %ld with clears, %ld cascades, %ld stages cleared, %ld top-outs, %ld at LOW: equal\n",
      tally.cases, tally.games, tally.clears, tally.cascades, tally.cleared, tally.topped, tally.low);
  return 0;
}
