"""Implement the magics that ``magic.py`` registers: options, targets, awaited cells."""
