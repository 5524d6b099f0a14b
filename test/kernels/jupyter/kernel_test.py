"""Runs jupyter_kernel_test, the community's own protocol suite, on an installed kernel: kernel_test.py [NAME]."""

import sys
import unittest

import jupyter_kernel_test

name = sys.argv.pop(1) if len(sys.argv) > 1 else "moelab"


class MoelabKernelTests(jupyter_kernel_test.KernelTests):
    kernel_name = name

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kc.execute_interactive("0", timeout=120)  # a busy machine is not a failure: the suite itself waits 15 s

    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('oops')"
    completion_samples = [
        {"text": "Math.ma", "matches": {"max"}},
        {"text": "const list = [1]; list.fin", "matches": {"find", "findIndex", "findLast", "findLastIndex"}},
    ]
    complete_code_samples = ["1", "const a = 1", "function f() { return 1 }"]
    incomplete_code_samples = ["function f() {", "for (;;", "`text", "/* comment"]
    invalid_code_samples = ["const a = )", "let 1x"]
    code_generate_error = "throw new Error('expected')"
    code_execute_result = [{"code": "6 * 7", "result": "42"}, {"code": "'text'", "result": "'text'"}]
    code_display_data = [
        {"code": "await display({ [Symbol.for('Jupyter.display')]: () => ({ data: { 'text/html': '<b>x</b>' } }) })", "mime": "text/html"},
        {"code": "await display({ _repr_png_: () => new Uint8Array([137, 80, 78, 71]) })", "mime": "image/png"},
    ]
    code_history_pattern = "6*"
    supported_history_operations = ("tail", "search", "range")
    code_inspect_sample = "parseInt"
    code_clear_output = "display.clear()"


# the suite's only feature that the protocol calls deprecated: payloads of a pager
del jupyter_kernel_test.KernelTests.test_pager

if __name__ == "__main__":
    unittest.main(verbosity=2)
