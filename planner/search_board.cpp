#include "search_board.h"

#include <bit>
#include <cstring>

namespace drm {

// Bit c: columns c..c+3 are set; and all of these.
static Cells fours_across(Cells cells) {
  const Cells two = cells & moved_left(cells);
  return two & moved_left(moved_left(two));
}
static Cells all_across(Cells fours) {
  fours = fours | moved_right(fours);
  return fours | moved_right(moved_right(fours));
}

Cells in_row_runs(Cells cells) { return all_across(fours_across(cells)); }

Cells in_runs(Cells cells) {
  const Cells across = fours_across(cells);
  const Cells two = cells & moved_up(cells);
  Cells down = two & moved_up(two, 2);  // bit r: rows r..r+3 are set
  if (!any(across | down)) return {};   // as most often
  down = down | moved_down(down);
  return all_across(across) | down | moved_down(down, 2);
}

namespace {

// Of every cell, bit `bit` of its byte.
Cells bit_plane(const u64 (&rows)[kRows], int bit) {
  static_assert(std::endian::native == std::endian::little && kCols == 8);
  u64 halves[2] = {};
  for (int row = 0; row < kRows; ++row) {
    halves[row / 8] |= gathered(rows[row] >> bit & 0x0101010101010101ull) << 8 * (row % 8);
  }
  return {halves[0], halves[1]};
}

}  // namespace

Board board_of(const u8 bottle[kCells]) {
  u64 rows[kRows];
  std::memcpy(rows, bottle, kCells);
  Cells kind[4];
  for (int bit = 0; bit < 4; ++bit) kind[bit] = bit_plane(rows, 4 + bit);
  const auto is = [&](Kind wanted) {
    Cells all = ~Cells{};
    for (int bit = 0; bit < 4; ++bit) all = all & (wanted >> (4 + bit) & 1 ? kind[bit] : ~kind[bit]);
    return all;
  };
  const Cells tiles = ~is(kEmptied), red = bit_plane(rows, 0), blue = bit_plane(rows, 1);  // see Color
  return {.color = {tiles & ~(red | blue), tiles & red & ~blue, tiles & blue},
          .virus = is(kVirus),
          .left = is(kLeftHalf) & moved_left(is(kRightHalf)),
          .upper = is(kTop) & moved_up(is(kBottom))};
}

void write_bottle(const Board& board, u8 bottle[kCells]) {
  const Cells right = moved_right(board.left), lower = moved_down(board.upper);
  for (int cell = 0; cell < kCells; ++cell) {
    bottle[cell] = kEmpty;
    for (u8 color = 0; color < kColors; ++color) {
      if (!has(board.color[color], cell)) continue;
      const u8 kind = has(board.virus, cell)   ? kVirus
                      : has(board.left, cell)  ? kLeftHalf
                      : has(right, cell)       ? kRightHalf
                      : has(board.upper, cell) ? kTop
                      : has(lower, cell)       ? kBottom
                                               : kSingle;
      bottle[cell] = kind + color;
    }
  }
}

bool at_rest(const u8 bottle[kCells]) {
  Board board = board_of(bottle);
  u8 same[kCells];
  write_bottle(board, same);
  if (std::memcmp(bottle, same, kCells) != 0) return false;
  for (const Cells color : board.color) {
    if (any(in_runs(color))) return false;
  }
  return !drop_pass(board);
}

bool drop_pass(Board& board) {
  const Cells occupied = board.occupied(), loose = occupied & ~board.virus;
  const Cells right = moved_right(board.left), paired = board.left | right;
  constexpr Cells kFloor{0, u64{0xFF} << 56};
  // A piece falls when all that is below its cells is empty or falls. Whatever falls stands on a lowest piece that has
  // nothing below it, so the first round finds none in a bottle at rest; every round more goes up the stacks.
  Cells falls{};
  for (;;) {
    const Cells free = loose & ~(moved_up(occupied & ~falls) | kFloor);  // nothing that stays is below
    const Cells both = free & board.left & moved_left(free);
    const Cells more = (free & ~paired) | both | moved_right(both);
    if (more == falls) break;
    falls = more;
  }
  if (!any(falls)) return false;
  const auto fall = [falls](Cells& cells) { cells = (cells & ~falls) | moved_down(cells & falls); };
  for (Cells& color : board.color) fall(color);
  fall(board.left);
  fall(board.upper);
  return true;
}

u64 hash_of(const Board& board) {
  // Two multiply-xorshift streams over the words (constants of splitmix64), then its finaliser.
  u64 words[sizeof(Board) / 8];
  static_assert(sizeof(Board) == 12 * 8);
  std::memcpy(words, &board, sizeof board);
  u64 a = 0x9E3779B97F4A7C15ull, b = 0xD1B54A32D192ED03ull;
  for (int i = 0; i < 12; i += 2) {
    a = (a ^ words[i]) * 0xBF58476D1CE4E5B9ull;
    a ^= a >> 29;
    b = (b ^ words[i + 1]) * 0x94D049BB133111EBull;
    b ^= b >> 31;
  }
  u64 z = a + std::rotl(b, 23);
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
  return z ^ z >> 27;
}

}  // namespace drm
