// Attention over few positions: plain loops, where the calls of a blocked kernel cost more than its products.
// q [B,H,T,d], k [B,G,S,d], v [B,G,S,e], mask [B,H,T,S] (expanded), y and dy [B,H,T,e], lse (log-sum-exp) [B,H,T].
#pragma once
#include "elementwise.h"
#include "vectors.h"
#include <ATen/Parallel.h>
#include <cmath>
#include <limits>

[[gnu::always_inline]] static inline float dot(const float* x, const float* y, int64_t size) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < size; i++) sum += x[i] * y[i];
  return sum;
}
[[gnu::always_inline]] static inline void addTimes(float* sum, float factor, const float* x, int64_t size) {
#pragma omp simd
  for (int64_t i = 0; i < size; i++) sum[i] += factor * x[i];
}

// One head of one batch: T queries, S keys; rows of x are x.step apart.
struct Span {
  float* data;
  int64_t step;
  float* operator[](int64_t row) const { return data + row * step; }
};
struct Head {
  Span q, k, v;
  const float* mask;  // or none; of query t and key s at t * maskT + s * maskS
  int64_t maskT, maskS, T, S, d, e;
  float scale;
  bool causal;
  [[gnu::always_inline]] inline int64_t seen(int64_t t) const { return causal ? std::min(S, t + 1) : S; }
  [[gnu::always_inline]] inline void scores(int64_t t, float* out) const {
    for (int64_t s = 0; s < seen(t); s++) out[s] = scale * dot(q[t], k[s], d) + (mask ? mask[t * maskT + s * maskS] : 0);
  }
};
WIDE_VECTORS static void attend(const Head& head, Span y, float* lse, float* weight) {
  for (int64_t t = 0; t < head.T; t++) {
    const int64_t seen = head.seen(t);
    head.scores(t, weight);
    float most = -std::numeric_limits<float>::infinity(), sum = 0;
    for (int64_t s = 0; s < seen; s++) most = std::max(weight[s], most);
    for (int64_t s = 0; s < seen; s++) sum += weight[s] = std::exp(weight[s] - most);
    float all = most + std::log(sum);
    if (head.mask && (most <= -1e8f || all <= -1e8f)) continue;  // sees nothing: zeros
    lse[t] = all;
    for (int64_t s = 0; s < seen; s++) addTimes(y[t], weight[s] / sum, head.v[s], head.e);
  }
}
// Weights of query t, and the gradients of its scores.
[[gnu::always_inline]] static inline void scoresGrad(const Head& head, int64_t t, Span dy, Span y, float lse, float* weight, float* dscore) {
  const float shift = dot(dy[t], y[t], head.e);
  head.scores(t, weight);
  for (int64_t s = 0; s < head.seen(t); s++) {
    weight[s] = std::exp(weight[s] - lse);
    dscore[s] = weight[s] * (dot(dy[t], head.v[s], head.e) - shift);
  }
}
WIDE_VECTORS static void attendGrad(const Head& head, Span dy, Span y, const float* lse, Span dq, Span dk, Span dv, float* weight, float* dscore) {
  for (int64_t t = 0; t < head.T; t++) {
    scoresGrad(head, t, dy, y, lse[t], weight, dscore);
    for (int64_t s = 0; s < head.seen(t); s++) {
      addTimes(dv[s], weight[s], dy[t], head.e);
      addTimes(dq[t], dscore[s] * head.scale, head.k[s], head.d);
      addTimes(dk[s], dscore[s] * head.scale, head.q[t], head.d);
    }
  }
}
WIDE_VECTORS static void attendMaskGrad(const Head& head, Span dy, Span y, const float* lse, float* dscores, float* weight) {
  for (int64_t t = 0; t < head.T; t++) scoresGrad(head, t, dy, y, lse[t], weight, dscores + t * head.S);
}

struct FewPositions {
  Tensor q, k, v;
  std::optional<Tensor> mask;
  int64_t B, H, T, S, G, d, e;
  float scale;
  bool causal;

  static bool suits(const Tensor& q, const Tensor& k) { return q.is_cpu() && q.size(2) <= 16 && k.size(2) <= 16; }
  static Tensor packed(const Tensor& x) { return x.stride(3) == 1 ? x : x.contiguous(); }
  // zeros [B,H,T,d], positions before heads in memory, so that joining the heads copies nothing
  static Tensor headsInside(int64_t B, int64_t H, int64_t T, int64_t d) { return at::zeros({B, T, H, d}, at::kFloat).transpose(1, 2); }
  static Span span(const Tensor& x, int64_t b, int64_t h) { return {const_cast<float*>(x.const_data_ptr<float>()) + b * x.stride(0) + h * x.stride(1), x.stride(2)}; }

  FewPositions(const Tensor& q, const Tensor& k, const Tensor& v, double scale, bool causal, const std::optional<Tensor>& mask)
      : q(packed(q)), k(packed(k)), v(packed(v)), mask(mask), B(q.size(0)), H(q.size(1)), T(q.size(2)), S(k.size(2)), G(k.size(1)), d(q.size(3)), e(v.size(3)), scale((float)scale), causal(causal) {}

  Head head(int64_t b, int64_t h) const {
    int64_t g = h / (H / G);
    Head head{span(q, b, h), span(k, b, g), span(v, b, g), nullptr, 0, 0, T, S, d, e, scale, causal};
    if (mask) head.mask = mask->const_data_ptr<float>() + b * mask->stride(0) + h * mask->stride(1), head.maskT = mask->stride(2), head.maskS = mask->stride(3);
    return head;
  }
  // calls work(b, h, two buffers of S) for every head; the heads of a key head by the same thread, in order
  template <class Work> void each(Work work) const {
    int64_t shared = H / G, cost = shared * T * S * (d + e);
    at::parallel_for(0, B * G, std::max<int64_t>(1, 65536 / std::max<int64_t>(1, cost)), [&](int64_t begin, int64_t end) {
      std::vector<float> buffer(2 * S);
      for (int64_t i = begin * shared; i < end * shared; i++) work(i / H, i % H, buffer.data(), buffer.data() + S);
    });
  }

  std::vector<Tensor> forward() const {  // -> y [B,H,T,e], log-sum-exp [B,H,T]
    Tensor y = headsInside(B, H, T, e), lse = at::zeros({B, H, T}, at::kFloat);
    float* L = lse.data_ptr<float>();
    each([&](int64_t b, int64_t h, float* weight, float*) { attend(head(b, h), span(y, b, h), L + (b * H + h) * T, weight); });
    return {y, lse};
  }
  std::vector<Tensor> grad(const Tensor& dy0, const Tensor& y0, const Tensor& lse0) const {  // -> dq, dk, dv
    Tensor dy = packed(dy0), y = packed(y0), lse = lse0.contiguous(), dq = headsInside(B, H, T, d), dk = headsInside(B, G, S, d), dv = headsInside(B, G, S, e);
    const float* L = lse.const_data_ptr<float>();
    each([&](int64_t b, int64_t h, float* weight, float* dscore) {
      int64_t g = h / (H / G);
      attendGrad(head(b, h), span(dy, b, h), span(y, b, h), L + (b * H + h) * T, span(dq, b, h), span(dk, b, g), span(dv, b, g), weight, dscore);
    });
    return {dq, dk, dv};
  }
  Tensor maskGrad(const Tensor& dy0, const Tensor& y0, const Tensor& lse0) const {  // -> [B,H,T,S]
    Tensor dy = packed(dy0), y = packed(y0), lse = lse0.contiguous(), out = at::zeros({B, H, T, S}, at::kFloat);
    const float* L = lse.const_data_ptr<float>();
    float* D = out.data_ptr<float>();
    each([&](int64_t b, int64_t h, float* weight, float*) { attendMaskGrad(head(b, h), span(dy, b, h), span(y, b, h), L + (b * H + h) * T, D + (b * H + h) * T * S, weight); });
    return out;
  }
};
