// What a player can know about the capsules after the preview: the law of the reserve (rules.md 4.1).
//
// The reserve is filled from its end: reserve[i] = reserve[i + 1] + n(i) mod 9, where n(i) are four bits of a shift
// register that moves by one bit per entry. In the order of play, n(i + 1) is n(i) moved up by one bit, with a new
// lowest bit. So two capsules in a row leave at most two values of n, and the third capsule one of at most four, all
// equally likely. Nothing else about the register is used, and nothing is known across the reserve's end.
#pragma once

#include "search_moves.h"

namespace drm {

inline constexpr int kCapsules = kColors * kColors;
inline constexpr int kMaxFuture = 32;  // capsules

constexpr Capsule capsule_of(int number) {
  return {static_cast<u8>(number / kColors), static_cast<u8>(number % kColors)};
}
constexpr int number_of(Capsule capsule) { return capsule.first * kColors + capsule.second; }

// Splitmix64's output function.
constexpr u64 mix(u64 z) {
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ z >> 27) * 0x94D049BB133111EBull;
  return z ^ z >> 31;
}

// Futures of one decision: sequence s of the capsules after the preview. The first 2^k sequences hold every outcome of
// the first k bits exactly once (they count in bit-reversed order); later bits are a hash of (seed, s).
class Futures {
 public:
  Futures(const SearchRoot& root, u64 seed)
      : seed_(seed),
        preview_(number_of({root.preview[0], root.preview[1]})),
        difference_((number_of({root.capsule[0], root.capsule[1]}) - preview_ + kCapsules) % kCapsules),
        // The n-th capsule (n = capsules - 1) is entry n mod 128 of the reserve; the preview is the next.
        entry_(root.capsules % kReserve) {}

  // Number of sequences after which the first capsule's law is exact: each outcome came equally often.
  int outcomes() const { return entry_ == kReserve - 1 ? kCapsules : entry_ == 0 ? 16 : difference_ > 6 ? 2 : 4; }

  void draw(int s, int length, Capsule out[]) const {
    u64 chance = mix(seed_ + static_cast<u64>(s) * 0x9E3779B97F4A7C15ull);
    u64 exact = static_cast<u64>(s);
    auto bit = [&, fresh = 5]() mutable {
      u64& source = fresh-- > 0 ? exact : chance;
      const int value = source & 1;
      source >>= 1;
      return value;
    };
    int nibble;
    if (entry_ == 0) {  // the capsule and the preview are of different laps
      nibble = bit();
      nibble += 2 * bit();
      nibble += 4 * bit();
    } else {
      nibble = difference_ > 6 || bit() == 0 ? difference_ : difference_ + kCapsules;
    }
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
  u64 seed_;
  int preview_, difference_, entry_;
};

}  // namespace drm
