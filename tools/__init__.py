"""Run the steps of the Makefile's targets: one script a step."""
