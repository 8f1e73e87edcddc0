// What every compiled cell stands on: vectors, exp, sigmoid and tanh, and what matrix_products.cpp does for it.
#include <stdlib.h>
#include <string.h>

// Tile of the product: ROWS x VECTORS accumulators that fill the registers without spilling. Where units rest, narrow
// panels hold fewer that work beside those that rest.
#if defined(__AVX512F__) && defined(SPARSE)
enum { LANES = 16, VECTORS = 2, ROWS = 8 };
#elif defined(__AVX512F__)
enum { LANES = 16, VECTORS = 4, ROWS = 6 };
#elif defined(__AVX__)
enum { LANES = 8, VECTORS = 2, ROWS = 6 };
#elif defined(__aarch64__)
enum { LANES = 4, VECTORS = 4, ROWS = 6 };
#else
enum { LANES = 4, VECTORS = 2, ROWS = 4 };
#endif
enum { PANEL = LANES * VECTORS };
typedef float lanes __attribute__((vector_size(LANES * 4), aligned(4)));

static inline float* new_floats(long count) { return (float*)aligned_alloc(64, (count * 4 + 127) / 64 * 64); }
static inline long padded(long width) { return (width + PANEL - 1) / PANEL * PANEL; }

// exp to 2 units in the last place between -87 and 88, beyond which it stays what it is there.
static inline float exp_(float x) {
  x = x < -87.f ? -87.f : x;
  x = x > 88.f ? 88.f : x;
  float n = __builtin_rintf(x * 1.44269504f);
  float r = __builtin_fmaf(n, -0.693145752f, x);
  r = __builtin_fmaf(n, -1.42860677e-6f, r);
  float p = 1.38888889e-3f;
  p = __builtin_fmaf(p, r, 8.33333333e-3f);
  p = __builtin_fmaf(p, r, 4.16666667e-2f);
  p = __builtin_fmaf(p, r, 1.66666667e-1f);
  p = __builtin_fmaf(p, r, 0.5f);
  p = __builtin_fmaf(p, r, 1.f);
  p = __builtin_fmaf(p, r, 1.f);
  return p * __builtin_bit_cast(float, ((int)n + 127) << 23);
}
static inline float sigmoid_(float x) { return 1.f / (1.f + exp_(-x)); }
// A quotient of polynomials, beyond 7.9 what it is there: to 6 units in the last place, and one division without an exp.
static inline float tanh_(float x) {
  x = x < -7.90531111f ? -7.90531111f : x;
  x = x > 7.90531111f ? 7.90531111f : x;
  float z = x * x;
  float p = -2.76076848e-16f;
  p = __builtin_fmaf(p, z, 2.00018790e-13f);
  p = __builtin_fmaf(p, z, -8.60467152e-11f);
  p = __builtin_fmaf(p, z, 5.12229710e-08f);
  p = __builtin_fmaf(p, z, 1.48572236e-05f);
  p = __builtin_fmaf(p, z, 6.37261929e-04f);
  p = __builtin_fmaf(p, z, 4.89352456e-03f);
  float q = 1.19825840e-06f;
  q = __builtin_fmaf(q, z, 1.18534706e-04f);
  q = __builtin_fmaf(q, z, 2.26843463e-03f);
  q = __builtin_fmaf(q, z, 4.89352519e-03f);
  return x * p / q;
}
static inline float remainder_(float a, float b) { return a - b * __builtin_floorf(a / b); }
static inline float max_(float a, float b) { return a > b ? a : b; }

static inline void fetch(const float* from, long count) {
  for (long j = 0; j < count; j += 16) __builtin_prefetch(from + j, 0);
}
static inline void fetch_to_write(const float* from, long count) {
  for (long j = 0; j < count; j += 16) __builtin_prefetch(from + j, 1);
}

enum { HELD = 256, GATHERED = 1024 };  // rows whose gradients are added up in float, of vectors and of matrices
enum { ENOUGH = 32 };  // rows that are gathered at once, so that a matrix is not read and written for few
// Packed weights: for each panel its first and last k that is not zero, then depth x PANEL floats.
// A block-triangular matrix so costs what its blocks do.
enum { HEAD = 16, GRAIN = 8 };
static inline long panel_floats(long depth) { return HEAD + depth * PANEL; }

static inline long panel_count(long columns) { return padded(columns) / PANEL; }
static inline long packed_floats(long columns, long depth) { return panel_count(columns) * panel_floats(depth); }

struct Run { long from, to; };  // a range of k
struct Product {
  long rows, columns, depth, lda, ldc;
  const float *A, *packed, *mask;
  float* C;
  const Run* ranges;
  long count, chunks;
};
// With fewer sequences than threads, one thread runs the steps and the others help with its products, taking chunks
// of panels as they come. None ever waits for a helper that the system has put aside, unless it holds a chunk.
struct Team {
  unsigned long ticket;  // which product, times 2^32, plus the chunks that are left of it
  long done, over;
  Product product;
};

// What matrix_products.cpp does for a cell; the engine gives it to each cell's library.
struct Products {
  // C [rows, padded(columns)] = A [rows, depth] times packed weights. With a mask, shaped as C, panels in which it is
  // zero throughout are not computed but set to zero; what is sparse is zero in whole columns. A team shares the work.
  void (*product)(long rows, long columns, long depth, const float* A, long lda, const float* packed, float* C,
                  long ldc, const float* mask, bool sparse, Team* team);
  void (*help_until_over)(Team* team);
  // W [rows, columns], for A W^T and for A W.
  void (*pack_linear)(long rows, long columns, const float* W, float* packed);
  void (*pack_linear_t)(long rows, long columns, const float* W, float* packed);
  // C [rows, padded(columns)] += A^T B of A [depth, rows] and B [depth, columns]: the gradient of a matrix.
  void (*gather)(long depth, long rows, long columns, const float* A, long lda, const float* B, long ldb, float* C,
                 bool sparse);
  // What was added up in float to the sums of more rows.
  void (*put_to)(double* total, float* held, long width);
  void (*put_matrix)(float* total, float* held, long rows, long columns);
  // What the threads have added up, each in a block of its own, to where the caller wants it, if he does.
  void (*add_up_vectors)(double* totals, long threads, long apart, long count, float* to);
  void (*add_up_matrices)(float* totals, long threads, long apart, long count, float* to);
};
