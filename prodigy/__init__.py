"""Prodigy: an event-sourced orchestrator for long, costly, interruptible work."""

__version__ = "0.1.0"
