// Operations on each element: arithmetic, comparisons, activations, casts.
#pragma once
#include "runtime.h"

// Booleans count as 0 and 1.
static Tensor arithmetic(const Tensor& x) { return x.scalar_type() == at::kBool ? x.to(at::kInt) : x; }

template <class Op>
static Tensor arithmetic(const Tensor& a, const Tensor& b, Op op) {
  if (a.scalar_type() != at::kBool || b.scalar_type() != at::kBool) return op(arithmetic(a), arithmetic(b));
  return op(arithmetic(a), arithmetic(b)).to(at::kBool);
}

// Integer division in hardware stops the process on INT_MIN / -1 and on 0; float64 holds every int32 exactly.
static Tensor floorDivide(const Tensor& a, const Tensor& b) {
  return at::floor(at::div(a.to(at::kDouble), b.to(at::kDouble))).to(at::kInt);
}
static Tensor quotient(const Tensor& a, const Tensor& b) {
  bool integers = at::isIntegralType(a.scalar_type(), true) && at::isIntegralType(b.scalar_type(), true);
  return integers ? at::trunc(at::div(a.to(at::kDouble), b.to(at::kDouble))).to(at::kInt) : at::div(a, b);
}
static Tensor modulo(const Tensor& a, const Tensor& b) {
  bool integers = at::isIntegralType(a.scalar_type(), true) && at::isIntegralType(b.scalar_type(), true);
  return integers ? at::remainder(a.to(at::kDouble), b.to(at::kDouble)).to(at::kInt) : at::remainder(a, b);
}
static Tensor power(const Tensor& a, const Tensor& b) {
  bool integers = at::isIntegralType(a.scalar_type(), true) && at::isIntegralType(b.scalar_type(), true);
  return integers ? at::pow(a.to(at::kDouble), b.to(at::kDouble)).to(at::kInt) : at::pow(a, b);
}

// float -> int32 cuts off the fraction; not-a-number becomes 0. Anything -> bool asks "is it not 0".
static Tensor cast(const Tensor& x, at::ScalarType dtype) {
  if (dtype == at::kInt && at::isFloatingType(x.scalar_type())) return at::nan_to_num(x, 0., 2147483520., -2147483648.).to(at::kInt);
  return x.to(dtype);
}

// 1 above 0, `alpha` otherwise; not-a-number stays.
static Tensor step(const Tensor& x, double alpha) {
  if (x.is_cpu() && x.scalar_type() == at::kFloat && x.is_non_overlapping_and_dense()) {
    Tensor y = at::empty_like(x);
    const float *X = x.const_data_ptr<float>(), low = (float)alpha;
    float* Y = y.data_ptr<float>();
    at::parallel_for(0, x.numel(), 1 << 15, [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; i++) Y[i] = X[i] > 0 ? 1 : X[i] <= 0 ? low : X[i];
    });
    return y;
  }
  Tensor y = at::where(at::gt(x, 0), at::scalar_tensor(1., at::kFloat), at::scalar_tensor(alpha, at::kFloat));
  if (!at::isFloatingType(x.scalar_type())) return y.to(x.scalar_type());
  return at::where(at::isnan(x), x, y);
}
static Tensor slopedRelu(const Tensor& x, const Tensor& alpha) { return at::where(at::ge(x, 0), x, at::mul(x, alpha)); }

// The derivative of elu, from its result y.
static Tensor eluGrad(const Tensor& dy, const Tensor& y) { return at::where(at::ge(y, 0), dy, at::mul(dy, at::add(y, 1))); }

// The condition's axes are the first of x's, as tf.where has them, unless it broadcasts from the right.
static Tensor select(const Tensor& condition, const Tensor& x, const Tensor& y) {
  if (condition.dim() == 0 || condition.dim() >= x.dim()) return at::where(condition, x, y);
  Dims padded = condition.sizes().vec();
  padded.resize(x.dim(), 1);
  return at::where(condition.view(padded), x, y);
}

// Numbers as in `activations` of native.ts.
static Tensor activate(const Tensor& x, int64_t which, double alpha, const std::optional<Tensor>& slope) {
  switch (which) {
    case 0: return x;
    case 1: return at::relu(x);
    case 2: return at::clamp(x, 0, 6);
    case 3: return at::elu(x);
    case 4: return at::sigmoid(x);
    case 5: return at::leaky_relu(x, alpha);
    case 6: TORCH_CHECK(slope, "prelu without its slopes"); return slopedRelu(x, *slope);
    case 7: return at::silu(x);
    case 8: return at::gelu(x, "none");
    case 9: return at::gelu(x, "tanh");
    case 10: return at::square(at::relu(x));
  }
  TORCH_CHECK(false, "no activation has the number ", which);
}
static Tensor activateGrad(const Tensor& dy, const Tensor& x, int64_t which) {
  requireSameShape(dy, x, "activateGrad");
  switch (which) {
    case 0: return dy;
    case 1: return at::threshold_backward(dy, x, 0);
    case 4: return at::sigmoid_backward(dy, at::sigmoid(x));
    case 7: return at::silu_backward(dy, x);
    case 8: return at::gelu_backward(dy, x, "none");
    case 9: return at::gelu_backward(dy, x, "tanh");
    case 10: return at::mul(dy, at::mul(at::relu(x), 2));
  }
  TORCH_CHECK(false, "no gradient for the activation with the number ", which);
}

#define UNARY(name) OP(name, at::name(c.tensor(0)))
#define UNARY_NUMBER(name) OP(name, at::name(arithmetic(c.tensor(0))))
#define BINARY(name) OP(name, at::name(c.tensor(0), c.tensor(1)))
#define BINARY_NUMBER(name) OP(name, arithmetic(c.tensor(0), c.tensor(1), [](const Tensor& a, const Tensor& b) { return at::name(a, b); }))

static const Operation elementwiseOperations[] = {
    BINARY_NUMBER(add), BINARY_NUMBER(sub), BINARY_NUMBER(mul), BINARY_NUMBER(maximum), BINARY_NUMBER(minimum), BINARY(atan2),
    OP(div, quotient(c.tensor(0), c.tensor(1))), OP(floordiv, floorDivide(c.tensor(0), c.tensor(1))),
    OP(mod, modulo(c.tensor(0), c.tensor(1))), OP(pow, power(c.tensor(0), c.tensor(1))),
    OP(squaredDifference, at::square(at::sub(arithmetic(c.tensor(0)), arithmetic(c.tensor(1))))),
    BINARY(eq), BINARY(ne), BINARY(lt), BINARY(le), BINARY(gt), BINARY(ge), BINARY(logical_and), BINARY(logical_or), BINARY(bitwise_and),
    UNARY(acos), UNARY(acosh), UNARY(asin), UNARY(asinh), UNARY(atan), UNARY(atanh), UNARY(cos), UNARY(cosh), UNARY(erf), UNARY(exp),
    UNARY(expm1), UNARY(isfinite), UNARY(isinf), UNARY(isnan), UNARY(log), UNARY(log1p), UNARY(logical_not), UNARY(rsqrt), UNARY(sigmoid),
    UNARY(sin), UNARY(sinh), UNARY(sqrt), UNARY(tan), UNARY(tanh), UNARY(reciprocal), UNARY(silu),
    UNARY_NUMBER(abs), UNARY_NUMBER(ceil), UNARY_NUMBER(floor), UNARY_NUMBER(neg), UNARY_NUMBER(relu), UNARY_NUMBER(round), UNARY_NUMBER(sign), UNARY_NUMBER(square),
    UNARY(elu), UNARY(selu), UNARY(softplus),
    OP(step, step(c.tensor(0), c.number(1))), OP(prelu, slopedRelu(c.tensor(0), c.tensor(1))),
    OP(leakyRelu, at::leaky_relu(c.tensor(0).to(at::kFloat), c.number(1))), OP(eluGrad, eluGrad(c.tensor(0), c.tensor(1))),
    OP(clamp, at::clamp(c.tensor(0), c.number(1), c.number(2)).to(c.tensor(0).scalar_type())),
    OP(cast, cast(c.tensor(0), c.dtype(1))),
    OP(where, select(c.tensor(0), c.tensor(1), c.tensor(2))),
    OP(activate, activate(c.tensor(0), c.integer(1), c.number(2), c.maybe(3))),
    OP(sigmoidGrad, at::sigmoid_backward(c.tensor(0), c.tensor(1))),
    OP(activateGrad, activateGrad(c.tensor(0), c.tensor(1), c.integer(2))),
};
