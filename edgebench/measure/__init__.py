"""The child process: load, warm up, time, check."""
