// Matrix products, convolution and pooling.
#pragma once
#include "elementwise.h"

static Tensor matmul(const Tensor& a, const Tensor& b, bool transposeA, bool transposeB) {
  if (a.scalar_type() != b.scalar_type() && (a.scalar_type() == at::kDouble || b.scalar_type() == at::kDouble)) return matmul(a.to(at::kDouble), b.to(at::kDouble), transposeA, transposeB);
  return at::matmul(transposeA ? a.transpose(-1, -2) : a, transposeB ? b.transpose(-1, -2) : b);
}

// ---- convolution --------------------------------------------------------------------------------------------
// torch wants channels first. `S` is the number of spatial axes; the numbers of a window are given axis by axis as
// strides, dilations, padding before, padding after (4 x S).
static Tensor channelsFirst(const Tensor& x, bool channelsLast) { return channelsLast ? x.movedim(-1, 1) : x; }
static Tensor channelsBack(const Tensor& x, bool channelsLast) { return channelsLast ? x.movedim(1, -1) : x; }

struct Window {
  Dims stride, dilation, before, after;
  Window(const Dims& numbers, size_t S) {
    TORCH_CHECK(S >= 1 && S <= 3 && numbers.size() >= 4 * S, "convolution: ", numbers.size(), " numbers for ", S, " axes");
    auto part = [&](size_t i) { return Dims(numbers.begin() + i * S, numbers.begin() + (i + 1) * S); };
    stride = part(0), dilation = part(1), before = part(2), after = part(3);
    for (size_t i = 0; i < S; i++) TORCH_CHECK(stride[i] > 0 && dilation[i] > 0 && before[i] >= 0 && after[i] >= 0, "convolution: stride, dilation or padding is negative or 0");
  }
  bool padded() const { return product(before) + product(after) > 0 || before != Dims(before.size(), 0) || after != Dims(after.size(), 0); }
  Tensor pad(const Tensor& x, double value) const {
    if (!padded()) return x;
    Dims widths;
    for (size_t i = before.size(); i--;) widths.push_back(before[i]), widths.push_back(after[i]);
    return at::constant_pad_nd(x, widths, value);
  }
  Tensor unpad(Tensor x, IntArrayRef spatial) const {
    for (size_t i = 0; i < before.size(); i++) x = x.narrow(2 + i, before[i], spatial[i]);
    return x;
  }
  Dims none() const { return Dims(before.size(), 0); }
};

// [..., I, O] -> [O, I, ...]; depthwise [..., C, M] -> [C M, 1, ...]
static Tensor filterFirst(const Tensor& w, bool depthwise) {
  if (!depthwise) return w.movedim({-1, -2}, {0, 1});
  Tensor first = w.movedim({-2, -1}, {0, 1});
  return first.reshape(concat({w.size(-2) * w.size(-1), 1}, first.sizes().slice(2)));
}
static Tensor filterBack(const Tensor& w, bool depthwise, int64_t channels) {
  if (!depthwise) return w.movedim({0, 1}, {-1, -2});
  return w.reshape(concat({channels, w.size(0) / channels}, w.sizes().slice(2))).movedim({0, 1}, {-2, -1});
}
static size_t spatialAxes(const Tensor& x) { return x.dim() < 3 ? 0 : x.dim() - 2; }

static Tensor convolve(const Tensor& x, const Tensor& w, bool channelsLast, bool depthwise, const Dims& numbers) {
  Window window(numbers, spatialAxes(x));
  TORCH_CHECK(w.dim() == x.dim(), "convolution: filter of rank ", w.dim(), " for rank ", x.dim());
  Tensor input = window.pad(channelsFirst(x, channelsLast), 0);
  Tensor y = at::convolution(input, filterFirst(w, depthwise), {}, window.stride, window.none(), window.dilation, false, window.none(), depthwise ? w.size(-2) : 1);
  return channelsBack(y, channelsLast);
}

// numbers: the window, then the shape of x
static Tensor convolveInputGrad(const Tensor& dy, const Tensor& w, bool channelsLast, bool depthwise, const Dims& numbers) {
  size_t S = spatialAxes(dy);
  Window window(numbers, S);
  Dims shape(numbers.begin() + 4 * S, numbers.end());
  TORCH_CHECK(shape.size() == S + 2 && w.dim() == dy.dim(), "convolution gradient: shape ", shape);
  Tensor x = channelsFirst(at::empty({1}, dy.options()).expand(shape), channelsLast);
  Dims spatial = x.sizes().slice(2).vec(), padded = x.sizes().vec();
  Tensor grad = channelsFirst(dy, channelsLast);
  for (size_t i = 0; i < S; i++) {
    padded[2 + i] += window.before[i] + window.after[i];
    int64_t places = (padded[2 + i] - window.dilation[i] * (w.size(i) - 1) - 1) / window.stride[i] + 1;
    TORCH_CHECK(grad.size(2 + i) == places, "convolution gradient: dy ", dy.sizes(), " does not fit an input of ", shape, " and a filter of ", w.sizes());
  }
  Tensor input = at::empty(padded, dy.options());
  auto [dx, dw, db] = at::convolution_backward(grad, input, filterFirst(w, depthwise), {}, window.stride, window.none(), window.dilation,
                                               false, window.none(), depthwise ? w.size(-2) : 1, {true, false, false});
  return channelsBack(window.unpad(dx, spatial), channelsLast);
}

// numbers: the window, then the shape of the filter
static Tensor convolveFilterGrad(const Tensor& x, const Tensor& dy, bool channelsLast, bool depthwise, const Dims& numbers) {
  size_t S = spatialAxes(x);
  Window window(numbers, S);
  Dims shape(numbers.begin() + 4 * S, numbers.end());
  TORCH_CHECK(shape.size() == S + 2 && dy.dim() == x.dim(), "convolution gradient: shape ", shape);
  Tensor w = filterFirst(at::empty({1}, x.options()).expand(shape), depthwise).contiguous();
  auto [dx, dw, db] = at::convolution_backward(channelsFirst(dy, channelsLast), window.pad(channelsFirst(x, channelsLast), 0), w, {}, window.stride, window.none(),
                                               window.dilation, false, window.none(), depthwise ? shape[S] : 1, {false, true, false});
  return filterBack(dw, depthwise, shape[S]);
}

// ---- pooling ------------------------------------------------------------------------------------------------
// numbers: the window as for a convolution, then its size (S). The result of an average counts only what lies inside.
static Dims windowSize(const Dims& numbers, size_t S) {
  TORCH_CHECK(numbers.size() == 5 * S, "pooling: ", numbers.size(), " numbers for ", S, " axes");
  Dims size(numbers.begin() + 4 * S, numbers.end());
  for (int64_t n : size) TORCH_CHECK(n > 0, "pooling: window ", size);
  return size;
}
static std::tuple<Tensor, Tensor> maxPoolWithIndices(const Tensor& padded, const Window& w, const Dims& size) {
  if (size.size() == 2) return at::max_pool2d_with_indices(padded, size, w.stride, w.none(), w.dilation);
  TORCH_CHECK(size.size() == 3, "pooling: ", size.size(), " axes");
  return at::max_pool3d_with_indices(padded, size, w.stride, w.none(), w.dilation);
}
static Tensor average(const Tensor& padded, const Window& w, const Dims& size) {
  if (size.size() == 2) return at::avg_pool2d(padded, size, w.stride);
  TORCH_CHECK(size.size() == 3, "pooling: ", size.size(), " axes");
  return at::avg_pool3d(padded, size, w.stride);
}
// The share of each window that lies inside x, [1, 1, …].
static Tensor insideShare(const Tensor& x, const Window& w, const Dims& size) {
  // a window that lies outside altogether gives 0 / 1e-30
  return average(w.pad(at::ones(concat({1, 1}, x.sizes().slice(2)), x.options()), 0), w, size).clamp_min(1e-30);
}
static Tensor pool(const Tensor& x, bool maximum, const Dims& numbers) {
  size_t S = spatialAxes(x);
  Window w(numbers, S);
  Dims size = windowSize(numbers, S);
  Tensor input = channelsFirst(x, true).contiguous();
  // not-a-number is never the largest
  if (maximum) return channelsBack(std::get<0>(maxPoolWithIndices(w.pad(at::nan_to_num(input, -INFINITY, INFINITY, -INFINITY), -INFINITY), w, size)), true);
  Tensor y = average(w.pad(input, 0), w, size);
  return channelsBack(w.padded() ? at::div(y, insideShare(input, w, size)) : y, true);
}
static Tensor poolGrad(const Tensor& dy, const Tensor& x, bool maximum, const Dims& numbers) {
  size_t S = spatialAxes(x);
  Window w(numbers, S);
  Dims size = windowSize(numbers, S);
  Tensor input = channelsFirst(x, true).contiguous(), padded = w.pad(input, maximum ? -INFINITY : 0), grad = channelsFirst(dy, true).contiguous(), dx;
  if (maximum) {
    auto [y, indices] = maxPoolWithIndices(padded, w, size);
    requireSameShape(y, grad, "pooling gradient");
    dx = S == 2 ? at::max_pool2d_with_indices_backward(grad, padded, size, w.stride, w.none(), w.dilation, false, indices)
                : at::max_pool3d_with_indices_backward(grad, padded, size, w.stride, w.none(), w.dilation, false, indices);
  } else {
    if (w.padded()) grad = at::div(grad, insideShare(input, w, size));
    dx = S == 2 ? at::avg_pool2d_backward(grad, padded, size, w.stride, w.none(), false, true, {})
                : at::avg_pool3d_backward(grad, padded, size, w.stride, w.none(), false, true, {});
  }
  return channelsBack(w.unpad(dx, input.sizes().slice(2)), true);
}

static const Operation productOperations[] = {
    OP(matmul, matmul(c.tensor(0), c.tensor(1), c.flag(2), c.flag(3))),
    OP(einsum, at::einsum(c.text(0), c.tensors(1))),
    OP(convolve, convolve(c.tensor(0), c.tensor(1), c.flag(2), c.flag(3), c.integers(4))),
    OP(convolveInputGrad, convolveInputGrad(c.tensor(0), c.tensor(1), c.flag(2), c.flag(3), c.integers(4))),
    OP(convolveFilterGrad, convolveFilterGrad(c.tensor(0), c.tensor(1), c.flag(2), c.flag(3), c.integers(4))),
    OP(pool, pool(c.tensor(0), c.flag(1), c.integers(2))),
    OP(poolGrad, poolGrad(c.tensor(0), c.tensor(1), c.flag(2), c.integers(3))),
    OP(searchSorted, at::searchsorted(c.tensor(0).contiguous(), c.tensor(1).contiguous(), true, c.flag(2))),
};
