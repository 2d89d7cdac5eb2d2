// What players see of N games, in arrays that Python looks at: rewritten in place, or left to whoever holds them.
#pragma once

#include <memory>
#include <vector>

#include "types.h"

namespace drm {

// One row per seat.
struct Observations {
  std::vector<u8> planes;      // [rows, C, 16, 8]
  std::vector<float> scalars;  // [rows, S]
  std::vector<u8> legal;       // [rows, 512]; no action of a seat that does not decide now is legal
  std::vector<u16> frames_to_lock;
};

// legal[512] of frames_to_lock[512].
inline void write_legal(const u16* frames_to_lock, u8* legal) {
  for (int a = 0; a < kActions; ++a) legal[a] = frames_to_lock[a] != kUnreachable;
}

// With `copy` observations that somebody shares are never written again: others take their place, those of before that
// nobody holds any more if there are any, as memory that is new to the process costs more than what is written to it.
class ObservationMemory {
 public:
  ObservationMemory(Observations first, bool copy)
      : now_(std::make_shared<Observations>(std::move(first))), copy_(copy) {}

  bool copy() const { return copy_; }
  Observations& now() { return *now_; }
  const Observations& now() const { return *now_; }
  std::shared_ptr<const Observations> share() const { return now_; }
  std::shared_ptr<Observations> take();  // for a holder who may write to all but the frames

  // To be called before rows change.
  struct Renewal {
    const Observations& before;  // what `now` was until then
    bool all;                    // all rows of `now` have to be written: it is another one, or was written to
  };
  Renewal renew();

 private:
  std::shared_ptr<Observations> now_;
  std::vector<std::shared_ptr<Observations>> before_;  // the last ones, some of which others may hold
  bool copy_;
  bool taken_ = false;  // since it was renewed
};

}  // namespace drm
