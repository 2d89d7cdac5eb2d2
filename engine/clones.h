// One source for the baseline and for AVX2; the loader picks. (Clang does not clone what is flattened.)
#pragma once

#if defined(__x86_64__) && defined(__ELF__) && !defined(__clang__)
#define DRM_CLONES __attribute__((target_clones("arch=x86-64-v3", "default"), flatten))
#else
#define DRM_CLONES __attribute__((flatten))
#endif
