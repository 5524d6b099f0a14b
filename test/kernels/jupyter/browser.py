"""Opens a notebook in JupyterLab, in a real browser, and uses it as a person would: browser.py OUT [--dark].

Run all, charts with ink, completion, Shift-Tab, the stop button on an endless loop, restart and run all, a kernel killed
from outside. Screenshots go to OUT. Needs pip's jupyterlab and playwright, and a Chromium on the path.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

out = Path(sys.argv[1])
dark = "--dark" in sys.argv
out.mkdir(parents=True, exist_ok=True)
results = []


def check(what, ok, seen=""):
    results.append(bool(ok))
    print(f"{'ok  ' if ok else 'FAIL'} {what}{'' if ok else f': {seen!r}'}", flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def jupyterlab(root):
    """A server with settings of its own, so that the user's cannot change the result."""
    port, token, home = free_port(), secrets.token_hex(16), Path(tempfile.mkdtemp(prefix="lab-home-"))
    (home / "app-settings").mkdir()
    overrides = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
    if dark:
        overrides["@jupyterlab/apputils-extension:themes"] = {"theme": "JupyterLab Dark"}
    (home / "app-settings/overrides.json").write_text(json.dumps(overrides))
    env = {**os.environ, **{f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}}
    env |= {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces")}
    argv = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
            f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}", f"--LabServerApp.app_settings_dir={home / 'app-settings'}",
            "--LabApp.expose_app_in_browser=True"]  # fmt: skip
    with (out / "jupyterlab.log").open("wb") as log:
        server = subprocess.Popen(argv, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{url}/api/status?token={token}", timeout=2).read()
                break
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"JupyterLab did not start, see {out / 'jupyterlab.log'}")
            time.sleep(0.2)
        yield url, token
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
        shutil.rmtree(home, ignore_errors=True)


CELLS = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-Cell"
IDLE = """() => { const panel = window.jupyterapp.shell.currentWidget;
  return panel?.sessionContext?.session?.kernel?.status === 'idle' && !panel.content.widgets.some((c) => c.model.executionState === 'running'); }"""
INK = """async (cell) => {
  const seen = [];
  for (const c of cell.querySelectorAll('.jp-OutputArea-output canvas')) {
    const count = (top) => { const d = new Uint32Array(c.getContext('2d').getImageData(0, top, c.width, c.height - top).data.buffer); let n = 0; for (const p of d) if (p !== d[0]) n++; return n; };
    seen.push([count(0), count(Math.floor(c.height * 0.9))]); }
  for (const s of cell.querySelectorAll('.jp-OutputArea-output svg')) if (!s.closest('summary')) seen.push([s.querySelectorAll('path,rect,text').length * 50, s.querySelectorAll('text').length * 50]);
  return seen; }"""


def main():
    root = Path(tempfile.mkdtemp(prefix="moelab lab é "))
    source = json.loads(Path(__file__).with_name("browser.ipynb").read_text())
    (root / "study.ipynb").write_text(json.dumps(source))
    with jupyterlab(root) as (url, token), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(120_000)
        problems = []
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        idle = lambda seconds=180: page.wait_for_function(IDLE, timeout=seconds * 1000)  # noqa: E731
        cell = lambda i: page.locator(CELLS).nth(i)  # noqa: E731

        def menu(name, command):
            page.click(f'.lm-MenuBar-itemLabel >> text="{name}"')
            page.click(f'.lm-Menu-item[data-command="{command}"]')

        def run_last(code):
            """Replaces the text of the last cell and runs it."""
            cell(len(source["cells"]) - 1).locator(".cm-content").click()
            page.keyboard.press("Control+A")
            page.keyboard.type(code)
            page.keyboard.press("Control+Enter")

        def look(name):
            page.screenshot(path=out / f"{name}.png")

        page.goto(f"{url}/lab/tree/study.ipynb?token={token}&reset")
        page.wait_for_selector(CELLS, timeout=120_000)
        idle()
        menu("Run", "runmenu:run-all")
        page.wait_for_timeout(1500)
        idle()
        page.wait_for_timeout(1500)
        for i, written in enumerate(source["cells"]):
            if written["cell_type"] != "code":
                continue
            cell(i).scroll_into_view_if_needed()
            page.wait_for_timeout(400)
            prompt = cell(i).locator(".jp-InputPrompt").inner_text()
            check(f"cell {i} has run", prompt.strip("[]:").isdigit(), prompt)
            errors = cell(i).locator('[data-mime-type="application/vnd.jupyter.stderr"]').all_inner_texts()
            tags = written["metadata"].get("tags", [])
            check(f"cell {i} shows {'its error' if 'raises-exception' in tags else 'no error'}", bool(errors) == ("raises-exception" in tags), errors)
            if "expect-chart" in tags:
                ink = cell(i).evaluate(INK)
                check("the chart has ink, at its labels too", any(whole > 500 and labels > 50 for whole, labels in ink), ink)
                cell(i).screenshot(path=out / "chart.png")
            if "expect-table" in tags:
                check("the table has rows", cell(i).locator("table tr").count() >= 3)
            look(f"cell-{i}")
        check("code is highlighted as TypeScript", cell(5).locator(".cm-line span").count() > 5)

        last = len(source["cells"]) - 1
        cell(last).locator(".cm-content").click()
        page.keyboard.press("Control+A")
        page.keyboard.type("rows.fil")
        page.keyboard.press("Tab")
        page.wait_for_timeout(3000)
        completer = page.locator(".jp-Completer-match").all_inner_texts()
        text = cell(last).locator(".cm-content").inner_text()
        check("Tab completes", "filter" in "".join(completer) or "filter" in text or "fill" in text, (completer, text))
        look("completion")
        page.keyboard.press("Escape")
        page.keyboard.press("Control+A")
        page.keyboard.type("dispatch(")
        page.keyboard.press("Shift+Tab")
        page.wait_for_selector(".jp-Tooltip", timeout=20_000)
        tooltip = page.locator(".jp-Tooltip").inner_text()
        check("Shift-Tab shows the signature", "expert: number" in tooltip, tooltip)
        look("tooltip")
        page.keyboard.press("Escape")

        run_last("while (true) {}")
        page.wait_for_timeout(1500)
        started = time.time()
        menu("Kernel", "kernelmenu:interrupt")
        idle(30)
        check(f"the stop button ends a loop ({time.time() - started:.1f} s)", "KernelInterrupt" in cell(last).inner_text(), cell(last).inner_text())
        run_last("rows.length")
        page.wait_for_timeout(1000)
        idle(60)
        check("variables stay", cell(last).locator(".jp-OutputArea-output").last.inner_text().strip() == "3")
        look("interrupted")

        page.evaluate("() => void window.jupyterapp.commands.execute('notebook:restart-run-all')")  # it waits for the dialog
        page.locator(".jp-Dialog button.jp-mod-accept").click(timeout=20_000)
        page.wait_for_timeout(4000)
        idle()
        check("restart and run all", cell(last).locator(".jp-InputPrompt").inner_text().strip("[]:").isdigit(), cell(last).locator(".jp-InputPrompt").inner_text())
        look("restarted")

        run_last("process.kill(process.pid, 'SIGKILL')")
        page.wait_for_selector(".jp-Dialog", timeout=60_000)
        check("a killed kernel is said to restart", "restart automatically" in page.locator(".jp-Dialog").inner_text(), page.locator(".jp-Dialog").inner_text())
        look("killed")
        page.locator(".jp-Dialog button.jp-mod-accept").click()
        idle(60)
        run_last("6 * 7")
        page.wait_for_timeout(2000)
        idle(60)
        check("and does", cell(last).locator(".jp-OutputArea-output").last.inner_text().strip() == "42")
        check("no error in the browser's console", not [p for p in problems if "WebSocket" not in p and "Failed to load resource" not in p], problems[:3])
        browser.close()
    shutil.rmtree(root, ignore_errors=True)
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


sys.exit(main())
