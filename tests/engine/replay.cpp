// Checks on this platform what another one computed: the golden recordings' last digests and the perft counts written
// by scripts/export_checks.py. Usage: replay FILE
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "match.h"
#include "perft.h"

using namespace drm;

namespace {

class Reader {
 public:
  explicit Reader(const char* path) : file_(std::fopen(path, "rb")) {
    if (!file_) fail("cannot be opened");
  }
  template <typename T>
  T read() {
    T value;
    bytes(&value, sizeof value);
    return value;
  }
  void bytes(void* out, std::size_t count) {
    if (std::fread(out, 1, count, file_) != count) fail("is too short");
  }

 private:
  [[noreturn]] static void fail(const char* what) {
    std::printf("the file %s\n", what);
    std::exit(2);
  }
  std::FILE* file_;
};

int replay_games(Reader& file) {
  const u32 games = file.read<u32>();
  int bad = 0;
  u64 total = 0;
  for (u32 game = 0; game < games; ++game) {
    Match match = file.read<Match>();
    std::vector<u8> pads(2 * std::size_t{file.read<u32>()});
    file.bytes(pads.data(), pads.size());
    for (std::size_t t = 0; t < pads.size(); t += 2) frame(match, &pads[t]);
    total += pads.size() / 2;
    if (digest(match) != file.read<u64>()) {
      std::printf("game %u ends in another state\n", game);
      ++bad;
    }
  }
  std::printf("%u games, %llu frames\n", games, static_cast<unsigned long long>(total));
  return bad;
}

int count_positions(Reader& file) {
  const u32 positions = file.read<u32>();
  int bad = 0;
  for (u32 i = 0; i < positions; ++i) {
    Round round{};
    round.match = file.read<Match>();
    round.seat[0].parked = 1;
    const u32 depth = file.read<u32>();
    const Perft ours = perft(round, static_cast<int>(depth));
    if (ours.nodes != file.read<u64>() || ours.frames != file.read<u64>()) {
      std::printf("position %u counts differ\n", i);
      ++bad;
    }
  }
  std::printf("%u perft positions\n", positions);
  return bad;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  Reader file(argv[1]);
  const int bad = replay_games(file) + count_positions(file);
  std::printf("%d differ\n", bad);
  return bad != 0;
}
