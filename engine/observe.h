// What an actor may see, as arrays: 0/1 planes and scalars. The names here are the single source for Python.
#pragma once

#include <span>

#include "state.h"

namespace drm {

enum class PlaneSet : u8 { kBitplane, kExtended };

inline constexpr const char* kBitplaneNames[] = {"virus_yellow", "virus_red",   "virus_blue", "half_yellow",
                                                 "half_red",     "half_blue",   "empty",      "linked",
                                                 "legal_right",  "legal_below", "legal_left", "legal_above"};
inline constexpr const char* kExtendedNames[] = {"virus_yellow", "virus_red",      "virus_blue",     "half_yellow",
                                                 "half_red",     "half_blue",      "link_right",     "link_left",
                                                 "link_below",   "link_above",     "falling_yellow", "falling_red",
                                                 "falling_blue", "preview_yellow", "preview_red",    "preview_blue"};
inline constexpr const char* kScalarNames[] = {"first_yellow",
                                               "first_red",
                                               "first_blue",
                                               "second_yellow",
                                               "second_red",
                                               "second_blue",
                                               "preview_first_yellow",
                                               "preview_first_red",
                                               "preview_first_blue",
                                               "preview_second_yellow",
                                               "preview_second_red",
                                               "preview_second_blue",
                                               "level/20",
                                               "speed_low",
                                               "speed_med",
                                               "speed_hi",
                                               "speed_ups/49",
                                               "gravity_threshold/40",
                                               "viruses_left/84",
                                               "frame_parity",
                                               "capsules/256",
                                               "gravity_counter/40",
                                               "das/16"};

inline constexpr int kScalars = static_cast<int>(std::size(kScalarNames));

constexpr std::span<const char* const> plane_names(PlaneSet set) {
  if (set == PlaneSet::kBitplane) return kBitplaneNames;
  return kExtendedNames;
}

// Writes the planes u8[C][16][8] of a player. `legal` is the mask bool[512] of the placements, or null where there is
// none (frame by frame play): its planes are then 0. The falling capsule shows only while it can be moved.
void write_planes(const Player& player, PlaneSet set, const bool* legal, u8* planes);

// Writes the scalars f32[kScalars].
void write_scalars(const Match& match, const Player& player, float* scalars);

}  // namespace drm
