#include "search_moves.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "of_this_thread.h"
#include "reach.h"
#include "tables.h"

namespace drm {

// Frames of the resolution (docs/rules.md section 10), each counted from the frame before it.
static constexpr int kRedraw = 16;    // until a bottle that changed is drawn: the next drop pass waits for it
static constexpr int kFirstDrop = 4;  // lock to the first drop pass, if the redraw does not take longer
static constexpr int kToHScan = 2;    // from the drop pass that moves nothing
static constexpr int kToVScan = 3;
static constexpr int kToTidy = 4;
static constexpr int kTidyToThrow = 3;    // FINISH, ATTACK, GAP
static constexpr int kMaxCounted = 9999;  // the capsule counter stops there

std::string describe_root(const PublicState& root) {
  if (!at_rest(root.bottle)) {
    return "is not at rest: allowed are viruses, whole capsules and single halves that lie on something, and no run";
  }
  const int viruses = count(board_of(root.bottle).virus);
  if (viruses != root.viruses_left) {
    return "has " + std::to_string(viruses) + " viruses, but viruses_left is " + std::to_string(root.viruses_left);
  }
  if (root.bottle[kSpawnPose.x] != kEmpty || root.bottle[kSpawnPose.x + 1] != kEmpty) {
    return "is not empty where the capsule waits";
  }
  return {};
}

Pace Pace::next() const {
  Pace next = *this;
  if (capsules == kMaxCounted) return next;
  ++next.capsules;
  if (next.capsules % 10 == 0 && speed_ups != kMaxSpeedUps) ++next.speed_ups;
  return next;
}

// Frames from the one before the first throw call to the first controllable one. `phase`: parity of the frame counter
// in the former.
static int throw_frames(u8 speed, int phase) { return frames_to_throw(speed, phase) + 1; }

static void lose(Board& board, Cells cleared) {
  board.left = board.left & ~cleared & ~moved_left(cleared);
  board.upper = board.upper & ~cleared & ~moved_up(cleared);
  for (Cells& color : board.color) color = color & ~cleared;
  board.virus = board.virus & ~cleared;
}

// Frames from the lock to the last TIDY, or to the scan that takes the last virus. `t` is the first drop pass.
static int resolve(Board& board, int t, bool& cleared) {
  for (;;) {
    while (drop_pass(board)) t += kRedraw;
    Cells runs{};
    for (const Cells color : board.color) runs = runs | in_runs(color);
    if (!any(board.virus & ~runs)) {
      cleared = true;
      Cells across{};
      for (const Cells color : board.color) across = across | in_row_runs(color);
      const bool by_rows = !any(board.virus & ~across);
      lose(board, runs);
      return t + (by_rows ? kToHScan : kToVScan);
    }
    if (!any(runs)) return t + kToTidy;
    lose(board, runs);
    t += kToTidy + kRedraw;
  }
}

void place(const Board& before, int phase, const Pace& pace, Capsule capsule, int action, int frames_to_lock,
           Child& child) {
  const int orientation = action / kCells, first = action % kCells;
  static constexpr int kSecond[4] = {1, kCols, -1, -kCols};
  const int second = first + kSecond[orientation];
  const Cells first_cell = cell_at(first);
  const Cells second_cell = second >= 0 ? cell_at(second) : Cells{};  // above row 0 a half vanishes
  child.board = before;
  Board& board = child.board;
  Cells& first_color = board.color[capsule.first];
  first_color = first_color | first_cell;
  Cells& second_color = board.color[capsule.second];
  second_color = second_color | second_cell;
  switch (orientation) {
    case 0:
      board.left = board.left | first_cell;
      break;
    case 1:
      board.upper = board.upper | first_cell;
      break;
    case 2:
      board.left = board.left | second_cell;
      break;
    default:
      board.upper = board.upper | second_cell;
  }
  const int lower_row = first / kCols + (orientation == 1);
  int t = std::max(kFirstDrop, lower_row + 1);
  child.action = static_cast<u16>(action);
  child.frames_to_lock = static_cast<u16>(frames_to_lock);
  child.end = End::kNone;
  if (any(in_runs(first_color)) || any(in_runs(second_color))) {
    bool cleared = false;
    t = resolve(board, t, cleared);
    if (cleared) {
      child.end = End::kCleared;
      child.tau = static_cast<u16>(frames_to_lock + t);
      return;
    }
  } else {
    t += kToTidy;
  }
  t += frames_to_lock + kTidyToThrow;
  t += throw_frames(pace.speed, (phase + t) & 1);
  if (any(board.occupied() & Cells{u64{3} << kSpawnPose.x, 0})) {
    child.end = End::kTopOut;
  } else {
    ++t;  // the hand-over to the player
  }
  child.tau = static_cast<u16>(t);
}

namespace {

// The cells that a falling capsule can get into at all: its lower or left half moves sideways and down, and above that
// there may be another half. Whatever lies behind these cells, reach() gives the same answer.
Cells accessible(Cells occupied) {
  u64 half[2] = {0, 0};
  const u64 free[2] = {~occupied.low, ~occupied.high};
  u64 open = u64{3} << kSpawnPose.x;
  for (int row = 0; row < kRows; ++row) {
    const int shift = row % 8 * 8;
    const u64 empty = free[row / 8] >> shift & 0xFF;
    open &= empty;
    if (open == 0) break;
    for (u64 before = 0; before != open;) {
      before = open;
      open |= (open << 1 | open >> 1) & empty;
    }
    half[row / 8] |= open << shift;
  }
  const Cells base{half[0], half[1]};
  return base | (moved_up(base) & ~occupied);
}

// A bottle with exactly these cells free.
void write_free_cells(Cells open, u8 bottle[kCells]) {
  constexpr u64 kBits = 0x8040201008040201ull, kOnes = 0x0101010101010101ull, kSeven = 0x7F7F7F7F7F7F7F7Full;
  for (int row = 0; row < kRows; ++row) {
    const u64 bits = (row < 8 ? open.low >> 8 * row : open.high >> 8 * (row - 8)) & 0xFF;
    // Byte c keeps bit c; adding 127 then carries into its top bit where that was set.
    const u64 spread = bits * kOnes & kBits;
    const u64 cells = ((spread + kSeven) | spread) >> 7 & kOnes;
    const u64 bytes = cells * 0xFF;
    std::memcpy(bottle + kCols * row, &bytes, sizeof bytes);
  }
}

struct Placement {
  u16 action;
  u16 frames_to_lock;
};

// reach() depends on the accessible cells, the clock, and whether the colours are equal: boards that differ elsewhere
// share its answers. A direct-mapped table per thread; it changes the time of a search, never its result.
class ReachMemo {
 public:
  std::span<const Placement> find(Cells open, int phase, const Pace& pace, Capsule capsule) {
    const u32 clock = 1u + static_cast<u32>(phase) + 2u * (capsule.first == capsule.second) +
                      4u * gravity_threshold(pace.speed, pace.speed_ups);
    const u64 mixed = (open.low ^ std::rotl(open.high, 23) ^ clock) * 0x9E3779B97F4A7C15ull;
    Entry& entry = entries_[(mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9ull >> (64 - kBits)];
    if (entry.clock == clock && entry.open == open) return {entry.at, entry.size};
    const std::size_t size = solve(open, phase, pace, capsule);
    if (size > std::size(entry.at)) return {found_, size};  // no bottle of play offers so many
    entry.clock = clock;
    entry.open = open;
    entry.size = size;
    std::copy_n(found_, size, entry.at);
    return {entry.at, size};
  }

 private:
  static constexpr int kBits = 12;

  struct Entry {
    Cells open;
    u32 clock;  // 0: nothing is stored
    std::size_t size;
    Placement at[kActions / 4];
  };

  // Writes the placements to found_ and returns their number.
  std::size_t solve(Cells open, int phase, const Pace& pace, Capsule capsule) {
    u8 bottle[kCells];
    write_free_cells(open, bottle);
    u16 frames[kActions];
    reach({bottle, {capsule.first, capsule.second}, static_cast<u8>(phase), pace.speed, pace.speed_ups}, frames);
    std::size_t size = 0;
    for (int group = 0; group < kActions; group += 4) {
      u64 four;
      std::memcpy(&four, frames + group, sizeof four);
      if (four == ~u64{0}) continue;
      for (int action = group; action < group + 4; ++action) {
        if (frames[action] != kUnreachable) found_[size++] = {static_cast<u16>(action), frames[action]};
      }
    }
    return size;
  }

  Placement found_[kActions];
  std::vector<Entry> entries_{std::size_t{1} << kBits};
};

}  // namespace

void expand(const Board& board, int phase, const Pace& pace, Capsule capsule, Children& children) {
  auto& memo = of_this_thread<ReachMemo>();
  children.size = 0;
  for (const Placement& placement : memo.find(accessible(board.occupied()), phase, pace, capsule)) {
    place(board, phase, pace, capsule, placement.action, placement.frames_to_lock, children.at[children.size++]);
  }
}

}  // namespace drm
