"""Ask the user where an SDK waits by itself: hooks that it calls, and sources that resume its runs."""
