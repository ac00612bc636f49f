"""Claude Code: how it is called, what is said to it, and what its stream of JSON lines means.

`protocol` alone knows the lines of the conversation, `reading` makes of a whole transcript what an attempt came to,
`arguments` and `environment` are how the program is called, `narration` is what a person sees of it.
"""
