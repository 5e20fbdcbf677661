"""The web page in a real browser: people who come with pictures, bad files, and at once."""

import io
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import urllib.parse

import chromium
import demo
import numpy as np
import pytest
from PIL import Image
from predicted_files import save_network

SAID = "#said textarea"
PATIENCE = 60_000  # milliseconds; a busy machine takes its time


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The page's address, and where it keeps pictures; ended by SIGTERM it keeps none."""
    pytest.importorskip("gradio", reason="pip install 'keras_saliency[demo]'")
    folder = tmp_path_factory.mktemp("demo")
    for name in ("red", "second"):
        save_network(folder / f"{name}.keras")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    models = ["--model", "red.keras", "--model", "second.keras"]
    (folder / "tmp").mkdir()
    process = subprocess.Popen(
        [sys.executable, demo.__file__, *models, "--port", port],
        cwd=folder, env={**os.environ, "TMPDIR": str(folder / "tmp")}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    said = next(line for line in process.stdout if line.startswith("http"))
    yield said.split()[0], folder / "tmp"
    process.send_signal(signal.SIGTERM)
    rest = process.communicate()[0]
    assert process.returncode == 0 and "Traceback" not in rest, rest
    assert not list((folder / "tmp").glob("keras_saliency_demo_*"))


@pytest.fixture(scope="module")
def started():
    with chromium.browser() as browser:
        yield browser


@pytest.fixture
def people(started, served):
    """Opens the page for one more person; notes whom their browser talks to."""
    contexts, hosts = [], set()

    def come():
        contexts.append(started.new_context(accept_downloads=True))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: hosts.add(urllib.parse.urlsplit(request.url).netloc))
        page.goto(served[0])
        page.wait_for_selector(SAID)
        return page

    yield come
    for context in contexts:
        context.close()
    assert hosts - {""} == {urllib.parse.urlsplit(served[0]).netloc}  # nobody else


def picture(path, color=(0, 0, 0), box=(0, 0, 1, 1), size=(120, 90)):
    """One of a color, with a red box in it, which is where the network looks."""
    made = Image.new("RGB", size, color)
    made.paste((255, 0, 0), box)
    made.save(path)
    return str(path)


def give(page, path):
    page.set_input_files("input[type=file]", path)


def wait_for(page, text):
    found = "([where, text]) => document.querySelector(where).value.includes(text)"
    page.wait_for_function(found, arg=[SAID, text], timeout=PATIENCE)


def downloaded(page, name):
    """A file that the page offers."""
    url = page.locator(f'a[download="{name}"]').get_attribute("href")
    return np.asarray(Image.open(io.BytesIO(page.request.get(url).body())))


def test_a_person_with_a_picture(people, tmp_path, served):
    page = people()
    assert "Pictures are not kept" in page.inner_text("body")
    give(page, picture(tmp_path / "left.png", box=(0, 0, 40, 30)))
    wait_for(page, "left.png, 120x90 pixels; the crop holds 100.0% of the attention")
    page.wait_for_selector("text=top left")
    said = page.inner_text("body")
    assert re.search(r"top left\s+9\d\.\d%\s+11\.1%\s+8\.\d\d", said)
    assert re.search(r"bottom right\s+0\.0%\s+11\.1%\s+0\.00", said)
    fine = downloaded(page, "left-png16.png")
    assert fine.shape == (90, 120) and fine.dtype == "uint16" and fine[10, 10] == 65535
    assert downloaded(page, "left-overlay.png").shape == (90, 120, 3)
    assert downloaded(page, "left-crop.png").shape == (90, 90, 3)
    assert page.get_by_label("Share").count() == 0
    for tab in ("Map", "Regions", "Crop"):
        page.get_by_role("tab", name=tab, exact=True).click()
        page.wait_for_selector("img:visible")
    assert list(pathlib.Path(served[1]).rglob("left.png"))  # for as long as it is looked at


def test_a_bad_file_is_a_line_and_the_next_one_works(people, tmp_path):
    page = people()
    (tmp_path / "notes.jpg").write_text("no picture")
    give(page, str(tmp_path / "notes.jpg"))
    wait_for(page, "notes.jpg is not a picture")
    page.get_by_label("Clear").click()
    give(page, picture(tmp_path / "good.png", box=(0, 0, 40, 30)))
    wait_for(page, "good.png, 120x90")


def test_two_people_at_once_get_each_their_own(people, tmp_path):
    boxes = {"left": (0, 0, 40, 30), "right": (80, 60, 120, 90)}
    pages = {name: people() for name in boxes}
    for name, page in pages.items():
        give(page, picture(tmp_path / f"{name}.png", box=boxes[name]))
    for name, page in pages.items():
        wait_for(page, f"{name}.png, 120x90")
        columns = np.nonzero(downloaded(page, f"{name}-png16.png") > 40000)[1]
        assert (columns.mean() < 60) == (name == "left"), name
