"""Show the runs that no code wraps, by the hooks that SDKs offer for all their runs."""
