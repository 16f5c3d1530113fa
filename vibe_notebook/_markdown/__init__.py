"""Render Markdown, growing or whole, to sanitised HTML.

Below ``_forms`` (the saved forms) and ``display`` (the live view). Pure: the package imports nothing of
``vibe_notebook`` but ``_json_values``.
"""
