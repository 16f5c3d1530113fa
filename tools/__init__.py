"""Scripts of the repository: what the Makefile's targets are made of."""
