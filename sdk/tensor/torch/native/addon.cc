// libtorch for JavaScript: a flat table of operations over numbered tensors. Links against libtorch_cpu and libc10.
#include "memory.h"
#include "elementwise.h"
#include "reduce.h"
#include "layout.h"
#include "products.h"
#include "fused.h"
#include "experts.h"
#include "linalg.h"
#include <mutex>

template <size_t n>
static void add(napi_env env, napi_value exports, const Operation (&operations)[n]) {
  for (const Operation& operation : operations) {
    napi_value function;
    napi_create_function(env, operation.name, NAPI_AUTO_LENGTH, operation.run, nullptr, &function);
    napi_set_named_property(env, exports, operation.name, function);
  }
}

NAPI_MODULE_INIT() {
  static std::once_flag once;
  std::call_once(once, [] { c10::SetCPUAllocator(new CountingAllocator, 1); });
  // no bookkeeping for torch's own gradients, on this thread, for good
  static thread_local c10::InferenceMode inference(true);
  (void)inference;
  add(env, exports, memoryOperations);
  add(env, exports, elementwiseOperations);
  add(env, exports, reduceOperations);
  add(env, exports, layoutOperations);
  add(env, exports, productOperations);
  add(env, exports, fusedOperations);
  add(env, exports, expertOperations);
  add(env, exports, linalgOperations);
  return exports;
}
