"""Measure what prodigy promises about speed and memory: `python -m bench`, or `make bench`.

Every promise is a ratio, or a time with generous room, because machines differ and are busy. What is compared is
measured in the same run, in turns, and reduced to medians. Nothing here is imported by prodigy.
"""
