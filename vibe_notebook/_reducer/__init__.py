"""Reduce ordered events to the parts of a transcript.

Pure: no thread, no loop, no clock.
"""
