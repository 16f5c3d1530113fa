"""Reduce ordered events to the parts of a transcript.

Pure, between ordering and the registry: no thread, no event loop, no clock.
"""
