#include "observe.h"

#include <algorithm>

#include "falling.h"
#include "tables.h"

namespace drm {

// A branch-free loop over the 128 cells, which compilers turn into vector code.
template <typename Test>
static u8* plane(const u8* bottle, u8* out, Test test) {
  for (int i = 0; i < kCells; ++i) out[i] = test(bottle[i]);
  return out + kCells;
}

static u8* color_planes(const u8* bottle, u8* out) {
  for (u8 c = 0; c < kColors; ++c) out = plane(bottle, out, [c](u8 cell) { return u8(cell == kVirus + c); });
  for (u8 c = 0; c < kColors; ++c) {
    out = plane(bottle, out, [c](u8 cell) { return u8((u8((cell & 0x0F) == c) & u8(cell < kClearing))); });
  }
  return out;
}

static void mark(u8* planes, u8 color, int cell) {
  if (cell >= 0) planes[(color < kColors ? color : 0) * kCells + cell] = 1;
}

static void capsule_planes(const Player& p, u8* out) {
  std::fill_n(out, 6 * kCells, u8{0});
  if (p.next_action == kFall || p.next_action == kHandover) {
    const int base = base_cell(p.pill_x, p.pill_y);
    const int other = base + (is_vertical(p.pill_rotation) ? -kCols : 1);
    const bool first_is_base = p.pill_rotation < 2;
    mark(out, p.pill_color_l, first_is_base ? base : other);
    mark(out, p.pill_color_r, first_is_base ? other : base);
  }
  const int spawn = base_cell(kSpawnPose.x, kSpawnPose.y);
  mark(out + 3 * kCells, p.next_color_l, spawn);
  mark(out + 3 * kCells, p.next_color_r, spawn + 1);
}

void write_planes(const Player& p, PlaneSet set, const bool* legal, u8* out) {
  const u8* bottle = p.bottle;
  out = color_planes(bottle, out);
  if (set == PlaneSet::kBitplane) {
    out = plane(bottle, out, [](u8 cell) { return u8(cell >= kEmptied); });
    out = plane(bottle, out, [](u8 cell) { return u8(cell < kSingle); });
    if (legal) {
      std::memcpy(out, legal, kActions);
    } else {
      std::fill_n(out, kActions, u8{0});
    }
    return;
  }
  for (const u8 kind : {kLeftHalf, kRightHalf, kTop, kBottom}) {
    out = plane(bottle, out, [kind](u8 cell) { return u8((cell & 0xF0) == kind); });
  }
  capsule_planes(p, out);
}

void write_scalars(const Match& match, const Player& p, float* out) {
  std::fill_n(out, kScalars, 0.0f);
  const u8 colors[4] = {p.pill_color_l, p.pill_color_r, p.next_color_l, p.next_color_r};
  for (int i = 0; i < 4; ++i) out[3 * i + std::min<u8>(colors[i], 2)] = 1.0f;
  out[12] = static_cast<float>(p.level) / 20.0f;
  out[13 + p.speed_setting] = 1.0f;
  out[16] = static_cast<float>(p.speed_ups) / 49.0f;
  out[17] = static_cast<float>(gravity_threshold(p.speed_setting, p.speed_ups)) / 40.0f;
  out[18] = static_cast<float>(bcd_to_int(p.virus_left_bcd)) / 84.0f;
  out[19] = static_cast<float>(match.frame_counter & 1);
  out[20] = static_cast<float>(bcd_to_int(p.pill_count_bcd) + 100 * bcd_to_int(p.pill_count_hundreds)) / 256.0f;
  out[21] = static_cast<float>(p.speed_counter) / 40.0f;
  out[22] = static_cast<float>(p.hor_velocity) / 16.0f;
}

}  // namespace drm
