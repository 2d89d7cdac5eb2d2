// Linux only: gives MLX's CPU backend numpy's OpenBLAS. MLX's wheel bundles the reference BLAS, which is about 15 times
// slower; loading this library with global visibility before MLX makes its cblas_sgemm win the symbol search.
#include <dlfcn.h>
#include <stdint.h>

typedef void (*sgemm64)(int, int, int, int64_t, int64_t, int64_t, float, const float*, int64_t, const float*, int64_t,
                        float, float*, int64_t);
static sgemm64 forward;

// 0 when `path` was loaded and holds numpy's 64-bit-integer sgemm.
int mlxdm_blas_init(const char* path) {
  void* library = dlopen(path, RTLD_NOW);
  if (!library) return -1;
  forward = (sgemm64)dlsym(library, "scipy_cblas_sgemm64_");
  return forward ? 0 : -2;
}

void cblas_sgemm(int order, int trans_a, int trans_b, int m, int n, int k, float alpha, const float* a, int lda,
                 const float* b, int ldb, float beta, float* c, int ldc) {
  forward(order, trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
