"""Processes: started, watched, ended, and what they print."""
