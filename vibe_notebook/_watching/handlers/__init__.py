"""Take the events that an SDK pushes."""
