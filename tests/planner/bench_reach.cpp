// Times reach() and script() per spawn on one core. Usage: bench_reach [boards per kind] [seed]
#include <chrono>
#include <cstdlib>
#include <vector>

#include "boards.h"
#include "script.h"

namespace drm {
namespace {

double microseconds() {
  using namespace std::chrono;
  return duration<double, std::micro>(steady_clock::now().time_since_epoch()).count();
}

void report(const char* name, std::vector<double>& times) {
  std::sort(times.begin(), times.end());
  double sum = 0;
  for (const double t : times) sum += t;
  const auto at = [&](double q) { return times[static_cast<std::size_t>(q * static_cast<double>(times.size() - 1))]; };
  std::printf("%-34s median %7.1f  mean %7.1f  p90 %7.1f  p99 %7.1f  p99.9 %7.1f  max %7.1f us\n", name, at(0.5),
              sum / static_cast<double>(times.size()), at(0.9), at(0.99), at(0.999), times.back());
}

// The best of three, so that another process on the machine does not count.
template <class Call>
double time_of(Call call) {
  double best = 1e9;
  for (int k = 0; k < 3; ++k) {
    const double start = microseconds();
    call();
    best = std::min(best, microseconds() - start);
  }
  return best;
}

template <class Make>
void bench(const char* name, int boards, unsigned seed, Make make) {
  Random rng(seed);
  std::vector<double> fast, scripts;
  double slow = 0;
  double fast_sum = 0;
  int compared = 0;
  for (int n = 0; n < boards; ++n) {
    Case c;
    any_capsule(rng, c);
    make(rng, c);
    u16 frames[kActions];
    reach(c.query, frames);  // warm, as in a decision loop
    const double best = time_of([&] { reach(c.query, frames); });
    fast.push_back(best);
    std::vector<int> legal;
    for (int a = 0; a < kActions; ++a) {
      if (frames[a] != kUnreachable) legal.push_back(a);
    }
    if (!legal.empty()) {
      u8 buttons[kMaxScript];
      const int action = legal[static_cast<std::size_t>(below(rng, static_cast<int>(legal.size())))];
      scripts.push_back(time_of([&] { script(c.query, action, buttons); }));
    }
    if (n % 100 == 0) {
      u16 expected[kActions];
      const double start = microseconds();
      reach_reference(c.query, expected);
      slow += microseconds() - start;
      fast_sum += best;
      ++compared;
    }
  }
  report(name, fast);
  report("  script of a random placement", scripts);
  std::printf("  reference: %.1f ms per spawn, %.0f times as long\n", slow / compared / 1000, slow / fast_sum);
}

}  // namespace
}  // namespace drm

int main(int argc, char** argv) {
  using namespace drm;
  const int boards = argc > 1 ? std::atoi(argv[1]) : 1000;
  const unsigned seed = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 1;
  bench("mid-game, all speeds", boards, seed, [](Random& rng, Case& c) { mid_game(rng, c); });
  bench("mid-game, speed_ups below 10", boards, seed, [](Random& rng, Case& c) {
    c.query.speed_ups %= 10;
    mid_game(rng, c);
  });
  bench("sparse viruses, all speeds", boards, seed,
        [](Random& rng, Case& c) { sparse_viruses(rng, c, 4 + below(rng, 40), 10); });
  bench("empty, all speeds", boards / 4, seed, [](Random&, Case&) {});
  bench("adversarial, all speeds", boards, seed, [](Random& rng, Case& c) { adversarial(rng, c); });
}
