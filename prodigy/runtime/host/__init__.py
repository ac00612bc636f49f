"""The host and its reactor: signals in, effects out."""
