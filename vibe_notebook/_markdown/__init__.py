"""Render Markdown, growing or whole, to sanitised HTML.

Pure: imports nothing of the package but ``exceptions`` and ``_limits``.
"""
