// Operations of a transformer in one call each, with what their gradients need.
#pragma once
#include "elementwise.h"
#include <ATen/Parallel.h>
#include <cmath>

static void requireFloat(const Tensor& x, const char* what) { TORCH_CHECK(x.scalar_type() == at::kFloat, what, ": float32 is needed, seen ", x.scalar_type()); }

// ---- root mean square norm: y = x / sqrt(mean(x^2) + eps) * gain --------------------------------------------
static std::vector<Tensor> rmsNorm(const Tensor& input, const Tensor& weight, double eps) {  // -> y, 1 / rms of each row
  requireFloat(input, "rmsNorm"), requireFloat(weight, "rmsNorm");
  TORCH_CHECK(input.dim() >= 1 && weight.dim() == 1 && weight.size(0) == input.size(-1), "rmsNorm: gain ", weight.sizes(), " for ", input.sizes());
  Tensor x = input.contiguous(), gain = weight.contiguous(), y = at::empty_like(x);
  int64_t D = x.size(-1), N = D ? x.numel() / D : 0;
  Tensor inverse = at::empty({N}, at::kFloat);
  const float *X = x.const_data_ptr<float>(), *G = gain.const_data_ptr<float>();
  float *Y = y.data_ptr<float>(), *R = inverse.data_ptr<float>();
  at::parallel_for(0, N, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, D)), [=](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; n++) {
      const float* row = X + n * D;
      float* out = Y + n * D;
      float squares = 0;
#pragma omp simd reduction(+ : squares)
      for (int64_t j = 0; j < D; j++) squares += row[j] * row[j];
      float r = R[n] = 1 / std::sqrt(squares / D + (float)eps);
#pragma omp simd
      for (int64_t j = 0; j < D; j++) out[j] = row[j] * r * G[j];
    }
  });
  return {y, inverse};
}
static std::vector<Tensor> rmsNormGrad(const Tensor& grad, const Tensor& input, const Tensor& weight, const Tensor& inverse) {  // -> dx, dgain
  requireFloat(grad, "rmsNormGrad"), requireFloat(input, "rmsNormGrad"), requireFloat(weight, "rmsNormGrad"), requireFloat(inverse, "rmsNormGrad");
  requireSameShape(grad, input, "rmsNormGrad");
  int64_t D = weight.numel(), N = D ? input.numel() / D : 0;
  TORCH_CHECK(input.dim() >= 1 && input.size(-1) == D && inverse.numel() == N, "rmsNormGrad: gain ", weight.sizes(), " for ", input.sizes());
  Tensor dy = grad.contiguous(), x = input.contiguous(), gain = weight.contiguous(), r = inverse.contiguous(), dx = at::empty_like(x);
  const int64_t rows = 64, parts = (N + rows - 1) / rows;  // fixed parts: the sum does not depend on the number of threads
  Tensor partial = at::zeros({parts, D}, at::kFloat);
  const float *DY = dy.const_data_ptr<float>(), *X = x.const_data_ptr<float>(), *G = gain.const_data_ptr<float>(), *R = r.const_data_ptr<float>();
  float *DX = dx.data_ptr<float>(), *P = partial.data_ptr<float>();
  at::parallel_for(0, parts, 1, [=](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; part++) {
      float* dgain = P + part * D;
      for (int64_t n = part * rows; n < std::min(N, (part + 1) * rows); n++) {
        const float *q = DY + n * D, *row = X + n * D;
        float* out = DX + n * D;
        float k = R[n], dot = 0;
#pragma omp simd reduction(+ : dot)
        for (int64_t j = 0; j < D; j++) dot += q[j] * G[j] * row[j], dgain[j] += q[j] * row[j] * k;
        float shift = dot * k * k * k / D;
#pragma omp simd
        for (int64_t j = 0; j < D; j++) out[j] = q[j] * G[j] * k - row[j] * shift;
      }
    }
  });
  return {dx, at::sum(partial, {0}).view(weight.sizes())};
}

// ---- attention: softmax(scale q k^T + mask) v over [B, H, T, d] ---------------------------------------------
static void requireAttention(const Tensor& q, const Tensor& k, const Tensor& v, const std::optional<Tensor>& mask, bool causal) {
  for (const Tensor* t : {&q, &k, &v}) {
    requireFloat(*t, "attention");
    TORCH_CHECK(t->dim() == 4, "attention: rank ", t->dim());
  }
  requireSameShape(k, v, "attention");
  TORCH_CHECK(q.size(0) == k.size(0) && q.size(1) == k.size(1) && q.size(3) == k.size(3), "attention: q ", q.sizes(), ", k ", k.sizes());
  TORCH_CHECK(q.numel() > 0 && k.numel() > 0, "attention: empty");
  TORCH_CHECK(!causal || q.size(2) == k.size(2), "attention: causal needs as many keys as queries");
  if (!mask) return;
  requireFloat(*mask, "attention");
  bool fits = mask->dim() == 4 && mask->size(2) == q.size(2) && mask->size(3) == k.size(2) && (mask->size(0) == 1 || mask->size(0) == q.size(0)) && (mask->size(1) == 1 || mask->size(1) == q.size(1));
  TORCH_CHECK(fits, "attention: mask ", mask->sizes(), " for q ", q.sizes(), ", k ", k.sizes());
}
static std::optional<Tensor> dense(const std::optional<Tensor>& mask) { return mask ? std::optional<Tensor>(mask->contiguous()) : std::nullopt; }

static std::vector<Tensor> attention(const Tensor& q, const Tensor& k, const Tensor& v, double scale, bool causal, const std::optional<Tensor>& mask) {  // -> y, log-sum-exp
  requireAttention(q, k, v, mask, causal);
  auto [y, lse] = at::_scaled_dot_product_flash_attention_for_cpu(q.contiguous(), k.contiguous(), v.contiguous(), 0., causal, dense(mask), scale);
  return {y, lse};
}
static std::vector<Tensor> attentionGrad(const Tensor& dy, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& y, const Tensor& lse, double scale, bool causal,
                                         const std::optional<Tensor>& mask) {
  requireAttention(q, k, v, mask, causal);
  requireSameShape(dy, q, "attentionGrad"), requireSameShape(y, q, "attentionGrad");
  requireFloat(dy, "attentionGrad"), requireFloat(y, "attentionGrad"), requireFloat(lse, "attentionGrad");
  TORCH_CHECK(lse.sizes() == q.sizes().slice(0, 3), "attentionGrad: log-sum-exp ", lse.sizes());
  auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(dy.contiguous(), q.contiguous(), k.contiguous(), v.contiguous(), y, lse, 0., causal, dense(mask), scale);
  return {dq, dk, dv};
}

// ---- cross-entropy of each row ------------------------------------------------------------------------------
static Tensor labelColumn(const Tensor& logits, const Tensor& labels) {
  requireFloat(logits, "crossEntropy");
  TORCH_CHECK(logits.dim() == 2 && labels.dim() == 1 && labels.size(0) == logits.size(0), "crossEntropy: labels ", labels.sizes(), " for logits ", logits.sizes());
  return labels.to(at::kLong).unsqueeze(1);
}
static std::vector<Tensor> crossEntropy(const Tensor& logits, const Tensor& labels) {  // -> loss [N], log-sum-exp [N]
  Tensor column = labelColumn(logits, labels), lse = at::logsumexp(logits, {-1});
  return {at::sub(lse, at::gather(logits, 1, column).squeeze(1)), lse};
}
static Tensor crossEntropyGrad(const Tensor& dy, const Tensor& logits, const Tensor& labels, const Tensor& lse) {
  Tensor column = labelColumn(logits, labels);
  TORCH_CHECK(dy.sizes() == labels.sizes() && lse.sizes() == labels.sizes(), "crossEntropyGrad: dy ", dy.sizes());
  Tensor weight = dy.unsqueeze(1);
  return at::sub(logits, lse.unsqueeze(1)).exp_().mul_(weight).scatter_add_(1, column, at::neg(weight));
}

// ---- rows ---------------------------------------------------------------------------------------------------
// out[rows[i]] += x[i]. Each thread owns a range of the result, so the order of the sums is always the same.
static Tensor addRows(const Tensor& source, const Tensor& rows, int64_t count) {
  requireFloat(source, "addRows");
  TORCH_CHECK(count >= 0 && source.dim() == 2 && rows.dim() == 1 && rows.size(0) == source.size(0), "addRows: ", rows.sizes(), " rows for ", source.sizes());
  Tensor x = source.contiguous(), ids = rows.to(at::kLong).contiguous(), out = at::zeros({count, x.size(1)}, at::kFloat);
  int64_t N = x.size(0), D = x.size(1);
  const float* X = x.const_data_ptr<float>();
  const int64_t* I = ids.const_data_ptr<int64_t>();
  float* O = out.data_ptr<float>();
  for (int64_t i = 0; i < N; i++) TORCH_CHECK(I[i] >= 0 && I[i] < count, "addRows: row ", I[i], " of ", count);
  at::parallel_for(0, count, std::max<int64_t>(1, count / std::max(1, at::get_num_threads())), [=](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < N; i++) {
      if (I[i] < begin || I[i] >= end) continue;
      const float* row = X + i * D;
      float* sum = O + I[i] * D;
#pragma omp simd
      for (int64_t j = 0; j < D; j++) sum[j] += row[j];
    }
  });
  return out;
}

// ---- AdamW over all parameters ------------------------------------------------------------------------------
// (parameters, gradients, first moments, second moments; step, lr, beta1, beta2, eps, weight decay), in place
static napi_value adamW(Call& c) {
  std::vector<Tensor> p = c.tensors(0), g = c.tensors(1), m = c.tensors(2), v = c.tensors(3);
  TORCH_CHECK(p.size() == g.size() && p.size() == m.size() && p.size() == v.size(), "adamW: lists of different length");
  if (p.empty()) return nothing(c.env);
  for (size_t i = 0; i < p.size(); i++) {
    for (const Tensor* t : {&p[i], &g[i], &m[i], &v[i]}) requireFloat(*t, "adamW"), requireSameShape(*t, p[i], "adamW");
    for (const Tensor* t : {&p[i], &m[i], &v[i]}) TORCH_CHECK(t->is_contiguous(), "adamW: a parameter or moment is a view");
    g[i] = g[i].contiguous();
  }
  std::vector<Tensor> steps(p.size(), at::full({}, c.number(4), at::kFloat));
  at::_fused_adamw_(p, g, m, v, {}, steps, c.number(5), c.number(6), c.number(7), c.number(9), c.number(8), false, false);
  return nothing(c.env);
}

static const Operation fusedOperations[] = {
    MANY(rmsNorm, rmsNorm(c.tensor(0), c.tensor(1), c.number(2))), MANY(rmsNormGrad, rmsNormGrad(c.tensor(0), c.tensor(1), c.tensor(2), c.tensor(3))),
    MANY(attention, attention(c.tensor(0), c.tensor(1), c.tensor(2), c.number(3), c.flag(4), c.maybe(5))),
    MANY(attentionGrad, attentionGrad(c.tensor(0), c.tensor(1), c.tensor(2), c.tensor(3), c.tensor(4), c.tensor(5), c.number(6), c.flag(7), c.maybe(8))),
    MANY(crossEntropy, crossEntropy(c.tensor(0), c.tensor(1))), OP(crossEntropyGrad, crossEntropyGrad(c.tensor(0), c.tensor(1), c.tensor(2), c.tensor(3))),
    OP(addRows, addRows(c.tensor(0), c.tensor(1), c.integer(2))),
    VALUE(adamW, adamW),
};
