// Shape, order and selection of elements: views where possible, gather and scatter with checked indices.
#pragma once
#include "runtime.h"
#include <ATen/Parallel.h>
#include <cstring>

static Tensor slice(Tensor x, const Dims& beginAndSize) {
  size_t rank = beginAndSize.size() / 2;
  TORCH_CHECK((int64_t)rank == x.dim(), "slice: ", rank, " axes for a tensor of rank ", x.dim());
  for (size_t axis = 0; axis < rank; axis++) {
    int64_t begin = beginAndSize[axis], size = beginAndSize[rank + axis];
    if (begin != 0 || size != x.size(axis)) x = x.narrow(axis, begin, size);
  }
  return x;
}

// begin, end and stride of each axis; a negative stride walks backwards and `end` may then be -1.
static Tensor stridedSlice(Tensor x, const Dims& beginEndStride) {
  size_t rank = beginEndStride.size() / 3;
  TORCH_CHECK((int64_t)rank == x.dim(), "stridedSlice: ", rank, " axes for a tensor of rank ", x.dim());
  for (size_t axis = 0; axis < rank; axis++) {
    int64_t begin = beginEndStride[axis], end = beginEndStride[rank + axis], stride = beginEndStride[2 * rank + axis];
    TORCH_CHECK(stride != 0, "stridedSlice: a stride is 0");
    if (stride > 0) {
      x = at::slice(x, axis, begin, std::max(begin, end), stride);
    } else {
      Tensor rows = end < begin ? at::arange(begin, end, stride, x.options().dtype(at::kLong)) : at::empty({0}, x.options().dtype(at::kLong));
      x = at::index_select(x, axis, rows);
    }
  }
  return x;
}

// Before and after for each axis; the border repeats the inside, `symmetric` with the edge itself.
static Tensor mirrorPad(Tensor x, bool symmetric, const Dims& pads) {
  TORCH_CHECK((int64_t)pads.size() == 2 * x.dim(), "mirrorPad: ", pads.size(), " widths for a tensor of rank ", x.dim());
  for (int64_t axis = 0; axis < x.dim(); axis++) {
    int64_t before = pads[2 * axis], after = pads[2 * axis + 1], n = x.size(axis), edge = symmetric ? 0 : 1;
    if (!before && !after) continue;
    TORCH_CHECK(before >= 0 && after >= 0 && before <= n - edge && after <= n - edge, "mirrorPad: padding exceeds the tensor");
    Tensor rows = at::arange(-before, n + after, x.options().dtype(at::kLong));
    rows = at::where(at::lt(rows, 0), at::sub(at::neg(rows), 1 - edge), rows);
    rows = at::where(at::ge(rows, n), at::rsub(rows, 2 * n - 1 - edge), rows);
    x = at::index_select(x, axis, rows);
  }
  return x;
}

static void requireIndex(int64_t at, int64_t n) { TORCH_CHECK(at >= 0 && at < n, "GatherV2: the index value ", at, " is not in [0, ", n - 1, "]"); }
static void requireInside(const Tensor& indices, int64_t n) {
  if (indices.numel() == 0) return;
  auto [least, most] = at::aminmax(indices);
  int64_t low = least.item<int64_t>(), high = most.item<int64_t>();
  requireIndex(low < 0 ? low : high, n);
}
// Whole rows by plain copies: torch's own index_select costs as much for a row as for a kilobyte.
static Tensor takeRows(const Tensor& x, const Tensor& indices) {
  Tensor ids = indices.to(at::kInt).contiguous(), out = at::empty(concat({ids.numel()}, x.sizes().slice(1)), x.options());
  int64_t n = x.size(0), bytes = product(x.sizes().slice(1)) * (int64_t)x.element_size();
  const int32_t* I = ids.const_data_ptr<int32_t>();
  for (int64_t i = 0; i < ids.numel(); i++) requireIndex(I[i], n);
  if (bytes == 0 || ids.numel() == 0) return out;
  const char* from = (const char*)x.const_data_ptr();
  char* to = (char*)out.data_ptr();
  at::parallel_for(0, ids.numel(), std::max<int64_t>(1, 131072 / bytes), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) std::memcpy(to + i * bytes, from + I[i] * bytes, bytes);
  });
  return out;
}

// x[…, indices, …] along an axis; with b batch axes, indices[i…] select within x[i…].
static Tensor gather(const Tensor& x, const Tensor& indices, int64_t axis, int64_t batch) {
  TORCH_CHECK(batch >= 0 && batch <= axis && axis < x.dim() && batch <= indices.dim(), "gather: axis ", axis, ", batch axes ", batch);
  auto xs = x.sizes(), is = indices.sizes();
  TORCH_CHECK(!at::isFloatingType(indices.scalar_type()) && indices.scalar_type() != at::kBool, "gather: indices are whole numbers");
  TORCH_CHECK(xs.slice(0, batch) == is.slice(0, batch), "gather: batch axes of ", xs, " and ", is);
  if (batch == 0 && axis == 0 && x.dim() > 1 && x.is_cpu() && x.is_contiguous() && xs[0] < INT32_MAX && indices.scalar_type() == at::kInt) {
    return takeRows(x, indices).reshape(concat(is, xs.slice(1)));
  }
  requireInside(indices, xs[axis]);
  Dims shape = concat(concat(xs.slice(0, axis), is.slice(batch)), xs.slice(axis + 1));
  if (batch == 0) return at::index_select(x, axis, indices.reshape({-1})).reshape(shape);
  int64_t B = product(xs.slice(0, batch)), outer = product(xs.slice(batch, axis - batch)), inner = product(xs.slice(axis + 1)), M = product(is.slice(batch));
  Tensor rows = indices.reshape({B, 1, M, 1}).to(at::kLong).expand({B, outer, M, inner});
  return at::gather(x.reshape({B, outer, xs[axis], inner}), 2, rows).reshape(shape);
}

// Rows of multi-dimensional indices as positions in the flattened leading axes; each coordinate is checked.
static Tensor flatIndices(const Tensor& indices, IntArrayRef shape) {
  TORCH_CHECK(indices.dim() >= 1, "indices: rank 0");
  int64_t k = indices.size(-1);
  TORCH_CHECK(k <= (int64_t)shape.size(), "indices: ", k, " coordinates for rank ", shape.size());
  Tensor flat = at::zeros(indices.sizes().slice(0, indices.dim() - 1), indices.options().dtype(at::kLong));
  for (int64_t j = 0; j < k; j++) {
    Tensor at_ = indices.select(-1, j).to(at::kLong);
    bool inside = at_.numel() == 0 || at::logical_and(at::ge(at_, 0), at::lt(at_, shape[j])).all().item<bool>();
    TORCH_CHECK(inside, "Invalid indices: a coordinate of axis ", j, " does not index into ", shape[j]);
    flat = flat * shape[j] + at_;
  }
  return flat.reshape({-1});
}
static Tensor gatherNd(const Tensor& x, const Tensor& indices) {
  int64_t k = indices.size(-1);
  Tensor flat = flatIndices(indices, x.sizes());
  Dims shape = concat(indices.sizes().slice(0, indices.dim() - 1), x.sizes().slice(k));
  return at::index_select(x.reshape({product(x.sizes().slice(0, k)), product(x.sizes().slice(k))}), 0, flat).reshape(shape);
}

// Writes updates at indices into a copy of `target`: added (scatterNd) or put (tensorScatterUpdate).
static Tensor scatter(const Tensor& target, const Tensor& positions, const Tensor& updates, bool add) {
  Tensor indices = positions.dim() == 1 ? positions.unsqueeze(1) : positions;
  TORCH_CHECK(indices.dim() > 1 && indices.size(-1) <= target.dim(), "scatter: indices ", positions.sizes(), " into ", target.sizes());
  int64_t k = indices.size(-1);
  auto shape = target.sizes();
  int64_t rows = product(shape.slice(0, k)), inner = product(shape.slice(k));
  Tensor flat = flatIndices(indices, shape), result = target.clone(at::MemoryFormat::Contiguous).view({rows, inner});
  Tensor values = updates.to(target.scalar_type());
  values = values.dim() == 0 ? values.expand({flat.numel(), inner}) : values.reshape({flat.numel(), inner});
  if (add) result.index_add_(0, flat, values); else result.index_copy_(0, flat, values);
  return result.view(shape);
}

// sum of the rows of x that have the same id; ids outside 0 … n-1 are left out
static Tensor segmentSum(const Tensor& x, const Tensor& ids, int64_t n) {
  TORCH_CHECK(n >= 0, "segmentSum: ", n, " segments");
  TORCH_CHECK(ids.dim() <= x.dim() && ids.sizes() == x.sizes().slice(0, ids.dim()), "segmentSum: ids ", ids.sizes(), " for ", x.sizes());
  Tensor flat = ids.reshape({-1}).to(at::kLong);
  auto rest = x.sizes().slice(ids.dim());
  Tensor rows = x.reshape(concat({flat.numel()}, rest));
  Tensor inside = at::logical_and(at::ge(flat, 0), at::lt(flat, n));
  // one row more takes what is left out
  flat = at::where(inside, flat, at::scalar_tensor(n, at::kLong));
  return at::zeros(concat({n + 1}, rest), x.options()).index_add_(0, flat, rows).narrow(0, 0, n);
}

static Tensor oneHot(const Tensor& indices, int64_t depth, double on, double off, at::ScalarType dtype) {
  TORCH_CHECK(depth >= 0, "oneHot: depth ", depth);
  Tensor hot = at::eq(indices.unsqueeze(-1), at::arange(depth, indices.options().dtype(at::kInt)));
  return on == 1 && off == 0 ? hot.to(dtype) : at::where(hot, at::scalar_tensor(on, dtype), at::scalar_tensor(off, dtype));
}

static const Operation layoutOperations[] = {
    OP(reshape, c.tensor(0).reshape(c.integers(1))), OP(permute, c.tensor(0).permute(c.integers(1))), OP(expand, c.tensor(0).expand(c.integers(1))),
    OP(repeat, c.tensor(0).repeat(c.integers(1))), OP(flip, at::flip(c.tensor(0), c.integers(1))), OP(slice, slice(c.tensor(0), c.integers(1))),
    OP(stridedSlice, stridedSlice(c.tensor(0), c.integers(1))), OP(select, c.tensor(0).select(c.integer(1), c.integer(2))),
    OP(cat, at::cat(c.tensors(0), c.integer(1))), OP(stack, at::stack(c.tensors(0), c.integer(1))),
    OP(pad, at::constant_pad_nd(c.tensor(0), c.integers(2), c.number(1))), OP(mirrorPad, mirrorPad(c.tensor(0), c.flag(1), c.integers(2))),
    OP(gather, gather(c.tensor(0), c.tensor(1), c.integer(2), c.integer(3))), OP(gatherNd, gatherNd(c.tensor(0), c.tensor(1))),
    OP(scatter, scatter(c.tensor(0), c.tensor(1), c.tensor(2), c.flag(3))), OP(segmentSum, segmentSum(c.tensor(0), c.tensor(1), c.integer(2))),
    OP(oneHot, oneHot(c.tensor(0), c.integer(1), c.number(2), c.number(3), c.dtype(4))), OP(nonzero, at::nonzero(c.tensor(0)).to(at::kInt)),
};
