"""A stand-in for Claude Code: the same conversation, from a script, free of charge.

It imports nothing else of prodigy, and nothing of prodigy imports it: it is a program beside it, to try workflows with.
"""
