// A settled bottle as sets of cells, the compact state on which search works.
#pragma once

#include <bit>

#include "types.h"

namespace drm {

// A set of cells: bit row * 8 + col, rows 0-7 in `low`, 8-15 in `high`.
struct Cells {
  u64 low = 0;
  u64 high = 0;

  friend constexpr bool operator==(Cells, Cells) = default;
};

constexpr Cells operator&(Cells a, Cells b) { return {a.low & b.low, a.high & b.high}; }
constexpr Cells operator|(Cells a, Cells b) { return {a.low | b.low, a.high | b.high}; }
constexpr Cells operator~(Cells a) { return {~a.low, ~a.high}; }
constexpr bool any(Cells a) { return (a.low | a.high) != 0; }
constexpr int count(Cells a) { return std::popcount(a.low) + std::popcount(a.high); }

constexpr Cells cell_at(int cell) { return cell < 64 ? Cells{u64{1} << cell, 0} : Cells{0, u64{1} << (cell - 64)}; }
constexpr bool has(Cells a, int cell) { return any(a & cell_at(cell)); }

// Every cell moved by n rows (0 < n < 8) or columns; what leaves the bottle is gone.
constexpr Cells moved_down(Cells a, int n = 1) { return {a.low << 8 * n, a.high << 8 * n | a.low >> (64 - 8 * n)}; }
constexpr Cells moved_up(Cells a, int n = 1) { return {a.low >> 8 * n | a.high << (64 - 8 * n), a.high >> 8 * n}; }
constexpr Cells moved_right(Cells a) {
  constexpr u64 kInside = 0xFEFEFEFEFEFEFEFEull;
  return {a.low << 1 & kInside, a.high << 1 & kInside};
}
constexpr Cells moved_left(Cells a) {
  constexpr u64 kInside = 0x7F7F7F7F7F7F7F7Full;
  return {a.low >> 1 & kInside, a.high >> 1 & kInside};
}

// Every cell that is part of four or more in a row, and in a row or a column; with `cells` of one colour, of a run.
Cells in_row_runs(Cells cells);
Cells in_runs(Cells cells);

// Nothing here is falling, and no run waits to be cleared. A half without partner is a single.
struct Board {
  Cells color[kColors];
  Cells virus;
  Cells left;   // left halves: the right half lies in the next column
  Cells upper;  // upper halves: the lower half lies in the next row

  friend constexpr bool operator==(const Board&, const Board&) = default;
  constexpr Cells occupied() const { return color[0] | color[1] | color[2]; }
};

// The bottle's tiles; free cells (also those just emptied) are empty, halves whose partner is missing are singles.
Board board_of(const u8 bottle[kCells]);

void write_bottle(const Board& board, u8 bottle[kCells]);

// Whether the bottle is as between two capsules: only empty cells, viruses and complete pieces, nothing that would
// fall, no run.
bool at_rest(const u8 bottle[kCells]);

// Lets everything unsupported fall one row, as one pass of the game does; whether anything moved.
bool drop_pass(Board& board);

// 64-bit hash of a board, for transpositions.
u64 hash_of(const Board& board);

}  // namespace drm
