// Tensors in and out of JavaScript, and the memory they take.
#pragma once
#include "runtime.h"
#include <ATen/Parallel.h>
#include <c10/core/CPUAllocator.h>
#include <atomic>
#include <cstring>
#include <cstdlib>
#if defined(__APPLE__)
#include <malloc/malloc.h>
#else
#include <malloc.h>
#endif

// Counts the bytes of all tensors and refuses what would pass the limit: the system would grant far more than the
// machine has and stop the process once it is written to.
class CountingAllocator final : public c10::Allocator {
  static size_t sizeOf(void* block) {
#if defined(__APPLE__)
    return malloc_size(block);
#else
    return malloc_usable_size(block);
#endif
  }
  static void release(void* block) {
    if (!block) return;
    used -= sizeOf(block);
    std::free(block);
  }

 public:
  static inline std::atomic<size_t> used{0}, peak{0}, limit{SIZE_MAX};

  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &release, at::Device(at::kCPU)};
    size_t now = used + bytes;
    void* block = nullptr;
    bool granted = now >= bytes && now <= limit && posix_memalign(&block, 64, bytes) == 0;
    TORCH_CHECK(granted, "out of memory: ", bytes, " bytes asked, ", used.load(), " in use, the limit is ", limit.load());
    now = used += sizeOf(block);
    if (now > peak) peak = now;
    return {block, block, &release, at::Device(at::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }
};

static napi_value create(Call& c) {  // (typed array, dtype, ...shape)
  Call::Bytes source = c.bytes(0);
  Tensor tensor = at::empty(c.integers(2), c.dtype(1));
  TORCH_CHECK(tensor.nbytes() == source.size, "create: shape ", tensor.sizes(), " needs ", tensor.nbytes(), " bytes, ", source.size, " given");
  if (source.size) std::memcpy(tensor.data_ptr(), source.data, source.size);
  return toHandle(c.env, tensor);
}

static napi_value read(Call& c) {  // (tensor, typed array) -> the typed array, filled
  Tensor tensor = c.tensor(0).contiguous();
  Call::Bytes target = c.bytes(1);
  TORCH_CHECK(tensor.nbytes() == target.size, "read: the tensor has ", tensor.nbytes(), " bytes, the array ", target.size);
  if (target.size) std::memcpy(target.data, tensor.const_data_ptr(), target.size);
  return c.value(1);
}

static napi_value release(Call& c) {
  handles.release(c.integer(0));
  return nothing(c.env);
}

static napi_value shape(Call& c) {
  const Tensor& tensor = c.tensor(0);
  napi_value array;
  napi_create_array_with_length(c.env, tensor.dim(), &array);
  for (int64_t i = 0; i < tensor.dim(); i++) napi_set_element(c.env, array, i, toNumber(c.env, (double)tensor.size(i)));
  return array;
}

static napi_value dtypeOf(Call& c) {
  auto at = std::find(std::begin(kDtypes), std::end(kDtypes), c.tensor(0).scalar_type());
  return toNumber(c.env, at == std::end(kDtypes) ? -1 : (double)(at - std::begin(kDtypes)));
}

// Whether the tensor's memory belongs to this handle alone, so that it may be changed in place.
static napi_value isSole(Call& c) {
  const Tensor& tensor = c.tensor(0);
  napi_value value;
  napi_get_boolean(c.env, tensor.use_count() == 1 && tensor.storage().use_count() == 1 && tensor.is_contiguous(), &value);
  return value;
}

static napi_value memory(Call& c) {  // -> [live tensors, bytes in use, highest bytes]
  napi_value array;
  napi_create_array_with_length(c.env, 3, &array);
  double numbers[] = {(double)handles.live(), (double)CountingAllocator::used, (double)CountingAllocator::peak};
  for (int i = 0; i < 3; i++) napi_set_element(c.env, array, i, toNumber(c.env, numbers[i]));
  return array;
}

static napi_value memoryLimit(Call& c) {
  double bytes = c.number(0);
  TORCH_CHECK(bytes >= 0, "memoryLimit: ", bytes);
  CountingAllocator::limit = bytes > 1e18 ? SIZE_MAX : (size_t)bytes;
  return nothing(c.env);
}

static napi_value threads(Call& c) {  // (n), n = 0 asks only
  int64_t n = c.integer(0);
  TORCH_CHECK(n >= 0 && n <= 256, "threads: ", n);
  if (n) at::set_num_threads((int)n);
  return toNumber(c.env, at::get_num_threads());
}

// Freed blocks stay mapped: a training step asks for the same sizes again, and fresh pages cost more than the work.
static napi_value keepHeap(Call& c) {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 0x7fffffff);
  mallopt(M_TOP_PAD, 64 << 20);
#endif
  return nothing(c.env);
}

static const Operation memoryOperations[] = {
    VALUE(create, create), VALUE(read, read), VALUE(release, release), VALUE(shape, shape), VALUE(dtypeOf, dtypeOf),
    VALUE(isSole, isSole), VALUE(memory, memory), VALUE(memoryLimit, memoryLimit), VALUE(threads, threads), VALUE(keepHeap, keepHeap),
    OP(clone, c.tensor(0).clone(at::MemoryFormat::Contiguous)),
    OP(full, at::full(c.integers(2), c.number(0), c.dtype(1))),
    OP(range, at::arange(c.number(0), c.number(1), c.number(2), c.dtype(3))),
};
