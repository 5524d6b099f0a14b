// Decompositions by LAPACK, linear assignment, and bytes of other number formats.
#pragma once
#include "assign.h"
#include "memory.h"

static void requireMatrix(const Tensor& a) {
  TORCH_CHECK(a.dim() == 2 && a.scalar_type() == at::kDouble && a.numel() > 0, "a matrix of float64 is needed, seen ", a.sizes(), " ", a.scalar_type());
}
static const Tensor& matrix(Call& c, size_t i) {
  requireMatrix(c.tensor(i));
  return c.tensor(i);
}
static std::vector<Tensor> svdOf(const Tensor& a) {
  auto [u, s, vt] = at::linalg_svd(a, false);
  return {u, s, vt.t()};
}
static std::vector<Tensor> eighOf(const Tensor& a) {
  auto [values, vectors] = at::linalg_eigh(a);
  return {values, vectors};
}
static std::vector<Tensor> qrOf(const Tensor& a) {
  auto [q, r] = at::linalg_qr(a);
  return {q, r};
}

template <class Score>
static void assignTo(int32_t* columns, const void* given, double sign, int64_t n, int64_t m) {
  const Score* score = (const Score*)given;
  TORCH_CHECK((uintptr_t)score % sizeof(Score) == 0 && (uintptr_t)columns % 4 == 0, "assign: an array is not aligned");
  bool finite = true;
  for (int64_t i = 0; i < n * m; i++) finite &= score[i] - score[i] == 0;
  TORCH_CHECK(finite, "assign: a score is not finite");
  assignment::Solver<Score> solved(score, sign, (int32_t)n, (int32_t)m);
  std::copy(solved.columnOf.begin(), solved.columnOf.end(), columns);
}
// (score rows x columns, float32 or float64; rows; columns; maximize; result Int32Array) -> the result
static napi_value assign(Call& c) {
  Call::Bytes score = c.bytes(0), result = c.bytes(4);
  int64_t n = c.integer(1), m = c.integer(2);
  TORCH_CHECK(n >= 0 && n <= m && m < 1 << 20 && result.size == (size_t)n * 4 && (score.size == (size_t)(n * m) * 4 || score.size == (size_t)(n * m) * 8), "assign: ", score.size, " bytes for ", n, " x ", m);
  auto run = score.size == (size_t)(n * m) * 4 ? assignTo<float> : assignTo<double>;
  run((int32_t*)result.data, score.data, c.flag(3) ? -1 : 1, n, m);
  return c.value(4);
}

// (bytes, dtype, result Float32Array) -> the result: numbers of another format as float32, on all threads
static napi_value toFloat32(Call& c) {
  Call::Bytes from = c.bytes(0), to = c.bytes(2);
  at::ScalarType dtype = c.dtype(1);
  int64_t size = (int64_t)c10::elementSize(dtype), count = (int64_t)from.size / size;
  TORCH_CHECK(count * size == (int64_t)from.size && count * 4 == (int64_t)to.size, "toFloat32: ", from.size, " bytes of ", dtype, " into ", to.size);
  convert(from.data, dtype, (float*)to.data, count);
  return c.value(2);
}

static const Operation linalgOperations[] = {
    MANY(svd, svdOf(matrix(c, 0))), MANY(eigh, eighOf(matrix(c, 0))), MANY(qr, qrOf(matrix(c, 0))),
    OP(cholesky, std::get<0>(at::linalg_cholesky_ex(matrix(c, 0)))),
    OP(solve, at::linalg_solve(matrix(c, 0), matrix(c, 1))),
    OP(lstsq, std::get<0>(at::linalg_lstsq(matrix(c, 0), matrix(c, 1), std::nullopt, "gelsd"))),
    VALUE(assign, assign), VALUE(toFloat32, toFloat32),
};
