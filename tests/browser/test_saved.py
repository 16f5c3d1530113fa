"""What is saved is the whole transcript: in the file, in nbconvert's page, and without a kernel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter

from tests.browser.conftest import Open, Watched
from tests.browser.lab import PREPARE, Notebook

WHOLE = f"{PREPARE}\nstory = Story([e for e in long_script() if not isinstance(e, Gate)])"


@pytest.fixture
def saved(notebook: Open) -> tuple[Notebook, dict[str, Any], str]:
    """A notebook whose stream has ended: it, its saved content, what a page of it must show."""
    book = notebook(WHOLE, "%%vibe_stream --title Story\nstory")
    book.run(0, 1)
    book.page.wait_for_selector(".vibe:not(.vibe-live)")
    book.cell(1).get_by_text("[2]:", exact=True).first.wait_for()
    return book, book.save(), book.ask(value="prints_of()")


def test_the_file_holds_the_transcript_in_three_forms_and_no_widget(
    saved: tuple[Notebook, dict[str, Any], str],
) -> None:
    book, content, prints = saved
    outputs = content["cells"][1]["outputs"]
    assert [out["output_type"] for out in outputs] == ["display_data"]
    data = {name: "".join(text) for name, text in outputs[0]["data"].items()}
    assert sorted(data) == ["text/html", "text/markdown", "text/plain"]
    book.ask("from vibe_notebook.display._output import bundle; transcripts = vibe.last().transcripts")
    forms = book.ask(value="[digest(t) for _, t in sorted(bundle(transcripts, title='Story').items())]")
    assert [book.page.evaluate("(t) => vibePages.digest(t)", data[name]) for name in sorted(data)] == forms
    for part in json.loads(prints):
        if part[0] == "thinking":
            assert part[1] in " ".join(data["text/plain"].split())
            assert part[1].split()[0] in data["text/markdown"]
    assert "widget" not in json.dumps(outputs)
    assert "widgets" not in content["metadata"]


def test_nbconverts_page_shows_the_whole_transcript(
    saved: tuple[Notebook, dict[str, Any], str], watched: Watched
) -> None:
    book, _, prints = saved
    page, _ = HTMLExporter(embed_images=True).from_filename(str(book.path))
    html = book.path.with_suffix(".html")
    html.write_text(page, encoding="utf-8")
    # nbconvert's own page loads MathJax and RequireJS from elsewhere: no test does.
    tab = watched.page.context.new_page()
    tab.route(lambda url: not url.startswith("file:"), lambda route: route.abort())
    tab.goto(html.as_uri(), wait_until="domcontentloaded")
    shown = tab.evaluate("() => vibePages.views().map(vibePages.prints)")
    tab.close()
    assert shown == [prints]
    assert "Loading widget" not in page


@pytest.mark.parametrize("is_trusted", [True, False])
def test_a_notebook_reopened_without_a_kernel_shows_the_whole_transcript(
    saved: tuple[Notebook, dict[str, Any], str], watched: Watched, lab_folder: Path, *, is_trusted: bool
) -> None:
    book, content, prints = saved
    # JupyterLab would start any kernel of the same language.
    content["metadata"]["kernelspec"] = {"name": "gone", "display_name": "Gone", "language": "gone"}
    content["metadata"].pop("language_info", None)
    node = nbformat.from_dict(content)
    copy = book.path.with_name(f"{book.path.stem}-copy.ipynb")
    nbformat.write(node, copy)
    if is_trusted:
        from nbformat.sign import NotebookNotary  # noqa: PLC0415 - only this case signs

        notary = NotebookNotary(data_dir=str(lab_folder / ".home" / "data"))
        notary.sign(nbformat.read(copy, as_version=4))
        notary.store.close()
    book.close()
    again = Notebook(book.page, book.url, copy)
    book.page.goto(f"{book.url}/lab/tree/{copy.name}?reset")
    again.wait_ready()
    book.page.locator(".jp-Dialog").get_by_role("button", name="No Kernel").click()
    again.wait_shows(prints)
    trusted = book.page.evaluate("() => vibePages.codeCells()[1].model.trusted")
    assert trusted is is_trusted
    assert book.page.evaluate("() => vibePages.kernel() == null")
    assert "Loading widget" not in book.page.locator(".jp-Notebook").inner_text()
    assert watched.foreign == []
