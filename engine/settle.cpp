#include "settle.h"

#include <algorithm>
#include <bit>

#include "tables.h"

namespace drm {

static_assert(std::endian::native == std::endian::little, "the word-wide scans read byte i as bits 8i..8i+7");

// Words of eight cells: the rows of a bottle, all of whose bytes are judged at once. What is found in a byte is its
// high bit; every test is exact for every byte value.
namespace {

constexpr u64 kEach = 0x0101010101010101ull;
constexpr u64 kLowNibbles = 0x0Full * kEach;
constexpr u64 kHighNibbles = 0xF0ull * kEach;
constexpr u64 kHighBits = 0x80ull * kEach;

u64 load_row(const u8* bottle, int row) {
  u64 word;
  std::memcpy(&word, bottle + row * kCols, sizeof word);
  return word;
}

void store_row(u8* bottle, int row, u64 word) { std::memcpy(bottle + row * kCols, &word, sizeof word); }

u64 free_cells(u64 row) { return row & row << 1 & row << 2 & row << 3 & kHighBits; }
u64 occupied(u64 row) { return free_cells(row) ^ kHighBits; }

// Bytes that are 0, of a word whose high nibbles all are.
u64 zero_nibbles(u64 nibbles) { return ~(nibbles + 0x7Full * kEach) & kHighBits; }

u64 equal_colors(u64 a, u64 b) { return zero_nibbles((a ^ b) & kLowNibbles); }

// The kinds of a row, one in the low nibble of every byte.
u64 kinds_of(u64 row) { return row >> 4 & kLowNibbles; }
u64 of_kind(u64 kinds, Kind kind) { return zero_nibbles(kinds ^ (kind >> 4) * kEach); }

// Whole bytes from their high bits.
u64 bytes_of(u64 high_bits) { return (high_bits >> 7) * 0xFF; }

// Whether the pass changes anything in a row: a cell to be emptied, or a free one under a piece. (A pair moves by its
// right half; whether that may move is left to the pass.)
bool row_may_move(u64 row, u64 up) {
  const u64 gaps = free_cells(row);
  const u64 at_least_clearing = up & (up << 1 | up << 2);  // free, clearing, virus: 0xA0 and more
  return (bytes_of(gaps) & ~row) | (gaps & ~at_least_clearing & ~of_kind(kinds_of(up), kLeftHalf));
}

// One row of the pass, from right to left in place as the program does it.
bool drop_into_row(u8 bottle[kCells], int row) {
  bool moved = false;
  for (int pos = row * kCols + kCols - 1; pos >= row * kCols; --pos) {
    if (!is_free(bottle[pos])) continue;
    bottle[pos] = kEmpty;
    const int up = pos - kCols;
    if (up < 0) continue;
    const Cell piece = bottle[up];
    if (piece >= 0xA0 || kind_of(piece) == kLeftHalf) continue;
    if (kind_of(piece) == kRightHalf) {
      if (!is_free(bottle[pos - 1])) continue;
      bottle[pos - 1] = bottle[up - 1];
      bottle[up - 1] = kEmpty;
    }
    bottle[pos] = piece;
    bottle[up] = kEmpty;
    moved = true;
  }
  return moved;
}

}  // namespace

bool drop_pass(u8 bottle[kCells]) {
  bool moved = false;
  for (int row = kRows - 1; row >= 0; --row) {
    const u64 up = row > 0 ? load_row(bottle, row - 1) : ~u64{0};
    if (row_may_move(load_row(bottle, row), up)) moved |= drop_into_row(bottle, row);
  }
  return moved;
}

// Halves are orphans or not before the pass as after it, so the order of the cells does not matter.
void tidy_pass(u8 bottle[kCells]) {
  u64 above = 0, row = kinds_of(load_row(bottle, 0));
  for (int r = 0; r < kRows; ++r) {
    const u64 cells = load_row(bottle, r);
    const u64 below = r + 1 < kRows ? kinds_of(load_row(bottle, r + 1)) : 0;
    const u64 left = of_kind(row, kLeftHalf), right = of_kind(row, kRightHalf);
    const u64 orphans = (of_kind(row, kTop) & ~of_kind(below, kBottom)) |
                        (of_kind(row, kBottom) & ~of_kind(above, kTop)) | (left & ~(right >> 8)) |
                        (right & ~(left << 8));
    const u64 runs = of_kind(row, kClearing);
    if (orphans | runs) {
      const u64 changed = bytes_of(orphans | runs) & kHighNibbles;
      store_row(bottle, r,
                (cells & ~changed) | (bytes_of(orphans) & kSingle * kEach) | (bytes_of(runs) & kEmptied * kEach));
    }
    above = row;
    row = below;
  }
}

// The screen shows the score times 10 and the lowest digit stays 0, so points go to digit 1.
static void add_score(Match& match, u8 speed, u8 times) {
  const auto digit = [&](int i) -> u8& { return match.*kScoreDigits[i]; };
  for (; times; --times) {
    digit(1) = static_cast<u8>(digit(1) + speed + 1);
    for (int i = 1; i < 5 && digit(i) > 9; ++i) {
      digit(i) -= 10;
      ++digit(i + 1);
    }
    if (digit(5) > 9) digit(5) = 9;
  }
}

static void kill_virus(Match& match, Player& p, u8 color, Events& events) {
  ++events.viruses_cleared;
  ++events.viruses_by_color[color];
  if (match.nb_players == 1) {
    constexpr u8 last = sizeof kScoreMultiplier - 1;
    add_score(match, p.speed_setting, kScoreMultiplier[std::min(p.score_multiplier, last)]);
    if (p.score_multiplier >= last) match.many_virus_flag = 1;
    if (p.score_multiplier != 255) ++p.score_multiplier;
  }
  if (p.virus_left_bcd != 0) p.virus_left_bcd = bcd_decrement(p.virus_left_bcd);
  p.status = 15;
  if (p.virus_left_bcd == 0) ++p.victories;
}

// Marks the `length` cells from `cell` on, `stride` apart, as one run.
static void process_run(Match& match, Player& p, int cell, int stride, int length, Events& events) {
  const u8 color = color_of(p.bottle[cell]);
  const bool first_of_all = p.combo == 0;
  if (p.match_flag == 0) {  // this run makes the pass one that clears something
    ++events.cascade;
    if (!first_of_all) ++events.passes_after_first;
  }
  ++events.combos;
  if (!first_of_all) ++events.runs_after_first;
  ++p.combo;
  p.chain_len0 = static_cast<u8>(length - 1);
  p.chain_start_row = static_cast<u8>(cell / kCols);
  if (p.combo >= 1 && p.combo <= 4) p.*kAttackColors[p.combo - 1] = color;
  p.chain_len = static_cast<u8>(p.chain_len + length);
  for (int i = 0; i < length; ++i, cell += stride) {
    const u8 kind = kind_of(p.bottle[cell]);
    if (kind == kVirus) {
      kill_virus(match, p, color, events);
    } else if (kind != kClearing) {  // not yet part of a run across this one
      ++events.halves_cleared;
    }
    p.bottle[cell] = kClearing + color;
  }
  ++p.match_flag;
}

// Runs of one line: `count` cells from `first` on, `stride` apart.
static void scan_line(Match& match, Player& p, int first, int stride, int count, Events& events) {
  for (int start = 0; start <= count - 4;) {
    const Cell cell = p.bottle[first + start * stride];
    if (is_free(cell)) {
      ++start;
      continue;
    }
    int end = start + 1;
    while (end < count && color_of(p.bottle[first + end * stride]) == color_of(cell)) ++end;
    if (end - start >= 4) process_run(match, p, first + start * stride, stride, end - start, events);
    start = end;
  }
}

static void horizontal_scan(Match& match, Player& p, Events& events) {
  for (int row = 0; row < kRows; ++row) {
    const u64 cells = load_row(p.bottle, row);
    const u64 equal = equal_colors(cells, cells >> 8) & (kHighBits >> 8);
    if (equal & equal >> 8 & equal >> 16 & occupied(cells)) scan_line(match, p, row * kCols, 1, kCols, events);
  }
}

static void vertical_scan(Match& match, Player& p, Events& events) {
  u64 columns = 0;  // high bit of byte c: column c may hold a run
  u64 rows[kRows];
  for (int row = 0; row < kRows; ++row) rows[row] = load_row(p.bottle, row);
  for (int row = 0; row + 3 < kRows; ++row) {
    columns |= equal_colors(rows[row], rows[row + 1]) & equal_colors(rows[row + 1], rows[row + 2]) &
               equal_colors(rows[row + 2], rows[row + 3]) & occupied(rows[row]);
  }
  for (; columns; columns &= columns - 1) scan_line(match, p, std::countr_zero(columns) / 8, kCols, kRows, events);
}

void resolve(Match& match, Player& p, Events& events) {
  switch (p.placed_step) {
    case kBegin:
      p.score_multiplier = 0;
      p.placed_step = kPadA;
      break;
    case kPadA:
    case kPadB:
      ++p.placed_step;
      break;
    case kDrop:
      if (p.status != 255) break;
      p.placed_step = drop_pass(p.bottle) ? kPadB : kArm;
      p.status = 15;
      break;
    case kArm:
      p.match_flag = 0;
      p.placed_step = kHScan;
      break;
    case kHScan:
      horizontal_scan(match, p, events);
      p.placed_step = kVScan;
      break;
    case kVScan:
      vertical_scan(match, p, events);
      p.placed_step = kTidy;
      break;
    case kTidy:
      tidy_pass(p.bottle);
      p.status = 15;
      p.placed_step = p.match_flag != 0 ? kPadA : kFinish;
      break;
    default:  // kFinish
      p.placed_step = kBegin;
      p.next_action = kAttack;
      break;
  }
}

}  // namespace drm
