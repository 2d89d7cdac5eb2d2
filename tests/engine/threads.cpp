// Several threads use one Batch, and so one thread pool, at the same time; meant for ThreadSanitizer (`make tsan`).
// Every call plays a few frames with nothing held, so whatever order the calls take, the games end where one thread
// alone would have brought them. Usage: threads [callers] [calls of each]
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include "batch.h"

using namespace drm;

static constexpr int kGames = 37, kFrames = 5;

static void start(Batch& batch) {
  std::vector<GameConfig> configs(kGames);
  for (int i = 0; i < kGames; ++i) {
    configs[static_cast<std::size_t>(i)] = {
        {static_cast<u8>(i % 21), 0}, {kHi, kLow}, static_cast<u16>(2 + i), static_cast<u8>(i), 2};
  }
  batch.reset(configs, GameMask(kGames, 1), true);
}

static void play(Batch& batch, int calls) {
  const std::vector<u8> nothing(static_cast<std::size_t>(kFrames * kGames * 2), 0);
  for (int call = 0; call < calls; ++call) {
    const std::lock_guard turn(batch.pool());
    switch (call % 4) {
      case 0:
        batch.replace(std::vector<Match>(batch.games()));  // what save() and load() do
        break;
      case 1: {  // indices of a range, each once
        std::vector<int> seen(1000, 0);
        batch.pool().for_chunks(1000, 7, [&](int begin, int end) {
          for (int i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
        });
        if (seen != std::vector<int>(1000, 1)) std::abort();
        break;
      }
      default:
        batch.run(nothing.data(), kFrames, {}, {});
    }
  }
}

// The first chunks wait for each other, so as many threads must come as there are of these, every time again; then all
// of them take what is left at once, and each chunk has to be done once.
static bool all_threads_come(ThreadPool& pool, int rounds) {
  constexpr int kRest = 60000;  // enough that a thread has woken up while others are still at it
  bool came = true;
  for (int round = 0; round < rounds && came; ++round) {
    std::mutex mutex;
    std::condition_variable arrival;
    int here = 0;
    std::vector<std::atomic<int>> done(static_cast<std::size_t>(pool.threads() + kRest));
    const std::lock_guard turn(pool);
    pool.for_chunks(pool.threads() + kRest, 1, [&](int begin, int) {
      ++done[static_cast<std::size_t>(begin)];
      if (begin >= pool.threads()) return;
      std::unique_lock lock(mutex);
      ++here;
      arrival.notify_all();
      if (!arrival.wait_for(lock, std::chrono::seconds(30), [&] { return here >= pool.threads(); })) came = false;
    });
    for (const std::atomic<int>& times : done) came &= times == 1;
  }
  return came;
}

// What a chunk throws reaches the caller, whichever thread it was thrown in, and the pool works on.
static bool what_is_thrown_arrives(ThreadPool& pool, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    const std::lock_guard turn(pool);
    int caught = -1;
    try {
      pool.for_chunks(200, 1, [&](int begin, int) {
        if (begin == round % 200) throw begin;
      });
    } catch (int thrown) {
      caught = thrown;
    }
    if (caught != round % 200) return false;
    std::atomic<int> done{0};
    pool.for_chunks(200, 1, [&](int, int) { ++done; });
    if (done != 200) return false;
  }
  return true;
}

int main(int argc, char** argv) {
  const int callers = argc > 1 ? std::atoi(argv[1]) : 2;
  const int calls = argc > 2 ? std::atoi(argv[2]) : 1000;
  Batch alone(kGames, 2, 1);
  start(alone);
  for (int caller = 0; caller < callers; ++caller) play(alone, calls);
  Batch shared(kGames, 2, 3);
  start(shared);
  std::vector<std::thread> threads;
  for (int caller = 0; caller < callers; ++caller) threads.emplace_back([&] { play(shared, calls); });
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < kGames; ++i) {
    if (digest(alone.games()[i]) == digest(shared.games()[i])) continue;
    std::printf("game %zu is not what one thread alone makes of it\n", i);
    return 1;
  }
  if (!all_threads_come(shared.pool(), calls)) {
    std::printf("a chunk was not done once, or waited 30 s for a thread to take another one\n");
    return 1;
  }
  if (!what_is_thrown_arrives(shared.pool(), calls)) {
    std::printf("a chunk's exception did not arrive, or the pool stood still after it\n");
    return 1;
  }
  std::printf("%d callers, %d calls each\n", callers, calls);
  return 0;
}
