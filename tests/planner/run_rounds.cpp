// Plays inputs of fuzz_round.cpp: those of a file, one a line in hexadecimal (# begins a comment), or random ones.
// Usage: run_rounds FILE | run_rounds COUNT [SEED]
#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

static std::vector<std::uint8_t> parsed(const std::string& line) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < line.size() && std::isxdigit(static_cast<unsigned char>(line[i])); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(line.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// Few bytes are overwritten, mostly by small numbers: many at once are never a round.
static std::vector<std::uint8_t> drawn(std::mt19937& random) {
  std::vector<std::uint8_t> bytes(8 + 3 * (random() % 5));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool value = i >= 8 && i % 3 == 1;
    bytes[i] = static_cast<std::uint8_t>(value && random() % 2 ? random() % 8 : random());
  }
  return bytes;
}

int main(int argc, char** argv) {
  const std::string given = argc > 1 ? argv[1] : "";
  std::vector<std::vector<std::uint8_t>> inputs;
  if (!given.empty() && std::all_of(given.begin(), given.end(), [](unsigned char c) { return std::isdigit(c); })) {
    std::mt19937 random(argc > 2 ? static_cast<unsigned>(std::atol(argv[2])) : 1u);
    for (int i = std::atoi(given.c_str()); i > 0; --i) inputs.push_back(drawn(random));
  } else {
    std::ifstream file(given);
    for (std::string line; std::getline(file, line);) {
      if (auto bytes = parsed(line); !bytes.empty()) inputs.push_back(std::move(bytes));
    }
  }
  int played = 0;
  for (const auto& bytes : inputs) played += LLVMFuzzerTestOneInput(bytes.data(), bytes.size()) == 0;
  std::printf("%zu inputs, %d of them rounds\n", inputs.size(), played);
  return inputs.empty();
}
