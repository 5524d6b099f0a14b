"""Drives an installed kernel with jupyter_client and checks what a front end relies on: conformance.py [NAME].

Prints one line a check and `N passed, N failed`. The npm tests check the same without Python and in more depth; this is
the word of somebody else's client.
"""

import queue
import sys
import tempfile
import time
from pathlib import Path

from jupyter_client.manager import KernelManager

name = sys.argv[1] if len(sys.argv) > 1 else "moelab"
results = []


def check(what, ok, seen=""):
    results.append(bool(ok))
    print(f"{'ok  ' if ok else 'FAIL'} {what}{'' if ok else f': {seen!r}'}", flush=True)


folder = tempfile.mkdtemp(prefix="moelab conformance é ")
Path(folder, "sample.ts").write_text("export const sampled = 1;\n")
manager = KernelManager(kernel_name=name)
manager.start_kernel(cwd=folder)
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=120)


def reply_to(msg_id, timeout=30, channel="shell"):
    get = client.get_shell_msg if channel == "shell" else client.get_control_msg
    deadline = time.time() + timeout
    while time.time() < deadline:
        try:
            message = get(timeout=max(0.05, deadline - time.time()))
        except queue.Empty:
            return None
        if message["parent_header"].get("msg_id") == msg_id:
            return message
    return None


def published(msg_id, timeout=10):
    messages = []
    deadline = time.time() + timeout
    while time.time() < deadline:
        try:
            message = client.get_iopub_msg(timeout=max(0.05, deadline - time.time()))
        except queue.Empty:
            break
        if message["parent_header"].get("msg_id") != msg_id:
            continue
        messages.append(message)
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            break
    return messages


def run(code, **options):
    msg_id = client.execute(code, **options)
    reply = reply_to(msg_id, 60)
    return (reply or {"content": {}})["content"], published(msg_id)


def types(messages):
    return [message["msg_type"] for message in messages]


def text(messages, stream):
    return "".join(m["content"]["text"] for m in messages if m["msg_type"] == "stream" and m["content"]["name"] == stream)


info = reply_to(client.kernel_info())["content"]
needed = {"status", "protocol_version", "implementation", "implementation_version", "language_info", "banner", "help_links"}
check("kernel_info_reply is complete", needed <= info.keys(), info)

reply, messages = run("1 + 41")
check("a cell's messages", types(messages) == ["status", "execute_input", "execute_result", "status"], types(messages))
check("streams", (lambda m: text(m, "stdout") == "é😀\n" and text(m, "stderr") == "e\n")(run("console.log('é😀'); console.error('e')")[1]))
check("silent says nothing", types(run("7", silent=True)[1]) == ["status", "status"])
counts = [run("1", **options)[0].get("execution_count") for options in ({}, {"store_history": False}, {})]
check("store_history=False keeps the count", counts[2] == counts[0] + 1, counts)
reply, _ = run("const five = 5", user_expressions={"six": "five + 1"})
check("user_expressions", reply["user_expressions"]["six"]["data"]["text/plain"] == "6", reply)

reply, messages = run("throw new Error('boom')")
check("an error's reply", reply.get("status") == "error" and {"ename", "evalue", "traceback"} <= reply.keys(), reply)
check("an error on iopub", "error" in types(messages), types(messages))
ids = [client.execute("throw new Error('first')"), client.execute("1"), client.execute("2")]
check("cells behind an error are aborted", [reply_to(i)["content"]["status"] for i in ids] == ["error", "aborted", "aborted"])
ids = [client.execute("throw new Error('first')", stop_on_error=False), client.execute("1")]
check("stop_on_error=False runs them", [reply_to(i)["content"]["status"] for i in ids] == ["error", "ok"])

run("const objekt = { alpha: 1 }; \n/** What it does. */\nfunction documented(x: number) { return x }")
check("completion of members", reply_to(client.complete("objekt.", 7))["content"]["matches"] == ["alpha"])
astral = reply_to(client.complete("'😀'; obj", 8))["content"]
check("positions are code points", (astral["matches"][:1], astral["cursor_start"], astral["cursor_end"]) == (["objekt"], 5, 8), astral)
check("completion of files", any(m.startswith("sample") for m in reply_to(client.complete("import * as x from './s", 23))["content"]["matches"]))
inspected = reply_to(client.inspect("documented(1)", 4))["content"]
check("inspection", inspected["found"] and "What it does." in inspected["data"]["text/plain"], inspected)
for code, status in {"1+1": "complete", "function f() {": "incomplete", "const a = )": "invalid", "`abc": "incomplete"}.items():
    check(f"is_complete {code!r}", reply_to(client.is_complete(code))["content"]["status"] == status)
check("history", len(reply_to(client.history(hist_access_type="tail", n=3))["content"]["history"]) == 3)
check("comm_info", reply_to(client.comm_info())["content"]["comms"] == {})
check("heartbeat", client.is_alive() and client.hb_channel.is_beating())


def interrupted(code):
    msg_id = client.execute(code)
    time.sleep(1)
    asked = time.time()
    manager.interrupt_kernel()
    reply = reply_to(msg_id, 10)
    waited = time.time() - asked
    published(msg_id, 3)
    return reply is not None and reply["content"]["status"] == "error", waited


for what, code in {
    "a pending await": "await new Promise((r) => setTimeout(r, 20000))",
    "a loop of awaits": "for (;;) await new Promise((r) => setTimeout(r, 20))",
    "a loop": "while (true) {}",
    "a loop after an await": "await null; while (true) {}",
}.items():
    ok, waited = interrupted(code)
    check(f"interrupts {what}", ok, waited)
    check(f"  … and keeps its variables ({waited:.1f} s)", run("objekt.alpha")[0].get("status") == "ok")

answered = client.execute("await input('name? ')", allow_stdin=True)
try:
    prompt = client.get_stdin_msg(timeout=10)["content"]["prompt"]
    client.input("Ada")
except queue.Empty:
    prompt = None
check("input", prompt == "name? " and reply_to(answered)["content"]["status"] == "ok", prompt)

busy = client.execute("const until = Date.now() + 3000; while (Date.now() < until);")
time.sleep(0.5)
message = client.session.msg("kernel_info_request")
client.control_channel.send(message)
check("control answers while a cell blocks", reply_to(message["header"]["msg_id"], 2, "control") is not None)
reply_to(busy)

check("shutdown on control", (reply_to(client.shutdown(), 5, "control") or {}).get("msg_type") == "shutdown_reply")
deadline = time.time() + 5
while manager.is_alive() and time.time() < deadline:
    time.sleep(0.02)
check("the process ends by itself", not manager.is_alive())
if manager.is_alive():
    manager.shutdown_kernel(now=True)
client.stop_channels()
print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
sys.exit(0 if all(results) else 1)
