// What every compiled cell stands on: vectors, exp, sigmoid and tanh, and a small matrix product.
#include <stdlib.h>
#include <string.h>
#include <sched.h>

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
static inline void put_to(double* total, float* held, long width) {
  for (long j = 0; j < width; j++) {
    total[j] += held[j];
    held[j] = 0.f;
  }
}

struct Run { long from, to; };  // a range of k

// M rows of C = A B over one panel of PANEL columns and some ranges of k. With few rows, sums over odd and even k
// are kept apart: there would not be enough independent additions to hide their latency.
template <int M>
static inline __attribute__((always_inline)) void tile(const Run* runs, long count, const float* A, long lda,
                                                       const float* B, float* C, long ldc) {
  enum { SETS = M * VECTORS <= 3 * LANES / 8 + 3 ? 2 : 1 };
  lanes c[SETS][M][VECTORS] = {};
  for (long r = 0; r < count; r++) {
    long k = runs[r].from;
    for (; k + SETS <= runs[r].to; k += SETS)
#pragma GCC unroll 2
      for (int s = 0; s < SETS; s++) {
        lanes b[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) b[v] = *(const lanes*)(B + PANEL * (k + s) + LANES * v);
#pragma GCC unroll 8
        for (int m = 0; m < M; m++) {
          float a = A[m * lda + k + s];
#pragma GCC unroll 4
          for (int v = 0; v < VECTORS; v++) c[s][m][v] += a * b[v];
        }
      }
    if (SETS == 2 && k < runs[r].to)
      for (int m = 0; m < M; m++)
        for (int v = 0; v < VECTORS; v++) c[0][m][v] += A[m * lda + k] * *(const lanes*)(B + PANEL * k + LANES * v);
  }
#pragma GCC unroll 8
  for (int m = 0; m < M; m++)
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) {
      lanes sum = c[0][m][v];
      if (SETS == 2) sum += c[SETS - 1][m][v];
      *(lanes*)(C + m * ldc + LANES * v) = sum;
    }
}
static inline void rows_of(int m, const Run* runs, long count, const float* A, long lda, const float* B, float* C,
                           long ldc) {
  switch (m) {
#if defined(__AVX512F__) && defined(SPARSE)
    case 8: return tile<8>(runs, count, A, lda, B, C, ldc);
    case 7: return tile<7>(runs, count, A, lda, B, C, ldc);
#endif
#if defined(__AVX__) || defined(__aarch64__)
    case 6: return tile<6>(runs, count, A, lda, B, C, ldc);
    case 5: return tile<5>(runs, count, A, lda, B, C, ldc);
#endif
    case 4: return tile<4>(runs, count, A, lda, B, C, ldc);
    case 3: return tile<3>(runs, count, A, lda, B, C, ldc);
    case 2: return tile<2>(runs, count, A, lda, B, C, ldc);
    default: return tile<1>(runs, count, A, lda, B, C, ldc);
  }
}
// Packed weights: for each panel its first and last k that is not zero, then depth x PANEL floats.
// A block-triangular matrix so costs what its blocks do.
enum { HEAD = 16, GRAIN = 8 };
static inline long panel_floats(long depth) { return HEAD + depth * PANEL; }

static bool any(long count, const float* row) {
  for (long n = 0; n < count; n++)
    if (row[n] != 0.f) return true;
  return false;
}
// For each column of A, 1 if some row is not zero in it, else 0.
static void columns_in_use(long rows, long columns, const float* A, long lda, float* used) {
  for (long n = 0; n < columns; n++) used[n] = 0.f;
  for (long m = 0; m < rows; m++)
    for (long n = 0; n < columns; n++) used[n] = A[m * lda + n] != 0.f ? 1.f : used[n];
}
// Ranges of k in which some row of A is not zero, in steps of GRAIN.
static long runs_of(long rows, long depth, const float* A, long lda, Run* runs) {
  float used[depth];
  columns_in_use(rows, depth, A, lda, used);
  long count = 0;
  for (long k = 0; k < depth; k += GRAIN) {
    long to = k + GRAIN < depth ? k + GRAIN : depth;
    if (!any(to - k, used + k)) continue;
    if (count && runs[count - 1].to == k) runs[count - 1].to = to;
    else runs[count++] = {k, to};
  }
  return count;
}
// C [rows, padded(columns)] = A [rows, depth] times packed weights, in ranges of k. With a mask, shaped as C, panels
// in which it is zero throughout are not computed but set to zero.
struct Product {
  long rows, columns, depth, lda, ldc;
  const float *A, *packed, *mask;
  float* C;
  const Run* ranges;
  long count, chunks;
};
static __attribute__((noinline)) void panels(const Product& p, long first, long last) {
  Run runs[p.depth / GRAIN + 1];
  for (long panel = first; panel < last; panel++) {
    const long n = panel * PANEL;
    const float* packed = p.packed + panel * panel_floats(p.depth);
    float* C = p.C + n;
    if (p.mask) {
      const long count = n + PANEL < p.columns ? (long)PANEL : p.columns - n;
      float used[PANEL];
      columns_in_use(p.rows, count, p.mask + n, p.ldc, used);
      if (!any(count, used)) {
        for (long m = 0; m < p.rows; m++) memset(C + m * p.ldc, 0, PANEL * 4);
        continue;
      }
    }
    int range[2];
    memcpy(range, packed, sizeof range);
    long count = 0;
    for (long r = 0; r < p.count; r++) {
      const Run& all = p.ranges[r];
      long from = all.from > range[0] ? all.from : range[0], to = all.to < range[1] ? all.to : range[1];
      if (from < to) runs[count++] = {from, to};
    }
    // Blocks of like size: a short one would run at half the speed.
    for (long m = 0, left = (p.rows + ROWS - 1) / ROWS; left > 0; left--) {
      const int block = (int)((p.rows - m + left - 1) / left);
      rows_of(block, runs, count, p.A + m * p.lda, p.lda, packed + HEAD, C + m * p.ldc, p.ldc);
      m += block;
    }
  }
}

// With fewer sequences than threads, one thread runs the steps and the others help with its products, taking chunks
// of panels as they come. None ever waits for a helper that the system has put aside, unless it holds a chunk.
struct Team {
  unsigned long ticket;  // which product, times 2^32, plus the chunks that are left of it
  long done, over;
  Product product;
};
static inline bool help(Team* team) {
  unsigned long ticket = __atomic_load_n(&team->ticket, __ATOMIC_ACQUIRE);
  const long left = ticket & 0xffffffff;
  if (!left) return false;
  // Whoever takes a chunk of this product holds it open until the chunk is done.
  if (__atomic_compare_exchange_n(&team->ticket, &ticket, ticket - 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    const Product& p = team->product;
    const long all = padded(p.columns) / PANEL;
    panels(p, all * (left - 1) / p.chunks, all * left / p.chunks);
    __atomic_fetch_add(&team->done, 1, __ATOMIC_RELEASE);
  }
  return true;
}
static inline void pause_() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}
static void help_until_over(Team* team) {
  for (long idle = 0; !__atomic_load_n(&team->over, __ATOMIC_ACQUIRE);) {
    if (help(team)) idle = 0;
    else if (++idle < 4000) pause_();
    else sched_yield();
  }
}
enum { CHUNK = 1 << 16 };  // multiplications below which it does not pay to share
static void product(long rows, long columns, long depth, const float* A, long lda, const float* packed, float* C,
                    long ldc, const float* mask, bool sparse, Team* team) {
  Run ranges[depth / GRAIN + 1];
  ranges[0] = {0, depth};
  const long count = sparse ? runs_of(rows, depth, A, lda, ranges) : 1;
  const long all = padded(columns) / PANEL, work = rows * columns * depth / CHUNK, chunks = work < all ? work : all;
  const Product p = {rows, columns, depth, lda, ldc, A, packed, mask, C, ranges, count, chunks};
  if (!team || chunks < 2) return panels(p, 0, all);
  team->product = p;
  team->done = 0;
  __atomic_store_n(&team->ticket, (((team->ticket >> 32) + 1) << 32) + chunks, __ATOMIC_RELEASE);
  while (help(team)) {}
  while (__atomic_load_n(&team->done, __ATOMIC_ACQUIRE) < chunks) pause_();
}
static inline long panel_count(long columns) { return padded(columns) / PANEL; }
// Notes of each filled panel its first and last k that is not zero.
static void note_ranges(long columns, long depth, float* packed) {
  for (long panel = 0; panel < panel_count(columns); panel++, packed += panel_floats(depth)) {
    int range[2] = {0, (int)depth};
    while (range[0] < range[1] && !any(PANEL, packed + HEAD + range[0] * PANEL)) range[0]++;
    while (range[1] > range[0] && !any(PANEL, packed + HEAD + (range[1] - 1) * PANEL)) range[1]--;
    memcpy(packed, range, sizeof range);
  }
}
extern "C" long panel_columns(void) { return PANEL; }
static inline long packed_floats(long columns, long depth) { return panel_count(columns) * panel_floats(depth); }
// For A W^T and A W, W being [rows, columns].
static void pack_linear(long rows, long columns, const float* W, float* packed) {
  for (long first = 0; first < rows; first += PANEL) {
    float* to = packed + first / PANEL * panel_floats(columns) + HEAD;
    const long count = rows - first < PANEL ? rows - first : (long)PANEL;
    for (long k = 0; k < columns; k++, to += PANEL) {
      for (long n = 0; n < count; n++) to[n] = W[(first + n) * columns + k];
      for (long n = count; n < PANEL; n++) to[n] = 0.f;
    }
  }
  note_ranges(rows, columns, packed);
}
static void pack_linear_t(long rows, long columns, const float* W, float* packed) {
  for (long n = 0; n < columns; n += PANEL, packed += panel_floats(rows)) {
    const long count = columns - n < PANEL ? columns - n : (long)PANEL;
    for (long k = 0; k < rows; k++) {
      float* to = packed + HEAD + k * PANEL;
      if (count == PANEL) {
        memcpy(to, W + k * columns + n, PANEL * 4);  // of a length known to the compiler
        continue;
      }
      memcpy(to, W + k * columns + n, count * 4);
      memset(to + count, 0, (PANEL - count) * 4);
    }
  }
  note_ranges(columns, rows, packed - panel_count(columns) * panel_floats(rows));
}

// M rows of C += A^T B over one panel of columns, A and B having `depth` rows.
template <int M>
static inline __attribute__((always_inline)) void outer(long depth, const float* A, long lda, const float* B, long ldb,
                                                        float* C, long ldc) {
  lanes c[M][VECTORS];
#pragma GCC unroll 8
  for (int m = 0; m < M; m++)
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) c[m][v] = *(const lanes*)(C + m * ldc + LANES * v);
  for (long k = 0; k < depth; k++) {
    lanes b[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) b[v] = *(const lanes*)(B + k * ldb + LANES * v);
#pragma GCC unroll 8
    for (int m = 0; m < M; m++) {
      float a = A[k * lda + m];
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; v++) c[m][v] += a * b[v];
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < M; m++)
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) *(lanes*)(C + m * ldc + LANES * v) = c[m][v];
}
// C [rows, padded(columns)] += A^T B of A [depth, rows] and B [depth, columns]: the gradient of a matrix.
static __attribute__((noinline)) void gather(long depth, long rows, long columns, const float* A, long lda,
                                             const float* B, long ldb, float* C, bool sparse) {
  const long ldc = padded(columns);
  float used[sparse ? rows : 1];
  if (sparse) columns_in_use(depth, rows, A, lda, used);
  for (long n = 0; depth && n < columns; n += PANEL)
    for (long m = 0, left = (rows + ROWS - 1) / ROWS; left > 0; left--) {
      const int block = (int)((rows - m + left - 1) / left);
      const float *a = A + m, *b = B + n;
      float* c = C + m * ldc + n;
      m += block;
      if (sparse && !any(block, used + (a - A))) continue;
      switch (block) {
#if defined(__AVX512F__) && defined(SPARSE)
        case 8: outer<8>(depth, a, lda, b, ldb, c, ldc); break;
        case 7: outer<7>(depth, a, lda, b, ldb, c, ldc); break;
#endif
#if defined(__AVX__) || defined(__aarch64__)
        case 6: outer<6>(depth, a, lda, b, ldb, c, ldc); break;
        case 5: outer<5>(depth, a, lda, b, ldb, c, ldc); break;
#endif
        case 4: outer<4>(depth, a, lda, b, ldb, c, ldc); break;
        case 3: outer<3>(depth, a, lda, b, ldb, c, ldc); break;
        case 2: outer<2>(depth, a, lda, b, ldb, c, ldc); break;
        default: outer<1>(depth, a, lda, b, ldb, c, ldc);
      }
    }
}
static void put_matrix(float* total, float* held, long rows, long columns) {
  for (long m = 0; m < rows; m++, total += columns, held += padded(columns))
    for (long n = 0; n < columns; n++) {
      total[n] += held[n];
      held[n] = 0.f;
    }
}
// What the threads have added up, each in a block of its own, to where the caller wants it, if he does.
template <class Number>
static void add_up(Number* totals, long threads, long apart, long count, float* to) {
  for (long i = 1; i < threads; i++)
    for (long j = 0; j < count; j++) totals[j] += totals[i * apart + j];
  for (long j = 0; to && j < count; j++) to[j] = (float)totals[j];
}
// C [rows, columns] = A W^T of A [rows, depth] and W [columns, depth]; transposed, W being [depth, columns], A W.
extern "C" void product_of_rows(long rows, long columns, long depth, const float* A, const float* W, float* C,
                                int transposed, long threads) {
  enum { BLOCK = 8 * ROWS };
  const long width = padded(columns), blocks = (rows + BLOCK - 1) / BLOCK;
  float* packed = new_floats(packed_floats(columns, depth));
  if (transposed) pack_linear_t(depth, columns, W, packed);
  else pack_linear(columns, depth, W, packed);
  #pragma omp parallel for num_threads(threads) schedule(static, 1) if (threads > 1)
  for (long i = 0; i < threads; i++) {
    float* buffer = new_floats(BLOCK * width);
    for (long block = blocks * i / threads; block < blocks * (i + 1) / threads; block++) {
      const long from = block * BLOCK, count = rows - from < BLOCK ? rows - from : (long)BLOCK;
      product(count, columns, depth, A + from * depth, depth, packed, buffer, width, nullptr, false, nullptr);
      for (long m = 0; m < count; m++) memcpy(C + (from + m) * columns, buffer + m * width, columns * 4);
    }
    free(buffer);
  }
  free(packed);
}
// C [rows, columns] = A^T B of A [depth, rows] and B [depth, columns], columns being whole panels.
extern "C" void product_of_columns(long depth, long rows, long columns, const float* A, const float* B, float* C,
                                   long threads) {
  enum { BLOCK = 64 };  // so many rows of a panel of B stay in the cache
  const long blocks = (rows + ROWS - 1) / ROWS;
  memset(C, 0, rows * columns * 4);
  #pragma omp parallel for num_threads(threads) schedule(static, 1) if (threads > 1)
  for (long i = 0; i < threads; i++) {
    const long from = blocks * i / threads * ROWS, end = blocks * (i + 1) / threads * ROWS;
    const long mine = (end < rows ? end : rows) - from;
    for (long k = 0; k < depth; k += BLOCK) {
      const long count = depth - k < BLOCK ? depth - k : (long)BLOCK;
      gather(count, mine, columns, A + k * rows + from, rows, B + k * columns, columns, C + from * columns, false);
    }
  }
}
