#include "thread_pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace drm {

namespace {

std::atomic<unsigned> forks{0};
std::mutex renewal;  // held while a pool starts a new crew; a fork waits for it, so that no child finds it locked

// How many forks lie between the first process and this one; counted from the first pool on.
unsigned fork_count() {
  static const int registered = pthread_atfork([] { renewal.lock(); }, [] { renewal.unlock(); },
                                               [] {
                                                 ++forks;
                                                 renewal.unlock();
                                               });
  static_cast<void>(registered);
  return forks.load(std::memory_order_relaxed);
}

}  // namespace

// How a thread waits for what others are about to do: first awake, for about as long as waking it would take, so that
// it waits at most twice as long as it must (A. Karlin et al., "Empirical Studies of Competitive Spinning for a
// Shared-Memory Multiprocessor", 1991). Where somebody else wants the processor, that takes time from work: whoever was
// interrupted while awake sleeps at once for a while.
class Patience {
 public:
  // Returns when `done()`, or when it is time to sleep.
  template <typename Done>
  void wait(const Done& done) {
    const Clock::time_point begin = Clock::now();
    if (begin < tired_until_) return;
    for (Clock::time_point last = begin; last - begin < kAwake;) {
      for (int i = 0; i < kLooks; ++i) {
        if (done()) return;
        relax();
      }
      const Clock::time_point now = Clock::now();
      if (now - last > kInterruption) {
        tired_until_ = now + kTired;
        return;
      }
      last = now;
    }
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::microseconds kAwake{100};         // waking takes some 50, on Linux in a VM
  static constexpr std::chrono::microseconds kInterruption{250};  // more than a timer's tick takes
  static constexpr std::chrono::milliseconds kTired{1000};
  static constexpr int kLooks = 16;  // between two looks at the clock

  static void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb");
#endif
  }

  Clock::time_point tired_until_{};
};

class ThreadPool::Crew {
 public:
  explicit Crew(int threads) : shares_(static_cast<std::size_t>(threads)) {
    workers_.reserve(static_cast<std::size_t>(threads - 1));
    try {
      for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(static_cast<std::size_t>(i)); });
    } catch (...) {
      dismiss();
      throw;
    }
  }

  ~Crew() { dismiss(); }

  void run(int count, int grain, const std::function<void(int, int)>& body) {
    if (workers_.empty() || count <= grain) {
      if (count > 0) body(0, count);
      return;
    }
    {
      std::lock_guard lock(mutex_);
      body_ = &body;
      grain_ = grain;
      share_out(count);
      open_ = true;
      ++generation_;
    }
    const int chunks = (count - 1) / grain + 1;
    const int helpers = std::min(chunks - 1, static_cast<int>(workers_.size()));
    for (int i = 0; i < helpers; ++i) wake_.notify_one();
    take_chunks(0);
    // Whoever is still asleep has missed it: the caller waits for those alone who are at work.
    patience_.wait([this] { return busy_ == 0; });
    std::unique_lock lock(mutex_);
    open_ = false;
    done_.wait(lock, [this] { return busy_ == 0; });
    const std::exception_ptr thrown = std::exchange(thrown_, nullptr);
    lock.unlock();
    if (thrown) std::rethrow_exception(thrown);
  }

  std::mutex turn;

 private:
  void dismiss() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  // Neighbouring indices, chunk by chunk, for one thread: the same ones in every call, so that they stay in its cache
  // and no other thread writes to the cache lines between them (which are fetched in pairs, or are as long as two).
  struct alignas(128) Share {
    std::atomic<int> next{0};
    int end = 0;
  };

  void share_out(int count) {
    const auto chunks = static_cast<std::size_t>((count - 1) / grain_ + 1), threads = shares_.size();
    for (std::size_t i = 0; i < threads; ++i) {
      shares_[i].next.store(static_cast<int>(chunks * i / threads) * grain_, std::memory_order_relaxed);
      shares_[i].end = std::min(static_cast<int>(chunks * (i + 1) / threads) * grain_, count);
    }
  }

  // First of the thread's own share, then of the others'. What a chunk throws is kept, and the rest is left out.
  void take_chunks(std::size_t own) {
    try {
      take_while_any(own);
    } catch (...) {
      for (Share& share : shares_) share.next.store(share.end, std::memory_order_relaxed);
      const std::lock_guard lock(mutex_);
      if (!thrown_) thrown_ = std::current_exception();
    }
  }

  void take_while_any(std::size_t own) {
    for (std::size_t i = 0; i < shares_.size(); ++i) {
      Share& share = shares_[(own + i) % shares_.size()];
      for (;;) {
        const int begin = share.next.fetch_add(grain_, std::memory_order_relaxed);
        if (begin >= share.end) break;
        (*body_)(begin, std::min(begin + grain_, share.end));
      }
    }
  }

  void work(std::size_t own) {
    unsigned seen = 0;
    for (Patience patience;;) {
      patience.wait([&] { return stop_ || generation_ != seen; });
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return stop_ || generation_ != seen; });
        if (stop_) return;
        seen = generation_;
        if (!open_) continue;
        ++busy_;
      }
      take_chunks(own);
      std::lock_guard lock(mutex_);
      if (--busy_ == 0) done_.notify_one();
    }
  }

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(int, int)>* body_ = nullptr;
  std::vector<Share> shares_;  // by thread, the caller's first
  std::exception_ptr thrown_;  // by the first chunk that threw
  int grain_ = 1;
  Patience patience_;  // of the caller
  bool open_ = false;  // whether more workers may begin to take chunks
  // Written under the mutex; looked at without it by those who wait awake.
  std::atomic<int> busy_{0};  // workers that are taking chunks
  std::atomic<unsigned> generation_{0};
  std::atomic<bool> stop_{false};
};

ThreadPool::ThreadPool(int threads)
    : wanted_(threads),
      threads_(threads ? threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()))),
      forks_(fork_count()),
      crew_(std::make_unique<Crew>(threads_)) {}

ThreadPool::~ThreadPool() {
  // The parent's threads cannot be joined from a child, so its crew is left behind.
  if (forks_ != fork_count()) static_cast<void>(crew_.release());
}

void ThreadPool::lock() {
  if (forks_.load(std::memory_order_acquire) != fork_count()) {
    const std::lock_guard one_renewal(renewal);
    if (forks_.load(std::memory_order_relaxed) != fork_count()) {
      auto crew = std::make_unique<Crew>(threads_);
      static_cast<void>(crew_.release());
      crew_ = std::move(crew);
      forks_.store(fork_count(), std::memory_order_release);
    }
  }
  crew_->turn.lock();
}

void ThreadPool::unlock() { crew_->turn.unlock(); }

void ThreadPool::for_chunks(int count, int grain, const std::function<void(int, int)>& body) {
  crew_->run(count, grain, body);
}

}  // namespace drm
