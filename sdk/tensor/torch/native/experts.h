// The experts of a layer: tokens sorted by expert, one product per expert on adjoining rows.
// N tokens, K choices each, S experts ("slots") of width F, model width D, M = choices that are not -1.
#pragma once
#include "fused.h"
#include "layout.h"

// The weights in the order of the call: up [S,F,D], down [S,D,F], then gate [S,F,D], biases [S,F], [S,F], [S,D] or none.
struct Bank {
  Tensor up, down;
  std::optional<Tensor> gate, upBias, gateBias, downBias;
  int64_t activation, S, F, D;

  Bank(Call& c, size_t at, int64_t activation)
      : up(c.tensor(at).contiguous()), down(c.tensor(at + 1).contiguous()), gate(c.maybe(at + 2)), upBias(c.maybe(at + 3)), gateBias(c.maybe(at + 4)),
        downBias(c.maybe(at + 5)), activation(activation) {
    TORCH_CHECK(up.dim() == 3, "experts: up ", up.sizes());
    S = up.size(0), F = up.size(1), D = up.size(2);
    require(up, {S, F, D}), require(down, {S, D, F}), require(gate, {S, F, D});
    require(upBias, {S, F}), require(gateBias, {S, F}), require(downBias, {S, D});
    if (gate) gate = gate->contiguous();
  }
  static void require(const std::optional<Tensor>& t, IntArrayRef shape) {
    if (!t) return;
    requireFloat(*t, "experts");
    TORCH_CHECK(t->sizes() == shape, "experts: a weight is ", t->sizes(), ", expected ", shape);
  }
};

// start[s] … start[s+1] are the sorted rows of slot s; pair[row] = n K + k; row[pair] is its inverse, -1 where nothing runs.
struct Order {
  Tensor start, pair, row, token;
};
static Order sortBySlot(const Tensor& choice, int64_t S) {
  Tensor c = choice.to(at::kInt).contiguous();
  int64_t pairs = c.numel(), K = c.size(1);
  const int32_t* C = c.const_data_ptr<int32_t>();
  Order order{at::zeros({S + 1}, at::kInt), Tensor(), at::empty({pairs}, at::kInt), Tensor()};
  int32_t* start = order.start.data_ptr<int32_t>();
  for (int64_t p = 0; p < pairs; p++) {
    TORCH_CHECK(C[p] >= -1 && C[p] < S, "experts: choice ", C[p], " of ", S, " slots; -1 is none");
    if (C[p] >= 0) start[C[p] + 1]++;
  }
  for (int64_t s = 0; s < S; s++) start[s + 1] += start[s];
  order.pair = at::empty({start[S]}, at::kInt), order.token = at::empty({start[S]}, at::kInt);
  std::vector<int32_t> next(start, start + S);
  int32_t *pair = order.pair.data_ptr<int32_t>(), *row = order.row.data_ptr<int32_t>(), *token = order.token.data_ptr<int32_t>();
  for (int64_t p = 0; p < pairs; p++) {
    row[p] = C[p] < 0 ? -1 : next[C[p]]++;
    if (row[p] >= 0) pair[row[p]] = (int32_t)p, token[row[p]] = (int32_t)(p / K);
  }
  return order;
}
// The order of a forward pass comes back through JavaScript: what the loops below rely on is checked again.
static Order savedOrder(const Tensor& start, const Tensor& pair, const Tensor& row, int64_t S, int64_t N, int64_t K) {
  for (const Tensor* t : {&start, &pair, &row}) TORCH_CHECK(t->scalar_type() == at::kInt && t->dim() == 1 && t->is_contiguous(), "expertsGrad: the order is no list of int32");
  TORCH_CHECK(start.numel() == S + 1 && row.numel() == N * K, "expertsGrad: order ", start.sizes(), ", ", row.sizes());
  const int32_t *s = start.const_data_ptr<int32_t>(), *p = pair.const_data_ptr<int32_t>(), *r = row.const_data_ptr<int32_t>();
  int64_t M = pair.numel();
  for (int64_t i = 0; i < S; i++) TORCH_CHECK(s[i] >= 0 && s[i] <= s[i + 1] && s[i + 1] <= M, "expertsGrad: start");
  for (int64_t i = 0; i < M; i++) TORCH_CHECK(p[i] >= 0 && p[i] < N * K, "expertsGrad: pair");
  for (int64_t i = 0; i < N * K; i++) TORCH_CHECK(r[i] >= -1 && r[i] < M, "expertsGrad: row");
  return {start, pair, row, at::floor_divide(pair, K)};
}

// work(s, first row, rows) for the rows of each slot, shared out evenly: a slot in which one thread's part ends is cut there.
// Each product then runs on one thread, which wastes less than many small products that all threads share.
template <class Work>
static void eachSlot(const Tensor& start, int64_t rows, int64_t grain, Work work) {
  const int32_t* at = start.const_data_ptr<int32_t>();
  int64_t S = start.numel() - 1;
  at::parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
    c10::InferenceMode inference(true);
    for (int64_t s = std::upper_bound(at, at + S, (int32_t)begin) - at - 1; s < S && at[s] < end; s++) {
      int64_t first = std::max<int64_t>(begin, at[s]), n = std::min<int64_t>(end, at[s + 1]) - first;
      if (n > 0) work(s, first, n);
    }
  });
}
// rows that are worth a thread of their own, for matrices of so many numbers
static int64_t grainOf(const Tensor& weight) { return std::max<int64_t>(1, (1 << 20) / std::max<int64_t>(1, weight.size(1) * weight.size(2))); }

// rows of each slot times its weight [out, in], transposed, plus its bias
static Tensor slotProducts(const Tensor& rows, const Tensor& weight, const std::optional<Tensor>& bias, const Tensor& start) {
  Tensor out = at::empty({rows.size(0), weight.size(1)}, rows.options());
  eachSlot(start, rows.size(0), grainOf(weight), [&](int64_t s, int64_t first, int64_t n) {
    Tensor target = out.narrow(0, first, n);
    if (bias) at::addmm_out(target, bias->select(0, s), rows.narrow(0, first, n), weight.select(0, s).t());
    else at::mm_out(target, rows.narrow(0, first, n), weight.select(0, s).t());
  });
  return out;
}
// the gradients of slotProducts: of the rows (added to `drows`, or put there), the weight and the bias
static void slotProductsGrad(const Tensor& dout, const Tensor& rows, const Tensor& weight, const Tensor& start, Tensor& drows, bool add, Tensor& dweight, std::optional<Tensor>& dbias) {
  eachSlot(start, dout.size(0), grainOf(weight), [&](int64_t s, int64_t first, int64_t n) {
    Tensor dy = dout.narrow(0, first, n), dx = drows.narrow(0, first, n);
    if (add) at::addmm_out(dx, dx, dy, weight.select(0, s)); else at::mm_out(dx, dy, weight.select(0, s));
  });
  const int32_t* at = start.const_data_ptr<int32_t>();
  // each thread has some rows of every weight's gradient, so that unequal slots load threads equally
  at::parallel_for(0, weight.size(1), std::max<int64_t>(16, (1 << 20) / std::max<int64_t>(1, dout.size(0) * weight.size(2))), [&](int64_t begin, int64_t end) {
    c10::InferenceMode inference(true);
    for (int64_t s = 0; s < weight.size(0); s++) {
      int64_t n = at[s + 1] - at[s];
      Tensor dy = dout.narrow(0, at[s], n).narrow(1, begin, end - begin), dw = dweight.select(0, s).narrow(0, begin, end - begin);
      if (n == 0) dw.zero_();  // an expert without tokens has a gradient of zeros
      else at::mm_out(dw, dy.t(), rows.narrow(0, at[s], n));
      if (dbias) dbias->select(0, s).narrow(0, begin, end - begin).copy_(at::sum(dy, {0}));
    }
  });
}

// y[n] = sum over k of factor[n,k] * rows[row[n,k]]
static Tensor combine(const Tensor& rows, const Tensor& row, const float* factor, int64_t N, int64_t K) {
  int64_t D = rows.size(1);
  Tensor y = at::empty({N, D}, rows.options());
  const float* R = rows.const_data_ptr<float>();
  const int32_t* I = row.const_data_ptr<int32_t>();
  float* Y = y.data_ptr<float>();
  at::parallel_for(0, N, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, D * K)), [=](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; n++) {
      float* out = Y + n * D;
      std::fill_n(out, D, 0.f);
      for (int64_t k = 0; k < K; k++) {
        int32_t at = I[n * K + k];
        if (at < 0) continue;
        const float* source = R + (int64_t)at * D;
        float f = factor ? factor[n * K + k] : 1;
#pragma omp simd
        for (int64_t j = 0; j < D; j++) out[j] += f * source[j];
      }
    }
  });
  return y;
}

static void requireRouting(const Tensor& x, const Tensor& choice, const Tensor& gates, const Bank& bank) {
  requireFloat(x, "experts"), requireFloat(gates, "experts");
  TORCH_CHECK(x.dim() == 2 && x.size(1) == bank.D, "experts: x ", x.sizes(), " for width ", bank.D);
  TORCH_CHECK(choice.dim() == 2 && choice.size(0) == x.size(0) && choice.sizes() == gates.sizes() && choice.size(1) > 0, "experts: choice ", choice.sizes(), ", gates ", gates.sizes());
  TORCH_CHECK(choice.numel() < INT32_MAX, "experts: too many tokens");
}

// (x, choice, gates, activation, bank…) -> y, then what the gradient needs: rows of x, up and gate products, hidden, outputs, start, pair, row
static std::vector<Tensor> experts(Call& c) {
  Bank bank(c, 4, c.integer(3));
  Tensor x = c.tensor(0).contiguous(), gates = c.tensor(2).contiguous();
  requireRouting(x, c.tensor(1), gates, bank);
  Order order = sortBySlot(c.tensor(1), bank.S);
  Tensor rows = takeRows(x, order.token);
  Tensor up = slotProducts(rows, bank.up, bank.upBias, order.start), gate = up, hidden;
  if (bank.gate) {
    gate = slotProducts(rows, *bank.gate, bank.gateBias, order.start);
    hidden = at::mul(activate(gate, bank.activation, 0, std::nullopt), up);
  } else {
    hidden = activate(up, bank.activation, 0, std::nullopt);
  }
  Tensor outputs = slotProducts(hidden, bank.down, bank.downBias, order.start);
  Tensor y = combine(outputs, order.row, gates.const_data_ptr<float>(), x.size(0), gates.size(1));
  return {y, rows, up, gate, hidden, outputs, order.start, order.pair, order.row};
}

// (dy, gates, activation, bank…, rows, up, gate, hidden, outputs, start, pair, row)
// -> dx, dgates, dup, ddown, then those of gate, upBias, gateBias, downBias that there are
static std::vector<Tensor> expertsGrad(Call& c) {
  Bank bank(c, 3, c.integer(2));
  Tensor dy = c.tensor(0).contiguous(), gates = c.tensor(1).contiguous();
  Tensor rows = c.tensor(9), up = c.tensor(10), gate = c.tensor(11), hidden = c.tensor(12), outputs = c.tensor(13);
  requireRouting(dy, gates, gates, bank);
  int64_t N = dy.size(0), K = gates.size(1), D = bank.D, M = rows.size(0);
  for (const Tensor* t : {&rows, &outputs}) requireFloat(*t, "expertsGrad"), requireSameShape(*t, rows, "expertsGrad");
  for (const Tensor* t : {&up, &gate, &hidden}) requireFloat(*t, "expertsGrad"), requireSameShape(*t, up, "expertsGrad");
  TORCH_CHECK(rows.dim() == 2 && rows.size(1) == D && up.dim() == 2 && up.size(0) == M && up.size(1) == bank.F && c.tensor(15).numel() == M && outputs.is_contiguous(), "expertsGrad: saved rows ", rows.sizes());
  Order order = savedOrder(c.tensor(14), c.tensor(15), c.tensor(16), bank.S, N, K);

  // of the outputs of the experts and of the gates that weigh them
  Tensor doutputs = at::empty({M, D}, dy.options()), dgates = at::zeros({N, K}, dy.options());
  const float *DY = dy.const_data_ptr<float>(), *O = outputs.const_data_ptr<float>(), *G = gates.const_data_ptr<float>();
  float *DO = doutputs.data_ptr<float>(), *DG = dgates.data_ptr<float>();
  const int32_t* pair = order.pair.const_data_ptr<int32_t>();
  at::parallel_for(0, M, std::max<int64_t>(1, 16384 / std::max<int64_t>(1, D)), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float *grad = DY + pair[row] / K * D, *out = O + row * D;
      float *target = DO + row * D, g = G[pair[row]], dot = 0;
#pragma omp simd reduction(+ : dot)
      for (int64_t j = 0; j < D; j++) dot += grad[j] * out[j], target[j] = grad[j] * g;
      DG[pair[row]] = dot;
    }
  });

  std::optional<Tensor> dupBias, dgateBias, ddownBias;
  if (bank.upBias) dupBias = at::empty_like(*bank.upBias);
  if (bank.gateBias) dgateBias = at::empty_like(*bank.gateBias);
  if (bank.downBias) ddownBias = at::empty_like(*bank.downBias);
  Tensor dhidden = at::empty_like(hidden), drows = at::empty({M, D}, dy.options()), dup = at::empty_like(bank.up), ddown = at::empty_like(bank.down);
  slotProductsGrad(doutputs, hidden, bank.down, order.start, dhidden, false, ddown, ddownBias);
  std::vector<Tensor> gradients{Tensor(), dgates, dup, ddown};
  if (bank.gate) {
    Tensor dgate = at::empty_like(*bank.gate), activated = activate(gate, bank.activation, 0, std::nullopt);
    Tensor dgateRows = activateGrad(at::mul(dhidden, up), gate, bank.activation);
    slotProductsGrad(dhidden.mul_(activated), rows, bank.up, order.start, drows, false, dup, dupBias);
    slotProductsGrad(dgateRows, rows, *bank.gate, order.start, drows, true, dgate, dgateBias);
    gradients.push_back(dgate);
  } else {
    slotProductsGrad(activateGrad(dhidden, up, bank.activation), rows, bank.up, order.start, drows, false, dup, dupBias);
  }
  gradients[0] = combine(drows, order.row, nullptr, N, K);
  for (auto* bias : {&dupBias, &dgateBias, &ddownBias}) if (*bias) gradients.push_back(**bias);
  return gradients;
}

static const Operation expertOperations[] = {MANY(experts, experts(c)), MANY(expertsGrad, expertsGrad(c))};
