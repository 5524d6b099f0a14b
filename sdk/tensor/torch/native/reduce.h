// Sums and other reductions, running sums, softmax, sorting and top-k.
#pragma once
#include "runtime.h"
#include <ATen/Parallel.h>
#include <algorithm>
#include <numeric>

// torch takes an empty list of axes for "all of them"; here it means none.
template <class Op>
static Tensor overAxes(const Tensor& x, const Dims& axes, Op op) { return axes.empty() ? x.clone() : op(axes); }

// Applies a reduction that takes one axis to each of the axes, last first.
template <class Op>
static Tensor axisByAxis(Tensor x, Dims axes, bool keep, Op op) {
  std::sort(axes.begin(), axes.end());
  for (size_t i = axes.size(); i--;) x = op(x, axes[i], keep);
  return x;
}

static Tensor sum(const Tensor& x, bool keep, at::ScalarType dtype, const Dims& axes) {
  if (x.scalar_type() == at::kDouble) dtype = at::kDouble;
  if (axes.empty()) return x.to(dtype, false, true);
  return at::sum(x, axes, keep, dtype);
}
static Tensor mean(const Tensor& x, bool keep, const Dims& axes) {
  Tensor numbers = x.scalar_type() == at::kDouble ? x : x.to(at::kFloat);
  return overAxes(numbers, axes, [&](IntArrayRef a) { return at::mean(numbers, a, keep); });
}

// The largest along an axis; not-a-number is passed over.
static Tensor argExtreme(const Tensor& x, int64_t axis, bool largest) {
  Tensor y = arithmetic(x);
  if (at::isFloatingType(y.scalar_type())) {
    double worst = largest ? -INFINITY : INFINITY;
    y = at::where(at::isnan(y), at::scalar_tensor(worst, y.scalar_type()), y);
  }
  return (largest ? at::argmax(y, axis) : at::argmin(y, axis)).to(at::kInt);
}

// Running sum or product along an axis. Exclusive: the element itself is left out.
static Tensor running(const Tensor& x, int64_t axis, bool exclusive, bool reverse, bool multiply) {
  Tensor y = reverse ? at::flip(x, {axis}) : x;
  if (exclusive && y.size(axis) > 0) {
    Tensor first = at::full_like(y.narrow(axis, 0, 1), multiply ? 1 : 0);
    y = at::cat({first, y.narrow(axis, 0, y.size(axis) - 1)}, axis);
  }
  y = multiply ? at::cumprod(y, axis, x.scalar_type()) : at::cumsum(y, axis, x.scalar_type());
  return reverse ? at::flip(y, {axis}) : y;
}

// The k largest of each row, largest first; of equal ones the lower index first, as TensorFlow.js and every other
// back end here has it (torch's own top-k leaves ties open, which would make routing differ between back ends).
// Not-a-number counts as smallest.
template <class T>
static void topRows(const T* x, int64_t rows, int64_t n, int64_t k, T* values, int32_t* indices) {
  at::parallel_for(0, rows, std::max<int64_t>(1, 32768 / std::max<int64_t>(1, n)), [&](int64_t begin, int64_t end) {
    std::vector<int32_t> order(n);
    for (int64_t r = begin; r < end; r++) {
      const T* row = x + r * n;
      auto before = [row](int32_t a, int32_t b) {
        if (row[a] != row[a]) return row[b] != row[b] && a < b;
        return row[b] != row[b] || row[a] > row[b] || (row[a] == row[b] && a < b);
      };
      int32_t* top = indices + r * k;
      if (k <= 16) {  // insertion into a short list: most elements fail the first comparison
        int64_t have = 0;
        for (int32_t i = 0; i < n; i++) {
          if (have == k && !before(i, top[k - 1])) continue;
          int64_t at = have < k ? have++ : k - 1;
          for (; at > 0 && before(i, top[at - 1]); at--) top[at] = top[at - 1];
          top[at] = i;
        }
      } else {
        std::iota(order.begin(), order.end(), 0);
        std::partial_sort(order.begin(), order.begin() + k, order.end(), before);
        std::copy_n(order.begin(), k, top);
      }
      for (int64_t j = 0; j < k; j++) values[r * k + j] = row[top[j]];
    }
  });
}
static std::vector<Tensor> largest(const Tensor& input, int64_t k) {
  TORCH_CHECK(input.dim() > 0, "topk: a single number has no rows");
  int64_t n = input.size(-1);
  TORCH_CHECK(k >= 0 && k <= n, "topk: k is ", k, " of ", n);
  TORCH_CHECK(n < INT32_MAX, "topk: rows of ", n);
  Tensor x = arithmetic(input).contiguous();
  if (!x.is_cpu()) {
    auto [values, indices] = at::sort(x, /*stable=*/true, -1, /*descending=*/true);
    return {values.narrow(-1, 0, k).to(input.scalar_type()), indices.narrow(-1, 0, k).to(at::kInt)};
  }
  Dims shape = x.sizes().vec();
  shape.back() = k;
  Tensor values = at::empty(shape, x.options()), indices = at::empty(shape, at::kInt);
  if (values.numel() == 0) return {values.to(input.scalar_type()), indices};
  AT_DISPATCH_ALL_TYPES(x.scalar_type(), "topk", [&] {
    topRows(x.const_data_ptr<scalar_t>(), x.numel() / n, n, k, values.data_ptr<scalar_t>(), indices.data_ptr<int32_t>());
  });
  return {values.to(input.scalar_type()), indices};
}

static std::vector<Tensor> sorted(const Tensor& x, int64_t axis, bool descending) {
  auto [values, indices] = at::sort(x, /*stable=*/true, axis, descending);
  return {values, indices.to(at::kInt)};
}

static const Operation reduceOperations[] = {
    // (x, keep dimensions, …, axes)
    OP(sum, sum(c.tensor(0), c.flag(1), c.dtype(2), c.integers(3))),
    OP(mean, mean(c.tensor(0), c.flag(1), c.integers(2))),
    OP(max, overAxes(c.tensor(0), c.integers(2), [&](IntArrayRef a) { return at::amax(c.tensor(0), a, c.flag(1)); })),
    OP(min, overAxes(c.tensor(0), c.integers(2), [&](IntArrayRef a) { return at::amin(c.tensor(0), a, c.flag(1)); })),
    OP(prod, axisByAxis(arithmetic(c.tensor(0)), c.integers(2), c.flag(1), [](const Tensor& x, int64_t a, bool keep) { return at::prod(x, a, keep, x.scalar_type()); })),
    OP(all, axisByAxis(c.tensor(0), c.integers(2), c.flag(1), [](const Tensor& x, int64_t a, bool keep) { return at::all(x, a, keep); })),
    OP(any, axisByAxis(c.tensor(0), c.integers(2), c.flag(1), [](const Tensor& x, int64_t a, bool keep) { return at::any(x, a, keep); })),
    OP(argmax, argExtreme(c.tensor(0), c.integer(1), true)), OP(argmin, argExtreme(c.tensor(0), c.integer(1), false)),
    OP(running, running(c.tensor(0), c.integer(1), c.flag(2), c.flag(3), c.flag(4))),
    OP(softmax, at::_softmax(c.tensor(0), c.integer(1), false)), OP(logSoftmax, at::_log_softmax(c.tensor(0), c.integer(1), false)),
    OP(softmaxGrad, at::_softmax_backward_data(c.tensor(0), c.tensor(1), c.integer(2), c.tensor(1).scalar_type())),
    MANY(topk, largest(c.tensor(0), c.integer(1))), MANY(sort, sorted(c.tensor(0), c.integer(1), c.flag(2))),
};
