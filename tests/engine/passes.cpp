// The two passes that are computed on words of eight cells, against the program's own loops over single cells.
//
//   passes BOTTLES SEED
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "settle.h"

using namespace drm;

// docs/rules.md section 10, DROP: from the last cell to the first, in place.
static bool plain_drop(u8 bottle[kCells]) {
  bool moved = false;
  for (int pos = kCells - 1; pos >= 0; --pos) {
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

// The same, TIDY.
static void plain_tidy(u8 bottle[kCells]) {
  for (int pos = kCells - 1; pos >= 0; --pos) {
    const Cell cell = bottle[pos];
    const int col = pos % kCols;
    bool partner = true;
    if (kind_of(cell) == kClearing) bottle[pos] = kEmptied + color_of(cell);
    if (kind_of(cell) == kTop) partner = pos + kCols < kCells && kind_of(bottle[pos + kCols]) == kBottom;
    if (kind_of(cell) == kBottom) partner = pos >= kCols && kind_of(bottle[pos - kCols]) == kTop;
    if (kind_of(cell) == kLeftHalf) partner = col < kCols - 1 && kind_of(bottle[pos + 1]) == kRightHalf;
    if (kind_of(cell) == kRightHalf) partner = col > 0 && kind_of(bottle[pos - 1]) == kLeftHalf;
    if (!partner) bottle[pos] = kSingle + color_of(cell);
  }
}

// Any bottle that set_state takes: pieces that hang, halves without partners, runs not yet tidied.
static void fill(u8 bottle[kCells], std::mt19937_64& random) {
  constexpr u8 kinds[] = {kTop, kBottom, kLeftHalf, kRightHalf, kSingle, kClearing, kVirus, kEmptied};
  const unsigned crowd = 1 + static_cast<unsigned>(random() % 8);  // of 8 cells, how many are not empty
  for (int pos = 0; pos < kCells; ++pos) {
    const u64 draw = random();
    bottle[pos] = draw % 8 >= crowd ? kEmpty : static_cast<u8>(kinds[(draw >> 8) % 8] + (draw >> 16) % 3);
    const bool pair = (draw >> 24) % 2 && pos % kCols && kind_of(bottle[pos - 1]) == kLeftHalf;
    if (pair) bottle[pos] = static_cast<u8>(kRightHalf + (draw >> 32) % 3);
    if (pos % kCols == 0 && kind_of(bottle[pos]) == kRightHalf) bottle[pos] = kEmpty;
  }
}

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: passes BOTTLES SEED\n"), 2;
  const long bottles = std::atol(argv[1]);
  std::mt19937_64 random(static_cast<u64>(std::atol(argv[2])));
  long differ = 0;
  for (long i = 0; i < bottles; ++i) {
    u8 plain[kCells], words[kCells];
    fill(plain, random);
    std::memcpy(words, plain, kCells);
    plain_tidy(plain);
    tidy_pass(words);
    bool same = std::memcmp(plain, words, kCells) == 0;
    for (bool moved = true; moved && same;) {
      moved = plain_drop(plain);
      same = drop_pass(words) == moved && std::memcmp(plain, words, kCells) == 0;
    }
    differ += !same;
  }
  std::printf("%ld bottles, %ld differ\n", bottles, differ);
  return differ > 0;
}
