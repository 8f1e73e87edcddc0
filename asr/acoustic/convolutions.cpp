// Two 3x3 convolutions over time and frequency, each rectified, whose CHANNELS channels lie side by side in a vector.
//
// Planes have a border of zeros, one position on each side in time and in frequency, so that no tap asks where it is:
// features [batch, time + 2, size + 2], the first result [batch, time1 + 2, size1 + 2, CHANNELS]. The second result is
// what the recurrent layers read, [batch, time2, CHANNELS * size2], channel by channel. Steps past an utterance's are
// never computed and stay zero. Frequency is halved by both, time by their strides.
#include <stdlib.h>
#include <string.h>

typedef float vec __attribute__((vector_size(CHANNELS * 4), aligned(4)));
// So many positions are computed together, as fill half of the registers.
#if defined(__AVX512F__)
enum { VALUES = 256 };
#else
enum { VALUES = 64 };
#endif
enum { TAPS = 9, TOGETHER = VALUES / CHANNELS > 8 ? 8 : VALUES / CHANNELS, BLOCK = TOGETHER < 4 ? 4 : TOGETHER };

struct Shape {
  long batch, time, size, stride, time1, size1, stride1, time2, size2;
  const long *steps1, *steps2;
  long threads;
};

static inline vec at(const float* p) { return *(const vec*)p; }
// Values where others are not negative or zero; what is not a number stays visible.
static inline vec where_positive(vec of, vec value) { return (vec)(~(of <= 0.f) & (__typeof__(of <= 0.f))value); }

// COUNT neighbouring results of one step, of three rows that have INPUTS channels; weights are [3, 3, INPUTS, CHANNELS].
template <int INPUTS, int COUNT>
static inline void results(const float* const* rows, long first, const float* weight, vec bias, float* to) {
  vec sums[COUNT];
#pragma GCC unroll 8
  for (int n = 0; n < COUNT; n++) sums[n] = bias;
  for (int t = 0; t < 3; t++) {
    const float* row = rows[t] + first * 2 * INPUTS;
    for (int k = 0; k < 3 * INPUTS; k++) {
      const vec w = at(weight + (t * 3 * INPUTS + k) * CHANNELS);
#pragma GCC unroll 8
      for (int n = 0; n < COUNT; n++) sums[n] += row[n * 2 * INPUTS + k] * w;
    }
  }
#pragma GCC unroll 8
  for (int n = 0; n < COUNT; n++) *(vec*)(to + n * CHANNELS) = where_positive(sums[n], sums[n]);
}
template <int INPUTS>
static void step(const float* plane, long line, long size, const float* weight, const float* bias, float* to) {
  const float* rows[3] = {plane, plane + line * INPUTS, plane + 2 * line * INPUTS};
  long s = 0;
  for (; s + TOGETHER <= size; s += TOGETHER)
    results<INPUTS, TOGETHER>(rows, s, weight, at(bias), to + s * CHANNELS);
  for (; s < size; s++) results<INPUTS, 1>(rows, s, weight, at(bias), to + s * CHANNELS);
}

// Adds to gradients of weights, [3, 3, INPUTS, CHANNELS] and then the bias, what one step's gradient says of them.
template <int INPUTS>
static void weigh(const float* plane, long line, long size, const float* gradient, float* sums) {
  enum { GROUP = INPUTS < BLOCK ? INPUTS : BLOCK };  // both are powers of two
  for (int t = 0; t < 3; t++)
    for (int k = 0; k < 3 * INPUTS; k += GROUP) {
      const float* row = plane + t * line * INPUTS + k;
      float* mine = sums + (t * 3 * INPUTS + k) * CHANNELS;
      vec kept[GROUP];
#pragma GCC unroll 8
      for (int n = 0; n < GROUP; n++) kept[n] = at(mine + n * CHANNELS);
      for (long s = 0; s < size; s++) {
        const vec g = at(gradient + s * CHANNELS);
#pragma GCC unroll 8
        for (int n = 0; n < GROUP; n++) kept[n] += row[s * 2 * INPUTS + n] * g;
      }
#pragma GCC unroll 8
      for (int n = 0; n < GROUP; n++) *(vec*)(mine + n * CHANNELS) = kept[n];
    }
  float* bias = sums + TAPS * INPUTS * CHANNELS;
  for (long s = 0; s < size; s++) *(vec*)bias += at(gradient + s * CHANNELS);
}

// Adds to the gradient of COUNT positions, which one tap reads, what it hears of the step; weights are [from, to].
template <int COUNT>
static inline void back(const float* gradient, const float* weight, float* to) {
  vec sums[COUNT] = {};
  for (int c = 0; c < CHANNELS; c++) {
    const vec w = at(weight + c * CHANNELS);
#pragma GCC unroll 8
    for (int n = 0; n < COUNT; n++) sums[n] += gradient[n * CHANNELS + c] * w;
  }
#pragma GCC unroll 8
  for (int n = 0; n < COUNT; n++) *(vec*)(to + n * 2 * CHANNELS) += sums[n];
}
static void step_back(const float* gradient, long line, long size, const float* weight, float* plane) {
  for (int t = 0; t < 3; t++)
    for (int k = 0; k < 3; k++) {
      const float* tap = weight + (t * 3 + k) * CHANNELS * CHANNELS;
      float* to = plane + (t * line + k) * CHANNELS;
      long s = 0;
      for (; s + TOGETHER <= size; s += TOGETHER) back<TOGETHER>(gradient + s * CHANNELS, tap, to + s * 2 * CHANNELS);
      for (; s < size; s++) back<1>(gradient + s * CHANNELS, tap, to + s * 2 * CHANNELS);
    }
}

extern "C" void convolve(const Shape* S, const float* features, const float* weight1, const float* bias1,
                         const float* weight2, const float* bias2, float* planes, float* result) {
  const long line = S->size + 2, line1 = S->size1 + 2;
#pragma omp parallel for num_threads(S->threads) schedule(static, 1) if (S->threads > 1)
  for (long b = 0; b < S->batch; b++) {
    const float* mine = features + b * (S->time + 2) * line;
    float* plane = planes + b * (S->time1 + 2) * line1 * CHANNELS;
    float* row = (float*)malloc(S->size2 * CHANNELS * 4);
    for (long t = 0; t < S->steps1[b]; t++)
      step<1>(mine + t * S->stride * line, line, S->size1, weight1, bias1, plane + ((t + 1) * line1 + 1) * CHANNELS);
    for (long t = 0; t < S->steps2[b]; t++) {
      step<CHANNELS>(plane + t * S->stride1 * line1 * CHANNELS, line1, S->size2, weight2, bias2, row);
      float* to = result + (b * S->time2 + t) * S->size2 * CHANNELS;
      for (long s = 0; s < S->size2; s++)
        for (int c = 0; c < CHANNELS; c++) to[c * S->size2 + s] = row[s * CHANNELS + c];
    }
    free(row);
  }
}

// `sums` are gradients of weights and biases of the first and the second, one after another, zero before.
extern "C" void convolve_back(const Shape* S, const float* features, const float* weight2, const float* planes,
                              const float* result, const float* gradient, float* sums) {
  const long line = S->size + 2, line1 = S->size1 + 2, whole = (S->time1 + 2) * line1 * CHANNELS;
  const long first = (TAPS + 1) * CHANNELS, all = first + (TAPS * CHANNELS + 1) * CHANNELS;
  float* shares = (float*)calloc(S->threads * all, 4);
#pragma omp parallel for num_threads(S->threads) schedule(static, 1) if (S->threads > 1)
  for (long i = 0; i < S->threads; i++) {
    float *share = shares + i * all, *below = (float*)malloc(whole * 4), *row = (float*)malloc(line1 * CHANNELS * 4);
    for (long b = i; b < S->batch; b += S->threads) {
      const float *mine = features + b * (S->time + 2) * line, *plane = planes + b * whole;
      memset(below, 0, whole * 4);
      for (long t = 0; t < S->steps2[b]; t++) {
        const long at_step = (b * S->time2 + t) * S->size2 * CHANNELS, from = t * S->stride1 * line1 * CHANNELS;
        for (long s = 0; s < S->size2; s++)
          for (int c = 0; c < CHANNELS; c++) {
            const long place = at_step + c * S->size2 + s;
            row[s * CHANNELS + c] = result[place] <= 0.f ? 0.f : gradient[place];
          }
        weigh<CHANNELS>(plane + from, line1, S->size2, row, share + first);
        step_back(row, line1, S->size2, weight2, below + from);
      }
      for (long t = 0; t < S->steps1[b]; t++) {
        const long here = ((t + 1) * line1 + 1) * CHANNELS;
        for (long s = 0; s < S->size1; s++)
          *(vec*)(row + s * CHANNELS) = where_positive(at(plane + here + s * CHANNELS), at(below + here + s * CHANNELS));
        weigh<1>(mine + t * S->stride * line, line, S->size1, row, share);
      }
    }
    free(below);
    free(row);
  }
  for (long i = 0; i < S->threads; i++)
    for (long n = 0; n < all; n++) sums[n] += shares[i * all + n];
  free(shares);
}
