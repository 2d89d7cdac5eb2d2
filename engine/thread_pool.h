// A persistent pool that splits an index range over threads; the split never changes a result.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

namespace drm {

// Also the lock of the object that owns it: whoever works on the object calls lock() before and unlock() after, so that
// one caller at a time uses the threads and the data.
//
// A forked child has only the thread that forked; the others, and a lock that one of them held, are gone. The child's
// first lock() starts a new crew. (What the parent was writing at that moment may be half written in the child.)
class ThreadPool {
 public:
  // `threads` = 0 takes one per core. The calling thread counts as one of them. Throws std::system_error when the
  // system refuses to start so many.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }
  int wanted() const { return wanted_; }  // as given: 0 asks each machine for its own number

  void lock();
  void unlock();

  // Calls body(begin, end) for disjoint chunks that cover [0, count), of `grain` indices or, where one thread is
  // enough, of all; returns when all are done. What a body throws is thrown when the others are, too; chunks not begun
  // by then are left out.
  void for_chunks(int count, int grain, const std::function<void(int, int)>& body);

 private:
  class Crew;  // the threads and what they share

  int wanted_;
  int threads_;
  std::atomic<unsigned> forks_;  // how many forks lay behind this process when the crew was started
  std::unique_ptr<Crew> crew_;
};

}  // namespace drm
