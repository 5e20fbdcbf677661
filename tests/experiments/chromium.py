"""A browser for the tests: Chromium without a window, by Playwright."""

import contextlib
import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@contextlib.contextmanager
def browser():
    """Chromium; skips the test where there is none.

    It is `CHROMIUM`, a path in the environment, else on the PATH, else the one that
    `playwright install chromium` fetched.
    """
    api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    with api.sync_playwright() as playwright:
        path = found or playwright.chromium.executable_path
        if not os.path.exists(path):
            pytest.skip("no Chromium: apt install chromium, or playwright install chromium")
        # Of its sandbox it can make no use as root, as in most containers.
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()
