// The vocabulary: every other file speaks in these types. Encodings are the game's own (docs/rules-parity.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace drm {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i16 = std::int16_t;
using i32 = std::int32_t;

// A field of `count` values, as the field tables declare it: a plain value when there is one.
template <typename T, int count>
using FieldOf = std::conditional_t<count == 1, T, T[count]>;

// The lowest bits of eight bytes, that of byte k as bit k; all others are 0.
constexpr u64 gathered(u64 bytes) { return bytes * 0x0102040810204080ull >> 56; }

inline constexpr int kRows = 16;  // row 0 on top
inline constexpr int kCols = 8;
inline constexpr int kCells = kRows * kCols;  // index = row * 8 + col
inline constexpr int kReserve = 128;          // capsules in the reserve
inline constexpr int kMaxLevel = 24;
inline constexpr int kMaxSpeedUps = 49;
inline constexpr int kActions = 4 * kCells;  // see planner/placement.h
inline constexpr u16 kUnreachable = 0xFFFF;

// Not 0 for the games that are meant. Bytes, as the bits of a std::vector<bool> take longer to go through.
using GameMask = std::vector<u8>;

enum Color : u8 { kYellow = 0, kRed = 1, kBlue = 2, kColors = 3 };

enum Speed : u8 { kLow = 0, kMed = 1, kHi = 2, kSpeeds = 3 };

// One controller byte; any combination may be held.
enum Button : u8 {
  kRight = 0x01,
  kLeft = 0x02,
  kDown = 0x04,
  kUp = 0x08,
  kStart = 0x10,
  kSelect = 0x20,
  kB = 0x40,
  kA = 0x80,
  kDpad = 0x0F,
};

// A bottle byte is kind (high nibble) + colour (low nibble); 0xFF is an empty cell.
using Cell = u8;
enum Kind : u8 {
  kTop = 0x40,
  kBottom = 0x50,
  kLeftHalf = 0x60,
  kRightHalf = 0x70,
  kSingle = 0x80,
  kClearing = 0xB0,  // part of a run, until TIDY
  kVirus = 0xD0,
  kEmptied = 0xF0,  // freed in TIDY, until the next DROP pass
};
inline constexpr Cell kEmpty = 0xFF;

constexpr u8 kind_of(Cell c) { return c & 0xF0; }
constexpr u8 color_of(Cell c) { return c & 0x0F; }
constexpr bool is_free(Cell c) { return c >= kEmptied; }  // for drops and runs; movement needs exactly kEmpty

// Pose of the falling capsule. (x, y) is its left or lower cell, y counted from the floor (row = 15 - y).
//   rotation 0: first half left   1: first half bottom   2: first half right   3: first half top
struct Pose {
  u8 x;
  u8 y;
  u8 rotation;
};
inline constexpr Pose kSpawnPose{3, 15, 0};
constexpr bool is_vertical(u8 rotation) { return rotation & 1; }

}  // namespace drm
