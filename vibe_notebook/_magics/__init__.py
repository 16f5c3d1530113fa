"""Implement the magics that ``magic.py`` registers: awaited cells, options, targets."""
