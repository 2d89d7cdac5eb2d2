#include "observations.h"

#include "observe.h"

namespace drm {

Observations::Observations(std::size_t rows, std::size_t plane_count, bool copy)
    : planes(rows * plane_count * kCells),
      scalars(rows * kScalars),
      legal(rows * kActions),
      frames_to_lock(rows * kActions),
      copy_(copy) {}

Observations::Renewal Observations::renew() {
  if (!copy_) return {frames_to_lock.now(), false};
  planes.prepare(), scalars.prepare(), legal.prepare(), frames_to_lock.prepare();
  const auto moves = [](auto& array) { return &array.renew() != &array.now(); };
  bool all = std::exchange(taken_, false);
  all |= moves(planes);
  all |= moves(scalars);
  all |= moves(legal);
  const auto& before = frames_to_lock.renew();
  return {before, all || &before != &frames_to_lock.now()};
}

}  // namespace drm
