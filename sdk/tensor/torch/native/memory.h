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
#include <sys/mman.h>
#endif

// Large blocks come in pages of 2 MB where the system gives them on request: fresh ones are there in a tenth of the time.
static void askForLargePages(void* block, size_t bytes) {
#if defined(MADV_HUGEPAGE)
  constexpr uintptr_t kPage = 2 << 20;
  uintptr_t begin = ((uintptr_t)block + kPage - 1) & ~(kPage - 1), end = ((uintptr_t)block + bytes) & ~(kPage - 1);
  if (end > begin) madvise((void*)begin, end - begin, MADV_HUGEPAGE);
#endif
}

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
    askForLargePages(block, bytes);
    now = used += sizeOf(block);
    if (now > peak) peak = now;
    return {block, block, &release, at::Device(at::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }
};

// Matrices of float64 are for LAPACK and stay on the processor.
static at::TensorOptions on(at::ScalarType dtype) { return at::TensorOptions(dtype).device(dtype == at::kDouble ? at::Device(at::kCPU) : device); }

static napi_value create(Call& c) {  // (typed array, dtype, ...shape)
  Call::Bytes source = c.bytes(0);
  Tensor tensor = at::empty(c.integers(2), c.dtype(1));
  TORCH_CHECK(tensor.nbytes() == source.size, "create: shape ", tensor.sizes(), " needs ", tensor.nbytes(), " bytes, ", source.size, " given");
  if (source.size) std::memcpy(tensor.data_ptr(), source.data, source.size);
  return toHandle(c.env, tensor.to(on(tensor.scalar_type())));
}

// Numbers of another format as float32, on all threads.
static void convert(const void* from, at::ScalarType dtype, float* to, int64_t count) {
  TORCH_CHECK((uintptr_t)from % c10::elementSize(dtype) == 0 && (uintptr_t)to % 4 == 0, "conversion of ", dtype, ": an array is not aligned");
  if (count == 0) return;
  if (dtype != at::kBFloat16) {
    at::from_blob(to, {count}, at::kFloat).copy_(at::from_blob((void*)from, {count}, dtype));
    return;
  }
  // the upper half of a float32: a shift, faster than a conversion
  const uint16_t* codes = (const uint16_t*)from;
  uint32_t* words = (uint32_t*)to;
  at::parallel_for(0, count, 1 << 16, [=](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; i++) words[i] = (uint32_t)codes[i] << 16;
  });
}

// (float32 tensor, first element, typed array, its dtype): converts into a part of the tensor
static napi_value fill(Call& c) {
  const Tensor& target = c.tensor(0);
  int64_t at = c.integer(1);
  Call::Bytes from = c.bytes(2);
  at::ScalarType dtype = c.dtype(3);
  int64_t size = (int64_t)c10::elementSize(dtype), count = (int64_t)from.size / size;
  TORCH_CHECK(target.scalar_type() == at::kFloat && target.is_contiguous(), "fill: ", target.scalar_type(), " ", target.sizes());
  TORCH_CHECK(count * size == (int64_t)from.size && at >= 0 && at <= target.numel() && count <= target.numel() - at, "fill: ", count, " numbers at ", at, " of ", target.numel());
  if (target.is_cpu()) {
    convert(from.data, dtype, target.data_ptr<float>() + at, count);
  } else {
    Tensor numbers = at::empty({count}, at::kFloat);
    convert(from.data, dtype, numbers.data_ptr<float>(), count);
    target.view({-1}).narrow(0, at, count).copy_(numbers);
  }
  return nothing(c.env);
}

// What is copied into an array of so many bytes: float64 is rounded where the array is one of float32.
static Tensor hostCopy(const Tensor& x, size_t bytes) {
  bool rounded = x.scalar_type() == at::kDouble && x.numel() * 4 == (int64_t)bytes;
  return (rounded ? x.to(at::kFloat) : x).to(at::kCPU).contiguous();
}
static napi_value read(Call& c) {  // (tensor, typed array) -> the typed array, filled
  Call::Bytes target = c.bytes(1);
  Tensor tensor = hostCopy(c.tensor(0), target.size);
  TORCH_CHECK(tensor.nbytes() == target.size, "read: the tensor has ", tensor.nbytes(), " bytes, the array ", target.size);
  if (target.size) std::memcpy(target.data, tensor.const_data_ptr(), target.size);
  return c.value(1);
}

// read, with a promise: a worker thread waits for the device
struct Reading {
  napi_env env;
  Tensor tensor;
  Call::Bytes target;
  napi_ref array;
  napi_deferred promise;
  napi_async_work work;
  std::string error;

  static void wait(napi_env, void* data) {
    Reading& r = *(Reading*)data;
    try {
      c10::InferenceMode inference(true);
      Tensor host = hostCopy(r.tensor, r.target.size);
      if (host.nbytes() != r.target.size) r.error = "read: the tensor and the array differ in size";
      else if (r.target.size) std::memcpy(r.target.data, host.const_data_ptr(), r.target.size);
    } catch (const std::exception& error) {
      r.error = error.what();
    }
  }
  static void answer(napi_env env, napi_status, void* data) {
    Reading* r = (Reading*)data;
    napi_value value, text;
    napi_get_reference_value(env, r->array, &value);
    if (r->error.empty()) {
      napi_resolve_deferred(env, r->promise, value);
    } else {
      napi_create_string_utf8(env, r->error.c_str(), r->error.size(), &text);
      napi_create_error(env, nullptr, text, &value);
      napi_reject_deferred(env, r->promise, value);
    }
    napi_delete_reference(env, r->array);
    napi_delete_async_work(env, r->work);
    delete r;
  }
};
static napi_value readLater(Call& c) {
  auto* r = new Reading{c.env, c.tensor(0), c.bytes(1)};
  napi_value promise, name;
  napi_create_promise(c.env, &r->promise, &promise);
  napi_create_reference(c.env, c.value(1), 1, &r->array);
  napi_create_string_utf8(c.env, "read", NAPI_AUTO_LENGTH, &name);
  napi_create_async_work(c.env, nullptr, name, Reading::wait, Reading::answer, r, &r->work);
  napi_queue_async_work(c.env, r->work);
  return promise;
}

// (name or "") -> what there is on this machine; a name makes new tensors go there
static napi_value useDevice(Call& c) {
  std::vector<std::string> there{"cpu"};
  if (at::hasCUDA()) there.push_back("cuda");
  if (at::hasMPS()) there.push_back("mps");
  std::string name = c.text(0);
  if (!name.empty()) {
    TORCH_CHECK(std::find(there.begin(), there.end(), name) != there.end(), "no device is named ", name, " here");
    device = at::Device(name);
  }
  napi_value array, text;
  napi_create_array_with_length(c.env, there.size(), &array);
  for (uint32_t i = 0; i < there.size(); i++) {
    napi_create_string_utf8(c.env, there[i].c_str(), there[i].size(), &text);
    napi_set_element(c.env, array, i, text);
  }
  return array;
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

// The highest bytes are counted anew, from what is in use.
static napi_value resetPeak(Call& c) {
  CountingAllocator::peak = CountingAllocator::used.load();
  return nothing(c.env);
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

// Gives the system what freed blocks keep mapped: see keepHeap.
static napi_value trimHeap(Call& c) {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
  return nothing(c.env);
}

static const Operation memoryOperations[] = {
    VALUE(create, create), VALUE(read, read), VALUE(readLater, readLater), VALUE(useDevice, useDevice), VALUE(release, release), VALUE(shape, shape), VALUE(dtypeOf, dtypeOf),
    VALUE(isSole, isSole), VALUE(memory, memory), VALUE(resetPeak, resetPeak), VALUE(memoryLimit, memoryLimit), VALUE(threads, threads), VALUE(keepHeap, keepHeap), VALUE(trimHeap, trimHeap),
    OP(clone, c.tensor(0).clone(at::MemoryFormat::Contiguous)),
    OP(empty, at::empty(c.integers(1), on(c.dtype(0)))), VALUE(fill, fill),
    OP(full, at::full(c.integers(2), c.number(0), on(c.dtype(1)))),
    OP(range, at::arange(c.number(0), c.number(1), c.number(2), on(c.dtype(3)))),
};
