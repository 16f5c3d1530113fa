"""Put numbered events into their order, each of them once.

Pure, between the sources and the reducer: no thread, no lock, and the caller passes the clock in.
"""
