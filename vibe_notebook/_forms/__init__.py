"""Render a transcript as HTML, Markdown or text.

Pure: below ``transcript.py``, above ``parts.py`` and ``_markdown``.
"""
