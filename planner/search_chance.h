// What a player can know about the capsules after the preview: the law of the reserve (docs/rules.md 4.1).
//
// The reserve is filled from its end: reserve[i] = reserve[i + 1] + n(i) mod 9, where n(i) are four bits of a shift
// register that moves by one bit per entry. In the order of play n(i + 1) is n(i) moved up by one bit, with a new
// lowest bit. So two capsules in a row leave at most two values of n, and the third capsule one of at most four.
//
// The two values need not be equally likely. A bit of the register is counted 8 + 4 + 2 + 1 = 0 mod 3 times in the sum
// once it has passed through, so reserve[i] mod 3 depends on n(i) and on two bits of the seed only:
// reserve[i] - 2 (bit 1 + bit 3 of n(i)) is their sum mod 3, which is 1 in half of the games, 0 or 2 in a quarter each.
//
// So it is on average over the reserve. Where that begins and ends (at a game's first three decisions, and from six
// before the end of a lap to four into the next) fewer capsules can follow than this says, because the register has not
// moved far enough from the seed, or has come round to it; which ones is not used here. No capsule that can follow is
// left out. Nothing is known across the reserve's end.
#pragma once

#include "search_moves.h"
#include "splitmix.h"

namespace drm {

inline constexpr int kCapsules = kColors * kColors;
inline constexpr int kMaxFuture = 32;  // capsules

constexpr Capsule capsule_of(int number) {
  return {static_cast<u8>(number / kColors), static_cast<u8>(number % kColors)};
}
constexpr int number_of(Capsule capsule) { return capsule.first * kColors + capsule.second; }

// Futures of one decision: sequence s of the capsules after the preview. Stratified: the first choices of the law come
// in equal shares among outcomes() consecutive sequences, and so do the next bits as far as `sequences` go around;
// later bits are a hash of (seed, s).
class Futures {
 public:
  Futures(const PublicState& root, u64 seed, int sequences)
      : seed_(seed), preview_(number_of({root.preview[0], root.preview[1]})) {
    // The n-th capsule (n = capsules - 1) is entry n mod 128 of the reserve; the preview is the next.
    entry_ = root.capsules_thrown % kReserve;
    const int capsule = number_of({root.capsule[0], root.capsule[1]});
    const int nibble = (capsule - preview_ + kCapsules) % kCapsules;
    nibbles_[0] = nibbles_[1] = nibbles_[2] = nibble;
    if (nibble + kCapsules < 16) {
      nibbles_[1] = nibble + kCapsules;
      const bool low = likely(capsule, nibble), high = likely(capsule, nibble + kCapsules);
      choices_ = low == high ? 2 : 3;
      nibbles_[2] = low ? nibble : nibble + kCapsules;
    }
    if (entry_ == 0) choices_ = 8;  // the capsule and the preview are of different laps: any three low bits
    last_ = entry_ == kReserve - 1;
    for (int around = sequences / outcomes(); around > 1; around /= 2) ++strata_;
  }

  // Among how many consecutive sequences the law of the first capsule is exact.
  int outcomes() const { return last_ ? kCapsules : 2 * choices_; }

  void draw(int s, int length, Capsule out[]) const {
    u64 chance = mix(seed_ + static_cast<u64>(s) * kGolden);
    const int choice = s % choices_;
    u64 strata = static_cast<u64>(s / choices_) ^ seed_;
    auto bit = [&, exact = strata_]() mutable {
      u64& source = exact-- > 0 ? strata : chance;
      const int value = source & 1;
      source >>= 1;
      return value;
    };
    int nibble = entry_ == 0 ? choice : nibbles_[choice];
    int capsule = preview_;
    for (int i = 0; i < length; ++i) {
      if ((entry_ + i) % kReserve == kReserve - 1) {  // the next one begins another lap
        capsule = i == 0 ? s % kCapsules : static_cast<int>(mix(chance ^ 0xD1B54A32D192ED03ull) % kCapsules);
        nibble = static_cast<int>(mix(chance) & 15);
      } else {
        nibble = (nibble & 7) << 1 | bit();
        capsule = (capsule - nibble + 2 * kCapsules) % kCapsules;
      }
      out[i] = capsule_of(capsule);
    }
  }

 private:
  // Whether the nibble between a capsule and the next one speaks for the likelier sum of the seed's two bits.
  static constexpr bool likely(int capsule, int nibble) {
    return (capsule - 2 * ((nibble >> 1 & 1) + (nibble >> 3 & 1)) + 6) % 3 == 1;
  }

  u64 seed_;
  int preview_, entry_;
  int nibbles_[3];  // equally likely, the first choices_ of them
  int choices_ = 1;
  int strata_ = 1;  // bits after the choice that are stratified
  bool last_;
};

}  // namespace drm
