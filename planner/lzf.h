// Compression of the chunks of a trace (docs/traces.md): the stream of LibLZF, which every h5py decodes, written by an
// encoder that knows how long a row is.
//
// Consecutive rows of a table are alike, so the bytes of the row before are the likeliest match, found without a
// search; a table of positions finds the others. The format: a control byte c < 32 is followed by c + 1 literal bytes;
// otherwise c >> 5 is a match's length - 2, where 7 means that a byte to be added follows, and c & 31 the high bits of
// its distance - 1, of which the low byte follows.
// https://github.com/nemequ/liblzf (lzf_d.c); the filter is number 32000 of HDF5.
#pragma once

#include <cstddef>
#include <vector>

#include "types.h"

namespace drm {

class Lzf {
 public:
  // `size` bytes, rows of `row` bytes. False when they would not become shorter; `out` is then meaningless.
  bool compress(const u8* bytes, std::size_t size, std::size_t row, std::vector<u8>& out);

 private:
  std::vector<u32> seen_;  // by hash of four bytes: position after the last place where they were looked up
};

// What HDF5's filter `shuffle` makes of elements of `width` bytes: all first bytes, all second bytes, ...
void shuffle(const u8* bytes, std::size_t size, std::size_t width, std::vector<u8>& out);

}  // namespace drm
