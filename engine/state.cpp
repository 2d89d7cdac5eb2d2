#include "state.h"

namespace drm {

u64 digest(const Match& match) {
  // Multiply-xorshift over 8-byte words; the final mix is splitmix64's.
  u64 hash = 0x9E3779B97F4A7C15ull;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&match);
  for (std::size_t i = 0; i < sizeof(Match); i += 8) {
    u64 word;
    std::memcpy(&word, bytes + i, 8);
    hash = (hash ^ word) * 0xBF58476D1CE4E5B9ull;
    hash ^= hash >> 29;
  }
  hash = (hash ^ hash >> 30) * 0xBF58476D1CE4E5B9ull;
  hash = (hash ^ hash >> 27) * 0x94D049BB133111EBull;
  return hash ^ hash >> 31;
}

}  // namespace drm
