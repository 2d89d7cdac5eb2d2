// What a board offers the capsule that comes next: features for networks, which know it. Values of search do not.
#pragma once

#include <span>

#include "search_board.h"
#include "search_moves.h"

namespace drm {

// Of the columns whose topmost tile has the colour of a half; a run is equal colours from the top down that touch.
enum ColorOffer { kTopOne, kTopTwo, kTopThree, kVirusOne, kVirusTwo, kVirusThree, kColorOffers };

// Of neighbouring columns of equal height whose topmost tiles have the colours of the two halves, in either order.
enum PairOffer { kPairOne, kPairTwo, kPairBoth, kPairThree, kPairOffers };

inline constexpr int kPreviewFeatures = 2 * kColorOffers + kPairOffers;

std::span<const char* const> preview_feature_names();

// i32[N][kPreviewFeatures] of N boards and the colours u8[N][2] of the capsule that comes next: the ColorOffers of its
// first half, of its second half, then the PairOffers.
void preview_features_of(std::span<const Board> boards, const u8* next, i32* out);

}  // namespace drm
