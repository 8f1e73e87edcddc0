"""Templates of the printed C++ that are the same for all cells: the loop over all time steps, and each operation."""

EXPRESSIONS = {
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "div": "{} / {}",
    "neg": "-{}",
    "sigmoid": "sigmoid_({})",
    "tanh": "tanh_({})",
    "exp": "exp_({})",
    "sqrt": "__builtin_sqrtf({})",
    "floor": "__builtin_floorf({})",
    "abs": "__builtin_fabsf({})",
    "relu": "max_({}, 0.f)",
    "maximum": "max_({}, {})",
    "remainder": "remainder_({}, {})",
    "lt": "({} < {} ? 1.f : 0.f)",
    "le": "({} <= {} ? 1.f : 0.f)",
    "eq": "({} == {} ? 1.f : 0.f)",
    "normal": "({} - {}) * {}",
    "inverse_deviation": "1.f / {}",
    "where": "({} != 0.f ? {} : {})",
    "zeros": "0.f",
}

SHARED = """
static const Products* shared;
extern "C" void share(const Products* given) { shared = given; }
"""

FUNCTION = """
static void {name}_rows(const long* D, long steps, long batch, const long* sizes, const long* offsets,
    long apart, long first, long stride, bool reverse, char* const* P, float* const* W, double* T, float* M,
    Team* team) {{
  const long mine = (batch - first + stride - 1) / stride;
{buffers}
  for (long b = 0; b < mine; b++) {{ const long g = first + b * stride; (void)g;
{begin}  }}
  long held = 0, gathered = 0, waiting = 0;
{before}  for (long q = 0; q < steps; q++) {{
    const long t = {order};
    const long alive = (sizes[t] - first + stride - 1) / stride;
    if (alive <= 0) continue;
    const long row = offsets[t] + first * apart, next = stride * apart;
    const long each = sizes[t] / stride, rest = sizes[t] % stride;
    const long recorded = (apart == 1 ? offsets[t] : t * batch) + first * each + (first < rest ? first : rest);
    const long then = {following}, ahead = q + 1 < steps ? offsets[then] - offsets[t] : 0;
    (void)recorded;
    const long before = q + 1 < steps ? (sizes[then] - first + stride - 1) / stride : 0; (void)before;
{stages}{advance}    waiting += alive;
    if (waiting >= {enough}) {{
{gather}      waiting = 0;
    }}
    if ((held += alive) >= HELD) {{
      held = 0;
{totals}    }}
    if ((gathered += alive) >= GATHERED) {{
      gathered = 0;
{matrices}    }}
  }}
{gather}{after}{totals}{matrices}  for (long b = 0; b < mine; b++) {{ const long g = first + b * stride; (void)g;
{end}  }}
  free(memory);
}}
extern "C" void {name}(const long* D, long steps, long batch, const long* sizes, const long* offsets, long apart,
    long threads, int reverse, char* const* P) {{
{packed}  const long totals = {total_size}, matrices = {matrix_size};
  double* T = (double*)calloc(threads * totals + 1, sizeof(double));
  float* M = (float*)calloc(threads * matrices + 1, sizeof(float));
  if (threads > batch) {{
    Team team = {{}};
    #pragma omp parallel num_threads(threads)
    {{
      #pragma omp master
      {{
        {name}_rows(D, steps, batch, sizes, offsets, apart, 0, 1, reverse != 0, P, W, T, M, &team);
        __atomic_store_n(&team.over, 1, __ATOMIC_RELEASE);
      }}
      shared->help_until_over(&team);
    }}
  }} else {{
    #pragma omp parallel for num_threads(threads) schedule(static, 1) if (threads > 1)
    for (long i = 0; i < threads; i++)
      {name}_rows(D, steps, batch, sizes, offsets, apart, i, threads, reverse != 0, P, W, T + i * totals,
                  M + i * matrices, nullptr);
  }}
{sums}  free(T);
  free(M);
  free(W[0]);
}}
"""
