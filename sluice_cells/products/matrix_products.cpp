// Products of matrices, compiled once for all cells and engines (kernels.h).
#include <sched.h>

// M rows of C = A B over one panel of PANEL columns and some ranges of k. With few rows, sums over odd and even k
// are kept apart: there would not be enough independent additions to hide their latency.
template <int M>
static __attribute__((noinline)) void tile(const Run* runs, long count, const float* A, long lda, const float* B,
                                           float* C, long ldc) {
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
#endif
#if defined(__AVX__) || defined(__aarch64__)
    case 6: return tile<6>(runs, count, A, lda, B, C, ldc);
#endif
    case 4: return tile<4>(runs, count, A, lda, B, C, ldc);
    case 3: return tile<3>(runs, count, A, lda, B, C, ldc);
    case 2: return tile<2>(runs, count, A, lda, B, C, ldc);
    default: return tile<1>(runs, count, A, lda, B, C, ldc);
  }
}
// How many of the rows that are left to take at once: not all that fit if few would remain, which run at half the
// speed, and not 5 or 7, whose tiles would take a tenth of this file's time to compile and gain little.
static inline int block_of(long left) {
  const int block = (int)(left <= ROWS ? left : left < 2 * ROWS ? (left + 1) / 2 : (long)ROWS);
  if (block <= 4 || block % 2 == 0) return block;
  return left == block ? (block + 1) / 2 : block + 1;
}
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
    for (long m = 0; m < p.rows;) {
      const int block = block_of(p.rows - m);
      rows_of(block, runs, count, p.A + m * p.lda, p.lda, packed + HEAD, C + m * p.ldc, p.ldc);
      m += block;
    }
  }
}

static inline bool help(Team* team) {
  unsigned long ticket = __atomic_load_n(&team->ticket, __ATOMIC_ACQUIRE);
  const long left = ticket & 0xffffffff;
  if (!left) return false;
  // Whoever takes a chunk of this product holds it open until the chunk is done.
  if (__atomic_compare_exchange_n(&team->ticket, &ticket, ticket - 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    const Product& p = team->product;
    const long all = panel_count(p.columns);
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
  const long all = panel_count(columns), work = rows * columns * depth / CHUNK, chunks = work < all ? work : all;
  const Product p = {rows, columns, depth, lda, ldc, A, packed, mask, C, ranges, count, chunks};
  if (!team || chunks < 2) return panels(p, 0, all);
  team->product = p;
  team->done = 0;
  __atomic_store_n(&team->ticket, (((team->ticket >> 32) + 1) << 32) + chunks, __ATOMIC_RELEASE);
  while (help(team)) {}
  while (__atomic_load_n(&team->done, __ATOMIC_ACQUIRE) < chunks) pause_();
}
// Notes of each filled panel its first and last k that is not zero.
static void note_ranges(long columns, long depth, float* packed) {
  for (long panel = 0; panel < panel_count(columns); panel++, packed += panel_floats(depth)) {
    int range[2] = {0, (int)depth};
    while (range[0] < range[1] && !any(PANEL, packed + HEAD + range[0] * PANEL)) range[0]++;
    while (range[1] > range[0] && !any(PANEL, packed + HEAD + (range[1] - 1) * PANEL)) range[1]--;
    memcpy(packed, range, sizeof range);
  }
}
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
static __attribute__((noinline)) void outer(long depth, const float* A, long lda, const float* B, long ldb, float* C,
                                            long ldc) {
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
static __attribute__((noinline)) void gather(long depth, long rows, long columns, const float* A, long lda,
                                             const float* B, long ldb, float* C, bool sparse) {
  const long ldc = padded(columns);
  float used[sparse ? rows : 1];
  if (sparse) columns_in_use(depth, rows, A, lda, used);
  for (long n = 0; depth && n < columns; n += PANEL)
    for (long m = 0; m < rows;) {
      const int block = block_of(rows - m);
      const float *a = A + m, *b = B + n;
      float* c = C + m * ldc + n;
      m += block;
      if (sparse && !any(block, used + (a - A))) continue;
      switch (block) {
#if defined(__AVX512F__) && defined(SPARSE)
        case 8: outer<8>(depth, a, lda, b, ldb, c, ldc); break;
#endif
#if defined(__AVX__) || defined(__aarch64__)
        case 6: outer<6>(depth, a, lda, b, ldb, c, ldc); break;
#endif
        case 4: outer<4>(depth, a, lda, b, ldb, c, ldc); break;
        case 3: outer<3>(depth, a, lda, b, ldb, c, ldc); break;
        case 2: outer<2>(depth, a, lda, b, ldb, c, ldc); break;
        default: outer<1>(depth, a, lda, b, ldb, c, ldc);
      }
    }
}
static void put_to(double* total, float* held, long width) {
  for (long j = 0; j < width; j++) {
    total[j] += held[j];
    held[j] = 0.f;
  }
}
static void put_matrix(float* total, float* held, long rows, long columns) {
  for (long m = 0; m < rows; m++, total += columns, held += padded(columns))
    for (long n = 0; n < columns; n++) {
      total[n] += held[n];
      held[n] = 0.f;
    }
}
template <class Number>
static void add_up(Number* totals, long threads, long apart, long count, float* to) {
  for (long i = 1; i < threads; i++)
    for (long j = 0; j < count; j++) totals[j] += totals[i * apart + j];
  if (to)
    for (long j = 0; j < count; j++) to[j] = (float)totals[j];
}
extern "C" long panel_columns(void) { return PANEL; }
extern "C" const Products* products(void) {
  static const Products all = {product, help_until_over, pack_linear, pack_linear_t, gather, put_to, put_matrix,
                               add_up<double>, add_up<float>};
  return &all;
}
// C [rows, columns] = A W^T + bias of A [rows, depth] and W [columns, depth]; transposed, W being [depth, columns], A W.
// The bias may be null.
extern "C" void product_of_rows(long rows, long columns, long depth, const float* A, const float* W, const float* bias,
                                float* C, int transposed, long threads) {
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
      for (long m = 0; m < count; m++) {
        float *c = C + (from + m) * columns, *made = buffer + m * width;
        if (bias)
          for (long n = 0; n < columns; n++) made[n] += bias[n];
        memcpy(c, made, columns * 4);
      }
    }
    free(buffer);
  }
  free(packed);
}
// C [rows, columns] = A^T B of A [depth, rows] and B [depth, columns].
extern "C" void product_of_columns(long depth, long rows, long columns, const float* A, const float* B, float* C,
                                   long threads) {
  enum { BLOCK = 64 };  // so many rows of a panel of B stay in the cache
  const long blocks = (rows + ROWS - 1) / ROWS, width = padded(columns);
  #pragma omp parallel for num_threads(threads) schedule(static, 1) if (threads > 1)
  for (long i = 0; i < threads; i++) {
    const long from = blocks * i / threads * ROWS, end = blocks * (i + 1) / threads * ROWS;
    const long mine = (end < rows ? end : rows) - from;
    float* made = new_floats((mine + BLOCK) * width);
    float* block = made + mine * width;  // of B, where each row begins with a cache line
    memset(made, 0, (mine + BLOCK) * width * 4);
    for (long k = 0; k < depth; k += BLOCK) {
      const long count = depth - k < BLOCK ? depth - k : (long)BLOCK;
      for (long m = 0; m < count; m++) memcpy(block + m * width, B + (k + m) * columns, columns * 4);
      gather(count, mine, columns, A + k * rows + from, rows, block, width, made, false);
    }
    for (long m = 0; m < mine; m++) memcpy(C + (from + m) * columns, made + m * width, columns * 4);
    free(made);
  }
}
