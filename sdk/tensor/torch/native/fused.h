// Operations of a transformer in one call each, with what their gradients need.
#pragma once
#include "adam-w.h"
#include "elementwise.h"
#include "few-positions.h"
#include <ATen/Parallel.h>
#include <cmath>

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

// ---- rotary position embedding --------------------------------------------------------------------------------
// x [B,H,T,d]; cos and sin [T,r/2]: the first r of d channels are turned, pairs are neighbours or r/2 apart; `back` turns
// the other way, which is the gradient. The result lies in memory as x does.
static Tensor rotate(const Tensor& x0, const Tensor& cosines, const Tensor& sines, bool neighbours, bool back) {
  for (const Tensor* t : {&x0, &cosines, &sines}) requireFloat(*t, "rotate");
  TORCH_CHECK(x0.dim() == 4 && cosines.dim() == 2 && cosines.sizes() == sines.sizes() && cosines.size(0) == x0.size(2) && 2 * cosines.size(1) <= x0.size(3), "rotate: ", cosines.sizes(), " angles for ", x0.sizes());
  Tensor x = x0.stride(3) == 1 || x0.size(3) == 1 ? x0 : x0.contiguous(), c = cosines.contiguous(), s = sines.contiguous(), y = at::empty_like(x);
  if (y.stride(3) != 1) y = at::empty(x.sizes(), x.options());
  int64_t B = x.size(0), H = x.size(1), T = x.size(2), d = x.size(3), half = c.size(1), step = neighbours ? 2 : 1, apart = neighbours ? 1 : half;
  const float *X = x.const_data_ptr<float>(), *C = c.const_data_ptr<float>(), *S = s.const_data_ptr<float>();
  float *Y = y.data_ptr<float>(), sign = back ? -1 : 1;
  Dims xs = x.strides().vec(), ys = y.strides().vec();
  at::parallel_for(0, B * T, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, H * d)), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      int64_t b = row / T, t = row % T;
      const float *co = C + t * half, *si = S + t * half;
      for (int64_t h = 0; h < H; h++) {
        const float* in = X + b * xs[0] + h * xs[1] + t * xs[2];
        float* out = Y + b * ys[0] + h * ys[1] + t * ys[2];
#pragma omp simd
        for (int64_t i = 0; i < half; i++) {
          float p = in[i * step], q = in[i * step + apart], sine = sign * si[i];
          out[i * step] = p * co[i] - q * sine, out[i * step + apart] = q * co[i] + p * sine;
        }
        for (int64_t i = 2 * half; i < d; i++) out[i] = in[i];
      }
    }
  });
  return y;
}

// ---- attention: softmax(scale q k^T + mask) v ---------------------------------------------------------------
// q [B,H,T,d], k [B,G,S,d], v [B,G,S,e]: head h reads key head h G / H. mask: broadcastable to [B,H,T,S].
// Causal: query t sees the keys 0 … t. A query that sees nothing gives zeros.
struct Attention {
  Tensor q, k, v;  // as given for few positions; otherwise widened to H heads and to one head size, as torch's kernel needs them
  std::optional<Tensor> mask;
  int64_t groups, d, e;
  double scale;
  bool causal;
  std::optional<FewPositions> few;

  Attention(const Tensor& q0, const Tensor& k0, const Tensor& v0, double scale, bool causal, const std::optional<Tensor>& mask0) : scale(scale), causal(causal) {
    for (const Tensor* t : {&q0, &k0, &v0}) {
      requireFloat(*t, "attention");
      TORCH_CHECK(t->dim() == 4 && t->numel() > 0, "attention: ", t->sizes(), " is not [batch, heads, time, size]");
    }
    groups = k0.size(1), d = q0.size(3), e = v0.size(3);
    TORCH_CHECK(k0.sizes().slice(0, 3) == v0.sizes().slice(0, 3) && q0.size(0) == k0.size(0) && d == k0.size(3) && q0.size(1) % groups == 0, "attention: q ", q0.sizes(), ", k ", k0.sizes(), ", v ", v0.sizes());
    if (mask0) {
      requireFloat(*mask0, "attention");
      Tensor m = *mask0;
      while (m.dim() < 4) m = m.unsqueeze(0);
      TORCH_CHECK(m.dim() == 4, "attention: mask ", m.sizes());
      TORCH_CHECK((m.size(0) == 1 || m.size(0) == q0.size(0)) && (m.size(1) == 1 || m.size(1) == q0.size(1)), "attention: mask ", m.sizes(), " for q ", q0.sizes());
      mask = m.expand({m.size(0), m.size(1), q0.size(2), k0.size(2)});
    }
    if (FewPositions::suits(q0, k0)) {
      q = q0, k = k0;
      few.emplace(q0, k0, v0, scale, causal, mask ? std::optional(mask->expand({q.size(0), q.size(1), q.size(2), k.size(2)})) : std::nullopt);
      return;
    }
    int64_t size = std::max(d, e);
    q = padLast(q0, size), k = padLast(widen(k0, q0.size(1)), size), v = padLast(widen(v0, q0.size(1)), size);
    if (mask) mask = mask->contiguous();
  }
  static Tensor padLast(const Tensor& x, int64_t size) {
    Tensor y = x.size(3) == size ? x : at::constant_pad_nd(x, {0, size - x.size(3)}, 0);
    return y.stride(3) == 1 ? y : y.contiguous();
  }
  static Tensor widen(const Tensor& x, int64_t heads) {
    int64_t each = heads / x.size(1);
    return each == 1 ? x : x.unsqueeze(2).expand({x.size(0), x.size(1), each, x.size(2), x.size(3)}).reshape({x.size(0), heads, x.size(2), x.size(3)});
  }
  Tensor narrow(const Tensor& x, int64_t size, bool toGroups) const {
    Tensor y = x.narrow(3, 0, size);
    return toGroups && groups != y.size(1) ? at::sum(y.view({y.size(0), groups, y.size(1) / groups, y.size(2), size}), {2}) : y;
  }
};
// additive masks hide with -Infinity or about -1e9
static Tensor seesNothing(const Tensor& logSumExp) { return at::logical_not(at::gt(logSumExp, -1e8)); }

static std::vector<Tensor> attention(const Attention& a) {  // -> y [B,H,T,e], log-sum-exp [B,H,T]
  if (a.few) return a.few->forward();
  auto [y, lse] = at::_scaled_dot_product_flash_attention_for_cpu(a.q, a.k, a.v, 0., a.causal, a.mask, a.scale);
  if (a.mask) {
    Tensor hidden = seesNothing(lse);
    y = at::where(hidden.unsqueeze(-1), at::scalar_tensor(0., at::kFloat), y), lse = at::where(hidden, at::scalar_tensor(0., at::kFloat), lse);
  }
  return {y.narrow(3, 0, a.e), lse};
}
static void requireAttentionResult(const Attention& a, const Tensor& dy, const Tensor& y, const Tensor& lse) {
  requireFloat(dy, "attentionGrad"), requireFloat(y, "attentionGrad"), requireFloat(lse, "attentionGrad");
  requireSameShape(dy, y, "attentionGrad");
  TORCH_CHECK(lse.sizes() == a.q.sizes().slice(0, 3) && y.sizes() == concat(lse.sizes(), {a.e}), "attentionGrad: y ", y.sizes(), ", log-sum-exp ", lse.sizes());
}
// Where a query sees nothing, log-sum-exp is 0: its weights exp(score - 0) are 0, and so is its gradient.
static std::vector<Tensor> attentionGrad(const Attention& a, const Tensor& dy, const Tensor& y, const Tensor& lse) {
  requireAttentionResult(a, dy, y, lse);
  if (a.few) return a.few->grad(dy, y, lse);
  int64_t size = a.q.size(3);
  auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(Attention::padLast(dy, size), a.q, a.k, a.v, Attention::padLast(y, size), lse, 0., a.causal, a.mask, a.scale);
  return {a.narrow(dq, a.d, false), a.narrow(dk, a.d, true), a.narrow(dv, a.e, true)};
}
static Tensor attentionMaskGrad(const Attention& a, const Tensor& dy, const Tensor& y, const Tensor& lse, const Tensor& mask) {
  requireAttentionResult(a, dy, y, lse);
  TORCH_CHECK(a.mask, "attentionMaskGrad without a mask");
  if (a.few) return at::sum_to(a.few->maskGrad(dy, y, lse), mask.sizes());
  Tensor scores = at::matmul(a.q, a.k.transpose(-1, -2)).mul_(a.scale).add_(*a.mask);
  Tensor weights = scores.sub_(lse.unsqueeze(-1)).exp_();
  if (a.causal) weights = at::tril(weights);
  Tensor dweights = at::matmul(dy, a.v.narrow(3, 0, a.e).transpose(-1, -2));
  return at::sum_to(dweights.sub_(at::sum(at::mul(dy, y), {-1}, true)).mul_(weights), mask.sizes());
}

// ---- cross-entropy of each row; a negative label counts nothing ----------------------------------------------
static void requireLabels(const Tensor& logits, const Tensor& labels) {
  requireFloat(logits, "crossEntropy");
  TORCH_CHECK(logits.dim() == 2 && logits.size(1) > 0 && labels.dim() == 1 && labels.size(0) == logits.size(0), "crossEntropy: labels ", labels.sizes(), " for logits ", logits.sizes());
  TORCH_CHECK(!at::isFloatingType(labels.scalar_type()), "crossEntropy: labels are whole numbers");
}
static Tensor labelColumn(const Tensor& labels) { return labels.to(at::kLong).clamp_min(0).unsqueeze(1); }
static Tensor whereCounted(const Tensor& labels, const Tensor& x) { return at::where(at::lt(labels, 0), at::scalar_tensor(0., at::kFloat), x); }

static std::vector<Tensor> crossEntropy(const Tensor& logits, const Tensor& labels) {  // -> loss [N], log-sum-exp [N]
  requireLabels(logits, labels);
  Tensor lse = at::logsumexp(logits, {-1});
  return {whereCounted(labels, at::sub(lse, at::gather(logits, 1, labelColumn(labels)).squeeze(1))), lse};
}
static Tensor crossEntropyGrad(const Tensor& dy, const Tensor& logits, const Tensor& labels, const Tensor& lse) {
  requireLabels(logits, labels);
  TORCH_CHECK(dy.sizes() == labels.sizes() && lse.sizes() == labels.sizes(), "crossEntropyGrad: dy ", dy.sizes());
  Tensor weight = whereCounted(labels, dy).unsqueeze(1);
  return at::sub(logits, lse.unsqueeze(1)).exp_().mul_(weight).scatter_add_(1, labelColumn(labels), at::neg(weight));
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

// The gradient of the values of top-k goes back to where they came from.
static Tensor topkGrad(const Tensor& dy, const Tensor& indices, int64_t width) {
  requireSameShape(dy, indices, "topkGrad");
  TORCH_CHECK(dy.dim() > 0 && width >= dy.size(-1), "topkGrad: width ", width, " for ", dy.sizes());
  Dims shape = dy.sizes().vec();
  shape.back() = width;
  return at::zeros(shape, dy.options()).scatter_(-1, indices.to(at::kLong), dy);
}

#define ATTENTION Attention(c.tensor(0), c.tensor(1), c.tensor(2), c.number(3), c.flag(4), c.maybe(5))
static const Operation fusedOperations[] = {
    MANY(rmsNorm, rmsNorm(c.tensor(0), c.tensor(1), c.number(2))), MANY(rmsNormGrad, rmsNormGrad(c.tensor(0), c.tensor(1), c.tensor(2), c.tensor(3))),
    MANY(attention, attention(ATTENTION)), MANY(attentionGrad, attentionGrad(ATTENTION, c.tensor(6), c.tensor(7), c.tensor(8))),
    OP(attentionMaskGrad, attentionMaskGrad(ATTENTION, c.tensor(6), c.tensor(7), c.tensor(8), c.tensor(5))),
    MANY(crossEntropy, crossEntropy(c.tensor(0), c.tensor(1))), OP(crossEntropyGrad, crossEntropyGrad(c.tensor(0), c.tensor(1), c.tensor(2), c.tensor(3))),
    OP(addRows, addRows(c.tensor(0), c.tensor(1), c.integer(2))), OP(topkGrad, topkGrad(c.tensor(0), c.tensor(1), c.integer(2))),
    OP(rotate, rotate(c.tensor(0), c.tensor(1), c.tensor(2), c.flag(3), c.flag(4))),
    VALUE(adamW, adamW), VALUE(gradientNorm, gradientNorm),
};
