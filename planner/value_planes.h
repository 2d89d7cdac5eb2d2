// The sets of cells that value features count, for four boards at a time.
#pragma once

#include "search_board.h"

namespace drm {

enum ValuePlane {
  kPlaneVirus,         // viruses
  kPlaneHalf,          // halves
  kPlaneFilled,        // cells at or below the top of their column
  kPlaneCenter,        // tiles in the columns where capsules appear
  kPlaneHole,          // empty cells below a tile
  kPlaneStep,          // cells filled in one of two neighbouring columns only: their difference in height
  kPlaneMixed,         // tiles on a tile of another colour
  kPlaneMixedOnVirus,  // tiles on a virus of another colour
  kPlaneMixedAbove,    // tiles on a tile of another colour, a virus somewhere below
  kPlaneCovered,       // viruses below a tile
  kPlaneTopTwo,        // column tops on a tile of their colour
  kPlaneTopThree,      // on two
  kPlaneVirusWindows,  // then kWindowKinds planes of viruses and as many of halves
  kWindowKinds = 10,
  kPlaneHalfWindows = kPlaneVirusWindows + kWindowKinds,
  kPlanes = kPlaneHalfWindows + kWindowKinds,
};

// Tiles by the best windows that hold them: four cells in a line with tiles of one colour only, and cells to which
// nothing bars the way from above ("open"; "ready" when the next tile dropped in that column stays there).
enum WindowKind {
  kDown1,    // a column's window, 1 tile or more
  kDown2,    // 2 or more
  kDown3,    // 3
  kAcross1,  // a row's window
  kAcross2,
  kAcross3,
  kReady2,  // a row's window, 2 or more tiles, the other cells ready
  kReady3,
  kBuried,  // no such window, but one with covered empty cells
  kDead,    // none at all
};

enum ValueScalar {
  kScalarOne,
  kScalarRoot,          // 16 times the square root of the number of viruses
  kScalarVirusColumns,  // columns with viruses
  kScalarVirusColors,   // colours with viruses
  kScalarAbsentTops,    // colours that no column shows on top
  kValueScalars,
};

// gcc warns that passing vectors wider than the baseline's has no fixed ABI; everything here is inlined.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpsabi"

#define DRM_INLINE [[gnu::always_inline]] inline

using Words = u64 __attribute__((vector_size(32)));  // one word of each board

// A set of cells of each of four boards; as Cells.
struct FourCells {
  Words low, high;
};

DRM_INLINE FourCells operator&(const FourCells& a, const FourCells& b) { return {a.low & b.low, a.high & b.high}; }
DRM_INLINE FourCells operator|(const FourCells& a, const FourCells& b) { return {a.low | b.low, a.high | b.high}; }
DRM_INLINE FourCells operator^(const FourCells& a, const FourCells& b) { return {a.low ^ b.low, a.high ^ b.high}; }
DRM_INLINE FourCells operator~(const FourCells& a) { return {~a.low, ~a.high}; }
template <int n>
DRM_INLINE FourCells down(const FourCells& a) {
  return {a.low << 8 * n, a.high << 8 * n | a.low >> (64 - 8 * n)};
}
template <int n>
DRM_INLINE FourCells up(const FourCells& a) {
  return {a.low >> 8 * n | a.high << (64 - 8 * n), a.high >> 8 * n};
}
// Within rows, with rubbish from the neighbouring row where a column leaves the bottle.
template <int n>
DRM_INLINE FourCells right(const FourCells& a) {
  return {a.low << n, a.high << n};
}
template <int n>
DRM_INLINE FourCells left(const FourCells& a) {
  return {a.low >> n, a.high >> n};
}
DRM_INLINE FourCells columns(const FourCells& a, u64 mask) {
  mask *= 0x0101010101010101ull;
  return {a.low & mask, a.high & mask};
}
template <int n, bool kDown>
DRM_INLINE FourCells ahead(const FourCells& a) {  // the cell n places further in the line
  if constexpr (kDown) return up<n>(a);
  return left<n>(a);
}
template <int n, bool kDown>
DRM_INLINE FourCells behind(const FourCells& a) {
  if constexpr (kDown) return down<n>(a);
  return right<n>(a);
}

// First cells of windows inside `cells`.
template <bool kDown>
DRM_INLINE FourCells windows(const FourCells& cells) {
  const FourCells two = cells & ahead<1, kDown>(cells);
  const FourCells four = two & ahead<2, kDown>(two);
  return kDown ? four : columns(four, 0x1F);
}

// All cells of windows, given by their first cells.
template <bool kDown>
DRM_INLINE FourCells spread(const FourCells& first) {
  const FourCells two = first | behind<1, kDown>(first);
  return two | behind<2, kDown>(two);
}

struct WindowCells {
  FourCells one, two, three, two_ready, three_ready;
};

// Cells of the windows of one colour in one direction, by how many of their cells it has.
template <bool kDown>
DRM_INLINE WindowCells windows_of(const FourCells& color, const FourCells& open, const FourCells& ready) {
  const FourCells first = windows<kDown>(color | open);
  const FourCells next = ahead<1, kDown>(color);
  const FourCells both = color & next, either = color | next;
  const FourCells both_later = ahead<2, kDown>(both), either_later = ahead<2, kDown>(either);
  const FourCells two = first & (both | both_later | (either & either_later));
  const FourCells three = first & ((both & either_later) | (either & both_later));
  WindowCells cells{spread<kDown>(first), spread<kDown>(two), spread<kDown>(three), {}, {}};
  if constexpr (!kDown) {
    const FourCells now = windows<kDown>(color | ready);
    cells.two_ready = spread<kDown>(two & now);
    cells.three_ready = spread<kDown>(three & now);
  }
  return cells;
}

// The tiles of each kind of window, colours together.
DRM_INLINE void window_planes(const FourCells (&color)[kColors], const FourCells& empty, const FourCells& open,
                              const FourCells& ready, FourCells (&kinds)[kWindowKinds]) {
  for (FourCells& kind : kinds) kind = FourCells{};
  for (const FourCells& c : color) {
    const auto add = [&](WindowKind kind, const FourCells& cells) { kinds[kind] = kinds[kind] | (cells & c); };
    const WindowCells in_column = windows_of<true>(c, open, ready);
    add(kDown1, in_column.one);
    add(kDown2, in_column.two);
    add(kDown3, in_column.three);
    const WindowCells in_row = windows_of<false>(c, open, ready);
    add(kAcross1, in_row.one);
    add(kAcross2, in_row.two);
    add(kAcross3, in_row.three);
    add(kReady2, in_row.two_ready);
    add(kReady3, in_row.three_ready);
    const FourCells somehow = spread<true>(windows<true>(c | empty)) | spread<false>(windows<false>(c | empty));
    add(kBuried, somehow & ~(in_column.one | in_row.one));
    kinds[kDead] = kinds[kDead] | (c & ~somehow);
  }
}

// Calls sink.plane(number, cells) for every plane and sink.scalar(number, words) for every scalar.
template <class Sink>
DRM_INLINE void visit_planes(const FourCells (&color)[kColors], const FourCells& virus, Sink& sink) {
  const FourCells tiles = color[0] | color[1] | color[2];
  FourCells filled = tiles | down<1>(tiles);
  filled = filled | down<2>(filled);
  filled = filled | down<4>(filled);
  filled.high |= filled.low;
  FourCells above_virus = up<1>(virus);
  above_virus = above_virus | up<1>(above_virus);
  above_virus = above_virus | up<2>(above_virus);
  above_virus = above_virus | up<4>(above_virus);
  above_virus.low |= above_virus.high;
  const FourCells covered = down<1>(filled);
  const FourCells open = ~filled, top = tiles & ~covered;
  FourCells floor = up<1>(filled);
  floor.high |= Words{} + (u64{0xFF} << 56);
  const FourCells same = (color[0] & up<1>(color[0])) | (color[1] & up<1>(color[1])) | (color[2] & up<1>(color[2]));
  const FourCells mixed = tiles & up<1>(tiles) & ~same;
  const FourCells top_two = top & same;
  sink.plane(kPlaneVirus, virus);
  sink.plane(kPlaneHalf, tiles & ~virus);
  sink.plane(kPlaneFilled, filled);
  sink.plane(kPlaneCenter, columns(tiles, 0x18));
  sink.plane(kPlaneHole, filled & ~tiles);
  sink.plane(kPlaneStep, columns(filled ^ left<1>(filled), 0x7F));
  sink.plane(kPlaneMixed, mixed);
  sink.plane(kPlaneMixedOnVirus, mixed & up<1>(virus));
  sink.plane(kPlaneMixedAbove, mixed & above_virus);
  sink.plane(kPlaneCovered, virus & covered);
  sink.plane(kPlaneTopTwo, top_two);
  sink.plane(kPlaneTopThree, top_two & up<1>(same));
  FourCells kinds[kWindowKinds];
  window_planes(color, ~tiles, open, open & floor, kinds);
  for (int kind = 0; kind < kWindowKinds; ++kind) {
    sink.plane(kPlaneVirusWindows + kind, kinds[kind] & virus);
    sink.plane(kPlaneHalfWindows + kind, kinds[kind] & ~virus);
  }
  // Comparisons of vectors give -1 for true.
  Words colors_left = {}, absent_tops = {};
  for (const FourCells& c : color) {
    const FourCells viruses = c & virus, tops = c & top;
    colors_left -= reinterpret_cast<Words>((viruses.low | viruses.high) != 0);
    absent_tops -= reinterpret_cast<Words>((tops.low | tops.high) == 0);
  }
  sink.scalar(kScalarVirusColors, colors_left);
  sink.scalar(kScalarAbsentTops, absent_tops);
  sink.viruses(virus);
}

#pragma GCC diagnostic pop

}  // namespace drm
