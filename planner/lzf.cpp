#include "lzf.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace drm {

static constexpr std::size_t kFarthest = 1 << 13, kLongest = 264, kShortest = 4, kLiterals = 32;
static constexpr int kHashBits = 12;

// Bytes that are equal from two places on, `most` at the most.
static std::size_t common(const u8* a, const u8* b, std::size_t most) {
  std::size_t n = 0;
  for (; n + 8 <= most; n += 8) {
    u64 x, y;
    std::memcpy(&x, a + n, 8);
    std::memcpy(&y, b + n, 8);
    if (const u64 different = x ^ y) {
      constexpr bool kLittle = std::endian::native == std::endian::little;
      return n + static_cast<std::size_t>((kLittle ? std::countr_zero(different) : std::countl_zero(different)) >> 3);
    }
  }
  while (n < most && a[n] == b[n]) ++n;
  return n;
}

static u32 hash_of(const u8* p) {
  u32 four;
  std::memcpy(&four, p, 4);
  return four * 2654435761u >> (32 - kHashBits);
}

static u8* put_literals(u8* out, const u8* from, const u8* to) {
  while (from < to) {
    const std::size_t count = std::min(static_cast<std::size_t>(to - from), kLiterals);
    *out++ = static_cast<u8>(count - 1);
    std::memcpy(out, from, count);
    from += count;
    out += count;
  }
  return out;
}

static u8* put_match(u8* out, std::size_t distance, std::size_t length) {
  const std::size_t far = distance - 1, more = length - 2;
  *out++ = static_cast<u8>(std::min<std::size_t>(more, 7) << 5 | far >> 8);
  if (more >= 7) *out++ = static_cast<u8>(more - 7);
  *out++ = static_cast<u8>(far);
  return out;
}

bool Lzf::compress(const u8* bytes, std::size_t size, std::size_t row, std::vector<u8>& out) {
  seen_.assign(std::size_t{1} << kHashBits, 0);
  out.resize(size + size / kLiterals + 2);  // all of it as literals
  u8* to = out.data();
  const u8* waiting = bytes;  // literals from here on
  std::size_t at = 0, misses = 0;
  while (at + kShortest <= size) {
    const u8* p = bytes + at;
    const std::size_t most = std::min(kLongest, size - at);
    std::size_t distance = row, length = row <= std::min(at, kFarthest) ? common(p, p - row, most) : 0;
    if (length < kShortest) {
      u32& place = seen_[hash_of(p)];
      distance = at + 1 - place;
      length = place && distance <= kFarthest ? common(p, p - distance, most) : 0;
      place = static_cast<u32>(at + 1);
    }
    if (length < kShortest) {
      at += 1 + (misses++ >> 6);  // what has had no match for long is not worth every step
      continue;
    }
    misses = 0;
    to = put_match(put_literals(to, waiting, p), distance, length);
    at += length;
    waiting = bytes + at;
  }
  to = put_literals(to, waiting, bytes + size);
  out.resize(static_cast<std::size_t>(to - out.data()));
  return out.size() < size;
}

template <std::size_t kWidth>
static void shuffle_elements(const u8* bytes, std::size_t count, std::size_t width, u8* out) {
  if constexpr (kWidth > 0) width = kWidth;
  for (std::size_t b = 0; b < width; ++b) {
    for (std::size_t i = 0; i < count; ++i) out[b * count + i] = bytes[i * width + b];
  }
}

void shuffle(const u8* bytes, std::size_t size, std::size_t width, std::vector<u8>& out) {
  out.resize(size);
  const auto elements = width == 2   ? shuffle_elements<2>
                        : width == 4 ? shuffle_elements<4>
                        : width == 8 ? shuffle_elements<8>
                                     : shuffle_elements<0>;
  elements(bytes, size / width, width, out.data());
}

}  // namespace drm
