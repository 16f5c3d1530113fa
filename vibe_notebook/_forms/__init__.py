"""Render a transcript as HTML, Markdown or text.

Pure. ``transcript.py`` and ``display`` ask for the forms; the forms read ``parts.py`` and use ``_markdown``.
"""
