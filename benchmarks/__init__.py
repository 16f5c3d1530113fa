"""Measure the cost of showing a stream, with this package and with other ways; assert nothing."""
