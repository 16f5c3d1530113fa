"""Measured, never asserted: what showing a stream costs, ours and other ways side by side."""
