// The boards that a search in public view goes on from.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "search_moves.h"

namespace drm {

inline constexpr int kMaxBoards = 256;

struct BeamEntry {
  Board board;
  i32 rank;  // frames so far and value, in kFrameUnits
  i32 frames;
  u16 first;  // which first move
  End end;
};

// The best distinct boards, best first, `room` of them at most.
struct Beam {
  int size = 0;
  int room = 0;
  BeamEntry at[kMaxBoards];

  void add(const BeamEntry& entry) {
    if (size == room && entry.rank >= at[size - 1].rank) return;
    int place = 0;
    while (place < size && at[place].rank <= entry.rank) {
      if (at[place].end == entry.end && at[place].board == entry.board) return;
      ++place;
    }
    int last = place;  // a worse copy of the same board makes room, else the worst entry
    while (last < size && !(at[last].end == entry.end && at[last].board == entry.board)) ++last;
    if (last == size) {
      if (size < room) {
        ++size;
      } else {
        --last;
      }
    }
    std::move_backward(at + place, at + last, at + last + 1);
    at[place] = entry;
  }
};

// Beams by number, for ways that begin alike.
class BeamStore {
 public:
  void clear(std::size_t beams, int width) {
    width_ = static_cast<std::size_t>(width);
    entries_.resize(std::max(entries_.size(), beams * width_));
    sizes_.assign(beams, 0);
  }
  // Copies a beam, if it is there.
  bool find(std::size_t which, Beam& to) const {
    to.size = sizes_[which];
    std::copy_n(entries_.begin() + static_cast<std::ptrdiff_t>(which * width_), to.size, to.at);
    return to.size > 0;
  }
  void keep(std::size_t which, const Beam& beam) {
    std::copy_n(beam.at, beam.size, entries_.begin() + static_cast<std::ptrdiff_t>(which * width_));
    sizes_[which] = beam.size;
  }

 private:
  std::size_t width_ = 0;
  std::vector<BeamEntry> entries_;  // [beam, width]
  std::vector<int> sizes_;          // [beam]; 0: not there
};

}  // namespace drm
