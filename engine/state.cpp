#include "state.h"

#include "splitmix.h"

namespace drm {

// Multiply-xorshift over 8-byte words, then splitmix64's output function. A hash waits for its own multiplications, so
// `kLanes` are computed at a time.
template <std::size_t kLanes>
static void hash(const unsigned char* matches, u64* hashes, std::size_t stride) {
  u64 lanes[kLanes];
  for (u64& lane : lanes) lane = kGolden;
  for (std::size_t i = 0; i < sizeof(Match); i += 8) {
    for (std::size_t k = 0; k < kLanes; ++k) {
      u64 word;
      std::memcpy(&word, matches + k * stride + i, 8);
      lanes[k] = (lanes[k] ^ word) * 0xBF58476D1CE4E5B9ull;
      lanes[k] ^= lanes[k] >> 29;
    }
  }
  for (std::size_t k = 0; k < kLanes; ++k) hashes[k] = mix(lanes[k]);
}

u64 digest(const Match& match) {
  u64 result;
  hash<1>(reinterpret_cast<const unsigned char*>(&match), &result, 0);
  return result;
}

void digests(const Match* matches, std::size_t n, u64* hashes, std::size_t stride) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(matches);
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) hash<4>(bytes + i * stride, hashes + i, stride);
  for (; i < n; ++i) hash<1>(bytes + i * stride, hashes + i, stride);
}

}  // namespace drm
