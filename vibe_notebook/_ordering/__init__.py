"""Put numbered events into their order.

Pure: the clock is passed in.
"""
