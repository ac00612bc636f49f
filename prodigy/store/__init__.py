"""Where it is kept: files, logs, locks. The only layer that writes a run's state."""
