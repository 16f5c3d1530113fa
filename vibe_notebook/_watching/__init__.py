"""Watch a stream: read its source, feed the pipeline, finalize the view."""
