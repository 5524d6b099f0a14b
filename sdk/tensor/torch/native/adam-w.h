// One AdamW step over all parameters, in place: algorithm 2 of arXiv:1711.05101.
#pragma once
#include "elementwise.h"
#include "vectors.h"
#include <ATen/Parallel.h>
#include <cmath>

WIDE_VECTORS static double squares(const float* x, int64_t size) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < size; i++) sum += x[i] * x[i];
  return sum;
}
// The norm of all gradients together, a number. Fixed parts: the sum does not depend on the number of threads.
static napi_value gradientNorm(Call& c) {
  constexpr int64_t part = 4096;
  double all = 0;
  for (const Tensor& gradient : c.tensors(0)) {
    requireFloat(gradient, "gradientNorm");
    if (!gradient.is_cpu()) {
      all += std::pow(at::linalg_vector_norm(gradient).item<double>(), 2);
      continue;
    }
    Tensor g = gradient.contiguous();
    const float* G = g.const_data_ptr<float>();
    const int64_t N = g.numel(), parts = (N + part - 1) / part;
    std::vector<double> sums(parts);
    at::parallel_for(0, parts, 16, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; p++) sums[p] = squares(G + p * part, std::min(part, N - p * part));
    });
    for (double sum : sums) all += sum;
  }
  return toNumber(c.env, std::sqrt(all));
}

struct AdamW {
  float factor, beta1, beta2, eps, keep, rate, unbias2;  // gradients times factor; weights times keep, minus rate * moment / root
};
WIDE_VECTORS static void adamWLoop(const AdamW& a, float* p, const float* g, float* m, float* v, int64_t size) {
#pragma omp simd
  for (int64_t i = 0; i < size; i++) {
    float gradient = g[i] * a.factor;
    m[i] = a.beta1 * m[i] + (1 - a.beta1) * gradient;
    v[i] = a.beta2 * v[i] + (1 - a.beta2) * gradient * gradient;
    p[i] = p[i] * a.keep - a.rate * m[i] / (std::sqrt(v[i]) * a.unbias2 + a.eps);
  }
}
// (parameters, gradients, first moments, second moments; step, lr, beta1, beta2, eps, weight decay, factor of the gradients)
static napi_value adamW(Call& c) {
  std::vector<Tensor> p = c.tensors(0), g = c.tensors(1), m = c.tensors(2), v = c.tensors(3);
  TORCH_CHECK(p.size() == g.size() && p.size() == m.size() && p.size() == v.size(), "adamW: lists of different length");
  const double step = c.number(4), lr = c.number(5), beta1 = c.number(6), beta2 = c.number(7), eps = c.number(8), decay = c.number(9), factor = c.number(10);
  for (size_t i = 0; i < p.size(); i++) {
    for (const Tensor* t : {&p[i], &g[i], &m[i], &v[i]}) requireFloat(*t, "adamW"), requireSameShape(*t, p[i], "adamW");
    for (const Tensor* t : {&p[i], &m[i], &v[i]}) TORCH_CHECK(t->is_contiguous(), "adamW: a parameter or moment is a view");
    g[i] = g[i].contiguous();
  }
  if (p.empty()) return nothing(c.env);
  if (!p[0].is_cpu()) {
    if (factor != 1) g = at::_foreach_mul(g, factor);
    std::vector<Tensor> steps(p.size(), at::full({}, step, p[0].options()));
    at::_fused_adamw_(p, g, m, v, {}, steps, lr, beta1, beta2, decay, eps, false, false);
    return nothing(c.env);
  }
  const AdamW a{(float)factor, (float)beta1, (float)beta2, (float)eps, (float)(1 - lr * decay), (float)(lr / (1 - std::pow(beta1, step))), (float)(1 / std::sqrt(1 - std::pow(beta2, step)))};
  for (size_t i = 0; i < p.size(); i++) {
    float *P = p[i].data_ptr<float>(), *M = m[i].data_ptr<float>(), *V = v[i].data_ptr<float>();
    const float* G = g[i].const_data_ptr<float>();
    at::parallel_for(0, p[i].numel(), 1 << 15, [&](int64_t begin, int64_t end) { adamWLoop(a, P + begin, G + begin, M + begin, V + begin, end - begin); });
  }
  return nothing(c.env);
}
