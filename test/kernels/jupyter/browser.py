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

from playwright.sync_api import Error, sync_playwright

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
    overrides["@jupyterlab/completer-extension:manager"] = {"providerTimeout": 60_000}  # a busy machine is not a failure
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
IDLE = "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
# JupyterLab takes the star from waiting cells when one before them fails: only the counts tell that all have run
COUNTS = """(counts) => { const seen = window.jupyterapp.shell.currentWidget.content.widgets.filter((c) => c.model.type === 'code').map((c) => c.model.executionCount);
  return JSON.stringify(seen) === JSON.stringify(counts); }"""
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
        try:
            use(page, source, f"{url}/lab/tree/study.ipynb?token={token}&reset")
        except Error as error:
            page.screenshot(path=out / "failed.png")
            check("everything that is waited for comes", False, str(error).splitlines()[0])
        browser.close()
    shutil.rmtree(root, ignore_errors=True)
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


def use(page, source, address):
    problems = []
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    cell = lambda i: page.locator(CELLS).nth(i)  # noqa: E731
    codes = [i for i, written in enumerate(source["cells"]) if written["cell_type"] == "code"]
    last = codes[-1]
    idle = lambda: page.wait_for_function(IDLE)  # noqa: E731
    all_have_run = lambda: page.wait_for_function(COUNTS, arg=list(range(1, len(codes) + 1)))  # noqa: E731
    output = lambda i: cell(i).locator(".jp-OutputArea-output")  # noqa: E731

    def menu(name, command):
        page.click(f'.lm-MenuBar-itemLabel >> text="{name}"')
        page.click(f'.lm-Menu-item[data-command="{command}"]')

    def write_last(code):
        cell(last).locator(".cm-content").click()
        page.keyboard.press("Control+A")
        page.keyboard.type(code)

    def run_last(code):
        """Replaces the text of the last cell and runs it."""
        write_last(code)
        page.keyboard.press("Control+Enter")

    def shows(what, text):
        """The last cell comes to show a text."""
        with contextlib.suppress(Error):
            cell(last).locator(".jp-OutputArea-output", has_text=text).first.wait_for()
        seen = "".join(output(last).all_inner_texts())
        check(what, text in seen, seen)

    def look(name):
        page.screenshot(path=out / f"{name}.png")

    def check_all():
        for i in codes:
            cell(i).scroll_into_view_if_needed()
            tags = source["cells"][i]["metadata"].get("tags", [])
            output(i).first.wait_for()
            errors = cell(i).locator('[data-mime-type="application/vnd.jupyter.stderr"]').all_inner_texts()
            check(f"cell {i} shows {'its error' if 'raises-exception' in tags else 'no error'}", bool(errors) == ("raises-exception" in tags), errors)
            if "expect-chart" in tags:
                cell(i).locator(".jp-OutputArea-output canvas, .jp-OutputArea-output svg").first.wait_for()
                inked = lambda: any(whole > 500 and labels > 50 for whole, labels in cell(i).evaluate(INK))  # noqa: B023, E731
                check("the chart has ink, at its labels too", any(inked() or page.wait_for_timeout(500) for _ in range(20)), cell(i).evaluate(INK))
                cell(i).screenshot(path=out / "chart.png")
            if "expect-table" in tags:
                check("the table has rows", cell(i).locator("table tr").count() >= 3)

    page.goto(address)
    page.wait_for_selector(CELLS)
    idle()
    menu("Run", "runmenu:run-all")
    all_have_run()
    check_all()
    look("run-all")
    check("code is highlighted as TypeScript", cell(codes[-2]).locator(".cm-line span").count() > 5)

    write_last("rows.fil")
    page.keyboard.press("Tab")
    page.locator(".jp-Completer-match", has_text="filter").wait_for()
    check("Tab completes", {"fill", "filter"} <= set(page.locator(".jp-Completer-match").all_inner_texts()), page.locator(".jp-Completer-match").all_inner_texts())
    look("completion")
    page.keyboard.press("Escape")
    write_last("dispatch(")
    page.keyboard.press("Shift+Tab")
    page.wait_for_selector(".jp-Tooltip")
    tooltip = page.locator(".jp-Tooltip").inner_text()
    check("Shift-Tab shows the signature", "expert: number" in tooltip, tooltip)
    look("tooltip")
    page.keyboard.press("Escape")

    run_last("console.log('spinning'); while (true) {}")
    shows("a cell that never ends shows what it prints", "spinning")
    started = time.time()
    menu("Kernel", "kernelmenu:interrupt")
    shows("the stop button ends a loop", "KernelInterrupt")
    print(f"     after {time.time() - started:.1f} s")
    look("interrupted")
    run_last("rows.length * 111")
    shows("variables stay", "333")

    write_last("rows.length")
    page.evaluate("() => void window.jupyterapp.commands.execute('notebook:restart-run-all')")  # it waits for the dialog
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    all_have_run()
    check_all()
    look("restarted")

    run_last("process.kill(process.pid, 'SIGKILL')")
    page.wait_for_selector(".jp-Dialog")
    check("a killed kernel is said to restart", "restart automatically" in page.locator(".jp-Dialog").inner_text(), page.locator(".jp-Dialog").inner_text())
    look("killed")
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    idle()
    run_last("6 * 7")
    shows("and does", "42")
    check("no error in the browser's console", not [p for p in problems if "WebSocket" not in p and "Failed to load resource" not in p], problems[:3])


sys.exit(main())
