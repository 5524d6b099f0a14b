// The frame in which every operation runs: tensors are numbers to JavaScript, arguments are checked as they are
// read, and whatever goes wrong becomes a JavaScript error.
#pragma once
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <node_api.h>
#include <cmath>
#include <string>
#include <vector>

using at::IntArrayRef;
using at::Tensor;
using Dims = std::vector<int64_t>;

// ---- handles ------------------------------------------------------------------------------------------------
// A handle is slot + generation * 2^24. A slot's generation grows when its tensor is released, so a handle that
// was released stays invalid after its slot is used again. JavaScript numbers hold 53 bits exactly.
class Handles {
  struct Slot { Tensor tensor; int64_t generation = 0; };
  static constexpr int64_t kSlots = 1 << 24;
  std::vector<Slot> slots;
  std::vector<int32_t> free;

 public:
  int64_t put(Tensor tensor) {
    TORCH_CHECK(tensor.defined(), "the operation gave no tensor");
    if (free.empty()) {
      TORCH_CHECK((int64_t)slots.size() < kSlots, "more than ", kSlots, " live tensors");
      slots.emplace_back();
      free.push_back((int32_t)slots.size() - 1);
    }
    int32_t at = free.back();
    free.pop_back();
    slots[at].tensor = std::move(tensor);
    return at + slots[at].generation * kSlots;
  }
  Tensor& get(int64_t handle) {
    int64_t at = handle & (kSlots - 1);
    TORCH_CHECK(handle >= 0 && at < (int64_t)slots.size() && slots[at].generation == handle >> 24 && slots[at].tensor.defined(),
                "no tensor has the handle ", handle, "; it was released or never made");
    return slots[at].tensor;
  }
  void release(int64_t handle) {
    get(handle).reset();
    int64_t at = handle & (kSlots - 1);
    slots[at].generation++;
    free.push_back((int32_t)at);
  }
  int64_t live() const { return (int64_t)(slots.size() - free.size()); }
};
inline thread_local Handles handles;  // one table for each worker thread of Node

// Where new tensors are made; what comes of others is made where they are.
inline thread_local at::Device device(at::kCPU);

// ---- arguments of one call ----------------------------------------------------------------------------------
// The order is that of `dtypes` in native.ts.
inline constexpr at::ScalarType kDtypes[] = {at::kFloat, at::kInt, at::kBool, at::kDouble, at::kLong, at::kBFloat16,
                                             at::kHalf, at::kByte, at::kChar, at::kShort,
                                             at::kFloat8_e4m3fn, at::kFloat8_e5m2};

class Call {
  static constexpr size_t kMost = 40;
  napi_value values[kMost];

 public:
  napi_env env;
  size_t count = kMost;

  Call(napi_env env, napi_callback_info info) : env(env) {
    napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
    if (count > kMost) count = kMost + 1;  // reported by the first read
  }
  napi_value value(size_t i) {
    TORCH_CHECK(count <= kMost, "more than ", kMost, " arguments");
    TORCH_CHECK(i < count, "argument ", i, " is missing");
    return values[i];
  }
  int64_t integer(size_t i) {
    double x = number(i);
    TORCH_CHECK(x == std::trunc(x) && std::abs(x) <= 9007199254740992., "argument ", i, " is no whole number: ", x);
    return (int64_t)x;
  }
  double number(size_t i) {
    double x = 0;
    TORCH_CHECK(napi_get_value_double(env, value(i), &x) == napi_ok, "argument ", i, " is no number");
    return x;
  }
  bool flag(size_t i) {
    bool x = false;
    TORCH_CHECK(napi_get_value_bool(env, value(i), &x) == napi_ok, "argument ", i, " is neither true nor false");
    return x;
  }
  const Tensor& tensor(size_t i) { return handles.get(integer(i)); }
  // -1 stands for "none"
  std::optional<Tensor> maybe(size_t i) {
    int64_t handle = integer(i);
    if (handle == -1) return std::nullopt;
    return handles.get(handle);
  }
  at::ScalarType dtype(size_t i) {
    int64_t code = integer(i);
    TORCH_CHECK(code >= 0 && code < (int64_t)std::size(kDtypes), "no dtype has the number ", code);
    return kDtypes[code];
  }
  // all numbers from position `from` to the end, or `n` of them
  Dims integers(size_t from) { return integers(from, count > from ? count - from : 0); }
  Dims integers(size_t from, size_t n) {
    Dims list(n);
    for (size_t i = 0; i < n; i++) list[i] = integer(from + i);
    return list;
  }
  std::string text(size_t i) {
    char buffer[512];
    size_t length = 0;
    TORCH_CHECK(napi_get_value_string_utf8(env, value(i), buffer, sizeof buffer, &length) == napi_ok, "argument ", i, " is no text");
    return std::string(buffer, length);
  }
  struct Bytes { void* data; size_t size; };
  Bytes bytes(size_t i) {
    bool typed = false;
    napi_is_typedarray(env, value(i), &typed);
    TORCH_CHECK(typed, "argument ", i, " is no typed array");
    napi_typedarray_type type;
    size_t length;
    void* data;
    napi_get_typedarray_info(env, value(i), &type, &length, &data, nullptr, nullptr);
    size_t width = type == napi_float64_array || type == napi_bigint64_array || type == napi_biguint64_array ? 8
                   : type == napi_float32_array || type == napi_int32_array || type == napi_uint32_array     ? 4
                   : type == napi_int16_array || type == napi_uint16_array                                   ? 2
                                                                                                             : 1;
    return {data, length * width};
  }
  // a Float64Array of handles
  std::vector<Tensor> tensors(size_t i) {
    Bytes list = bytes(i);
    std::vector<Tensor> found(list.size / 8);
    for (size_t j = 0; j < found.size(); j++) found[j] = handles.get((int64_t)((double*)list.data)[j]);
    return found;
  }
};

// ---- results ------------------------------------------------------------------------------------------------
inline napi_value toNumber(napi_env env, double x) {
  napi_value value;
  napi_create_double(env, x, &value);
  return value;
}
inline napi_value toHandle(napi_env env, Tensor tensor) {
  napi_value value;
  napi_create_int64(env, handles.put(std::move(tensor)), &value);
  return value;
}
inline napi_value toHandles(napi_env env, const std::vector<Tensor>& tensors) {
  napi_value array;
  napi_create_array_with_length(env, tensors.size(), &array);
  for (uint32_t i = 0; i < tensors.size(); i++) napi_set_element(env, array, i, toHandle(env, tensors[i]));
  return array;
}
inline napi_value nothing(napi_env env) {
  napi_value value;
  napi_get_undefined(env, &value);
  return value;
}

template <class Work>
napi_value guarded(napi_env env, Work work) {
  try {
    return work();
  } catch (const c10::Error& error) {
    napi_throw_error(env, nullptr, error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, nullptr, "out of memory");
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
  } catch (...) {
    napi_throw_error(env, nullptr, "unknown native error");
  }
  return nullptr;
}

// ---- the table of operations --------------------------------------------------------------------------------
struct Operation {
  const char* name;
  napi_callback run;
};
template <Tensor (*work)(Call&)>
napi_value giveTensor(napi_env env, napi_callback_info info) {
  return guarded(env, [&] { Call call(env, info); return toHandle(env, work(call)); });
}
template <std::vector<Tensor> (*work)(Call&)>
napi_value giveTensors(napi_env env, napi_callback_info info) {
  return guarded(env, [&] { Call call(env, info); return toHandles(env, work(call)); });
}
template <napi_value (*work)(Call&)>
napi_value giveValue(napi_env env, napi_callback_info info) {
  return guarded(env, [&] { Call call(env, info); return work(call); });
}
// an operation from an expression over `c`, the call; or from a function that gives several tensors, or a plain value
#define OP(name, ...) {#name, giveTensor<+[](Call& c) -> Tensor { return __VA_ARGS__; }>}
#define MANY(name, ...) {#name, giveTensors<+[](Call& c) -> std::vector<Tensor> { return __VA_ARGS__; }>}
#define VALUE(name, function) {#name, giveValue<function>}

inline void requireFloat(const Tensor& x, const char* what) { TORCH_CHECK(x.scalar_type() == at::kFloat, what, ": float32 is needed, seen ", x.scalar_type()); }
inline void requireSameShape(const Tensor& a, const Tensor& b, const char* what) {
  TORCH_CHECK(a.sizes() == b.sizes(), what, ": shapes ", a.sizes(), " and ", b.sizes(), " differ");
}
inline int64_t product(IntArrayRef dims) {
  int64_t n = 1;
  for (int64_t d : dims) n *= d;
  return n;
}
// dims[0] x … x dims[from-1], the rest kept
inline Dims concat(IntArrayRef a, IntArrayRef b) {
  Dims all(a.begin(), a.end());
  all.insert(all.end(), b.begin(), b.end());
  return all;
}
