"""What a transcript looks like: the last step of the path, from a snapshot to a form that is shown.

Nothing is imported here, so that the static forms stay free of Jupyter: the live widget is in
``_widget.py``, the saved forms in ``_html.py``, ``_markdown_form.py`` and ``_text.py``, and the one
Markdown renderer that live and saved text share in ``_markdown.py``.
"""
