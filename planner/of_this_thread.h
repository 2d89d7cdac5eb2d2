// Working memory of the searches.
#pragma once

#include <memory>

namespace drm {

// One T for each thread, as it is too large for a stack. On the heap, so that its address is a value like any other:
// GCC takes the address of a thread_local object for a constant and, in a shared library, asks for it anew at every
// use.
template <class T>
T& of_this_thread() {
  thread_local const std::unique_ptr<T> object = std::make_unique<T>();
  return *object;
}

}  // namespace drm
