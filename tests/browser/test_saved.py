"""Check that the saved form is the whole transcript: in the file, in nbconvert's page, without a kernel."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter
from nbformat.sign import NotebookNotary
from playwright.sync_api import BrowserContext

from tests.browser.conftest import Watched
from tests.browser.lab import PREPARE, Notebook, sha256, write_notebook

WHOLE = f"{PREPARE}\nstory = Story([e for e in long_script() if not isinstance(e, Gate)])"


@dataclass(frozen=True)
class Saved:
    """Hold a notebook whose stream has ended: its file, and the kernel's form of the transcript."""

    path: Path
    content: dict[str, Any]
    prints: str
    forms: dict[str, str]


@pytest.fixture(scope="module")
def saved(chromium: BrowserContext, lab: str, lab_folder: Path) -> Saved:
    page = chromium.new_page()
    path = write_notebook(lab_folder / "saved.ipynb", [WHOLE, "%%vibe_stream --title Story\nstory"])
    book = Notebook(page, lab, path)
    book.open()
    book.run(0, 1)
    page.wait_for_selector(".vibe:not(.vibe-live)")
    book.cell(1).get_by_text("[2]:", exact=True).first.wait_for()
    content, prints = book.save(), book.ask(value="prints_of()")
    book.ask("from vibe_notebook.display._output import bundle; transcripts = vibe.last().transcripts")
    forms = book.ask(value="{name: digest(t) for name, t in bundle(transcripts, title='Story').items()}")
    book.close()
    page.close()
    return Saved(path, content, prints, forms)


def test_the_file_holds_the_transcript_in_three_forms_and_no_widget(saved: Saved) -> None:
    outputs = saved.content["cells"][1]["outputs"]
    assert [out["output_type"] for out in outputs] == ["display_data"], [out.get("text") for out in outputs]
    data = {name: "".join(text) for name, text in outputs[0]["data"].items()}
    assert sorted(data) == ["text/html", "text/markdown", "text/plain"]
    assert {name: sha256(text) for name, text in data.items()} == saved.forms
    words = " ".join(data["text/plain"].split())
    assert all(part[1] in words for part in json.loads(saved.prints) if part[0] == "thinking")
    assert "widget" not in json.dumps(outputs)
    assert "widgets" not in saved.content["metadata"]


def test_nbconverts_page_shows_the_whole_transcript(saved: Saved, chromium: BrowserContext) -> None:
    page, _ = HTMLExporter().from_filename(str(saved.path))
    html = saved.path.with_suffix(".html")
    html.write_text(page, encoding="utf-8")
    tab = chromium.new_page()
    # nbconvert's own page loads MathJax and RequireJS from elsewhere: no test does.
    tab.route(lambda url: not url.startswith("file:"), lambda route: route.abort())
    tab.goto(html.as_uri(), wait_until="domcontentloaded")
    shown = tab.evaluate("() => vibePages.views().map(vibePages.prints)")
    tab.close()
    assert shown == [saved.prints]
    assert "Loading widget" not in page


@pytest.mark.parametrize("is_trusted", [True, False])
def test_a_notebook_reopened_without_a_kernel_shows_the_whole_transcript(
    saved: Saved, watched: Watched, lab: str, lab_folder: Path, *, is_trusted: bool
) -> None:
    content = copy.deepcopy(saved.content)
    # JupyterLab would start any kernel of the same language.
    content["metadata"]["kernelspec"] = {"name": "gone", "display_name": "Gone", "language": "gone"}
    content["metadata"].pop("language_info", None)
    content["metadata"]["case"] = is_trusted  # the same content would have the same signature
    path = lab_folder / f"reopened-{is_trusted}.ipynb"
    nbformat.write(nbformat.from_dict(content), path)
    if is_trusted:
        notary = NotebookNotary(data_dir=str(lab_folder / ".home" / "data"))
        notary.sign(nbformat.read(path, as_version=4))
        notary.store.close()
    page = watched.page
    book = Notebook(page, lab, path)
    page.goto(f"{lab}/lab/tree/{path.name}?reset")
    book.wait_ready()
    page.locator(".jp-Dialog").get_by_role("button", name="No Kernel").click()

    book.wait_shows(saved.prints)

    assert page.evaluate("() => vibePages.codeCells()[1].model.trusted") is is_trusted
    assert page.evaluate("() => vibePages.kernel() == null")
    assert "Loading widget" not in page.locator(".jp-Notebook").inner_text()
    assert watched.foreign == []
