
#include "bind.h"

namespace drm {

static constexpr int kVersion = 2;  // 1 had no checksum

static std::string header(std::string_view kind, std::size_t bytes, std::size_t n, int players) {
  return "mlx_drmario " + std::string(kind) + " " + std::to_string(kVersion) + " games " + std::to_string(n) +
         " players " + std::to_string(players) + " bytes " + std::to_string(bytes) + "\n";
}

// FNV-1a, 64 bits (Fowler, Noll, Vo): finds damage, does not resist forgery; games are checked field by field as well.
static std::string checksum(std::string_view data) {
  u64 hash = 0xCBF29CE484222325ull;
  for (const char c : data) hash = (hash ^ static_cast<u8>(c)) * 0x100000001B3ull;
  std::string bytes(sizeof hash, '\0');
  for (std::size_t i = 0; i < sizeof hash; ++i) bytes[i] = static_cast<char>(hash >> 8 * i & 0xFF);
  return bytes;
}

nb::bytes pack(std::string_view kind, const void* data, std::size_t bytes, std::size_t n, int players) {
  std::string blob = header(kind, bytes, n, players);
  blob.append(static_cast<const char*>(data), bytes);
  blob += checksum(blob);
  return nb::bytes(blob.data(), blob.size());
}

std::string unpack(nb::handle blob, std::string_view kind, std::size_t bytes, std::size_t n, int players) {
  if (!PyObject_CheckBuffer(blob.ptr())) {
    throw nb::type_error("blob must be bytes or another buffer, as save() returned them");
  }
  nb::module_ builtins = nb::module_::import_("builtins");
  const auto copy = nb::cast<nb::bytes>(builtins.attr("bytes")(builtins.attr("memoryview")(blob)));
  const std::string_view text(copy.c_str(), copy.size());
  const std::string wanted = header(kind, bytes, n, players);
  if (text.starts_with("mlx_drmario " + std::string(kind) + " 1 ")) {
    throw nb::value_error("blob is of format 1, allowed is format 2: it was saved by an older version");
  }
  constexpr std::size_t kSum = sizeof(u64);
  if (text.size() != wanted.size() + bytes + kSum || !text.starts_with(wanted)) {
    throw nb::value_error(("blob does not fit: allowed is what save() returned of a " + std::string(kind) + " with " +
                           std::to_string(n) + " games and " + std::to_string(players) + " players")
                              .c_str());
  }
  if (checksum(text.substr(0, text.size() - kSum)) != text.substr(text.size() - kSum)) {
    throw nb::value_error("blob is damaged: its checksum does not match");
  }
  return std::string(text.substr(wanted.size(), bytes));
}

}  // namespace drm
