// What networks compute in the core, forward and backward, on arrays of exactly their sizes: for sanitizers and other
// processors. Python's tests hold the values to MLX's; here the chances of a decision must add up to 1.
//
//   network ROUNDS SEED
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "first_block.h"
#include "judge.h"
#include "readout.h"

using namespace drm;

using Floats = std::vector<float>;

static std::mt19937_64 random_bits;
static int wrong = 0;

static int between(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_bits); }

static Floats floats(std::size_t size) {
  std::normal_distribution<float> normal(0.0f, 0.3f);
  Floats values(size);
  for (float& value : values) value = normal(random_bits);
  return values;
}

static void check_finite(const Floats& values) {
  for (const float value : values) wrong += !std::isfinite(value);
}

// Legal placements of `batch` decisions, and rows of padding.
struct Ragged {
  std::vector<int> decision, action;
  Floats facts;
  Placements placements;

  Ragged(int batch, int facts_each) {
    for (int n = 0; n <= batch; ++n) {
      for (int rows = between(0, n % 3 == 0 ? 300 : 40); rows > 0; --rows) {
        decision.push_back(n);
        action.push_back(between(0, kActions - 1));
      }
    }
    facts = floats(decision.size() * facts_each);
    placements = {decision.data(), action.data(), facts.data(), static_cast<int>(decision.size()), facts_each};
  }

  void check(const Floats& log_probs, int batch) const {
    for (int n = 0, row = 0; n <= batch; ++n) {
      const int until = placements.end_of(n, row);
      double total = 0.0;
      for (int m = row; m < until; ++m) total += n < batch ? std::exp(log_probs[m]) : log_probs[m];
      wrong += std::abs(total - (until > row && n < batch)) > 1e-3;
      row = until;
    }
  }
};

static void run_block(int batch, int width) {
  const int each = between(1, 13), left = between(0, 1) * kSqueezed;
  std::vector<u8> planes(std::size_t(batch) * each * kCells);
  std::vector<int> source(std::size_t(batch) * each);
  for (u8& bit : planes) bit = static_cast<u8>(between(0, 3) == 0);
  for (int& plane : source) plane = between(0, each - 1);
  const PlaneBatch of{planes.data(), source.data(), batch, each, width};
  const std::size_t cells = std::size_t(batch) * kCells, all = std::size_t(width) * each;
  const std::size_t sizes[] = {kColumnOffsets * all,       kRowOffsets * all,          std::size_t(kCells) * width,
                               std::size_t(batch) * width, std::size_t(width) * width, std::size_t(width),
                               std::size_t(left) * width,  std::size_t(left)};
  std::vector<Floats> weights, gradients;
  for (const std::size_t size : sizes) {
    weights.push_back(floats(size));
    gradients.emplace_back(size);
  }
  const auto in = [&](int i) { return weights[i].empty() ? nullptr : weights[i].data(); };
  const auto out = [&](int i) { return gradients[i].data(); };
  Floats seen(std::size_t(batch) * seen_size(width)), shown(cells * width), squeezed(cells * left);
  first_block(of, {in(0), in(1), in(2), in(3), in(4), in(5), in(6), in(7)},
              {seen.data(), shown.data(), squeezed.data()});
  const Floats of_shown = floats(shown.size()), of_squeezed = floats(squeezed.size());
  first_block_gradient(of, in(4), in(6), {seen.data(), shown.data(), squeezed.data()}, of_shown.data(),
                       of_squeezed.data(), {out(0), out(1), out(2), out(3), out(4), out(5), out(6), out(7)});
  for (const Floats& gradient : gradients) check_finite(gradient);
}

static void run_readout(int batch, int width) {
  const int facts_each = between(0, 9);
  const Ragged ragged(batch, facts_each);
  const Floats cells = floats(std::size_t(batch) * kCells * width), halves = floats(std::size_t(batch) * kMaps * width);
  const Floats orientation = floats(kOrientations), gain = floats(facts_each);
  const Readout of{batch, width, cells.data(), ragged.placements, {halves.data(), orientation.data(), gain.data()}};
  Floats log_probs(ragged.decision.size());
  read_out(of, log_probs.data());
  ragged.check(log_probs, batch);
  Floats of_cells(cells.size()), of_halves(halves.size()), of_orientation(kOrientations), of_gain(facts_each);
  const Floats pull = floats(log_probs.size());
  read_out_gradient(of, log_probs.data(), pull.data(), of_cells.data(),
                    {of_halves.data(), of_orientation.data(), of_gain.data()});
  for (const Floats& gradient : {of_cells, of_halves, of_orientation, of_gain}) check_finite(gradient);
}

static void run_judge(int batch, int width) {
  const int facts_each = between(0, 9), hidden = between(1, 41);
  const Ragged ragged(batch, facts_each);
  const Floats cells = floats(std::size_t(batch) * kCells * width), shift = floats(std::size_t(batch) * hidden);
  const Floats halves = floats(std::size_t(2) * hidden * width), told = floats(std::size_t(hidden) * facts_each);
  const Floats orientation = floats(std::size_t(kOrientations) * hidden), mix = floats(std::size_t(hidden) * hidden);
  const Floats bias = floats(hidden), score = floats(hidden);
  const Judge of{batch,
                 width,
                 hidden,
                 cells.data(),
                 shift.data(),
                 ragged.placements,
                 {halves.data(), told.data(), orientation.data(), mix.data(), bias.data(), score.data()}};
  Floats first(ragged.decision.size() * judged_size(hidden)), mixed(first.size()), log_probs(ragged.decision.size());
  judge(of, first.data(), mixed.data(), log_probs.data());
  ragged.check(log_probs, batch);
  Floats of_cells(cells.size()), of_shift(shift.size()), of_halves(halves.size()), of_told(told.size());
  Floats of_orientation(orientation.size()), of_mix(mix.size()), of_bias(hidden), of_score(hidden);
  const Floats pull = floats(log_probs.size());
  judge_gradient(
      of, first.data(), mixed.data(), log_probs.data(), pull.data(), of_cells.data(), of_shift.data(),
      {of_halves.data(), of_told.data(), of_orientation.data(), of_mix.data(), of_bias.data(), of_score.data()});
  for (const Floats& gradient : {of_cells, of_shift, of_halves, of_told, of_orientation, of_mix, of_bias, of_score}) {
    check_finite(gradient);
  }
}

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 100;
  random_bits.seed(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  for (int round = 0; round < rounds; ++round) {
    const int batch = between(0, 5), width = between(1, 41);
    run_block(batch, width);
    run_readout(batch, width);
    run_judge(batch, width);
  }
  std::printf("%d networks, %d wrong\n", rounds, wrong);
  return wrong ? 1 : 0;
}
