#include "value_preview.h"

#include "clones.h"

namespace drm {

namespace {

constexpr const char* kNames[kPreviewFeatures] = {
    "first_top_one",    "first_top_two",     "first_top_three",  "first_virus_one",
    "first_virus_two",  "first_virus_three", "second_top_one",   "second_top_two",
    "second_top_three", "second_virus_one",  "second_virus_two", "second_virus_three",
    "pair_one",         "pair_two",          "pair_both",        "pair_three",
};

// Columns' topmost tiles of one colour, by how many tiles of it stand there.
struct Tops {
  Cells one, two, three;
};

Tops tops_of(Cells color, Cells top) {
  const Cells one = color & top, two = one & moved_up(color);
  return {one, two, two & moved_up(color, 2)};
}

// Where a tile of `a` has one of `b` to its right.
Cells side_by_side(Cells a, Cells b) { return a & moved_left(b); }

Cells either_way(Cells a, Cells b) { return side_by_side(a, b) | side_by_side(b, a); }

void list(const Board& board, Capsule next, i32* out) {
  const Cells tiles = board.occupied();
  Cells filled = tiles | moved_down(tiles);
  filled = filled | moved_down(filled, 2);
  filled = filled | moved_down(filled, 4);
  filled.high |= filled.low;
  const Cells top = tiles & ~moved_down(filled);
  const Cells virus_two = board.virus | moved_up(board.virus), virus_three = virus_two | moved_up(board.virus, 2);
  const Tops first = tops_of(board.color[next.first], top), second = tops_of(board.color[next.second], top);
  for (const Tops& tops : {first, second}) {
    out[kTopOne] = count(tops.one);
    out[kTopTwo] = count(tops.two);
    out[kTopThree] = count(tops.three);
    out[kVirusOne] = count(tops.one & board.virus);
    out[kVirusTwo] = count(tops.two & virus_two);
    out[kVirusThree] = count(tops.three & virus_three);
    out += kColorOffers;
  }
  out[kPairOne] = count(either_way(first.one, second.one));
  out[kPairTwo] = count(either_way(first.two, second.one) | either_way(first.one, second.two));
  out[kPairBoth] = count(either_way(first.two, second.two));
  out[kPairThree] = count(either_way(first.three, second.one) | either_way(first.one, second.three));
}

}  // namespace

std::span<const char* const> preview_feature_names() { return kNames; }

DRM_CLONES void preview_features_of(std::span<const Board> boards, const u8* next, i32* out) {
  for (const Board& board : boards) {
    list(board, {next[0], next[1]}, out);
    next += 2;
    out += kPreviewFeatures;
  }
}

}  // namespace drm
