"""Shell scripts with values, walled in: nothing outside this package knows how a shell reads.

How a `${name}` in a script travels to the child's environment:

1. `scan` reads the script once, when the workflow is loaded, with `frames` for what stands open, `text` for strings and
   here-documents, and `rules` for what the shells' own commands do with their arguments. It finds each `${...}` of ours
   and what its place demands of a value: one word, a number, text within quotes.
2. `script` keeps that: pieces of the author's text, and slots between them. A place where no value can be safe is a
   mistake with its line, before anything runs.
3. `values.render_script` runs before each attempt. It writes a reference to a variable, `"$PRODIGY_VALUE_1"`, into each
   slot, and puts the value beside the script; `render` says which quotes are needed there.
4. The kernel hands both on in the effect `Spawn`; `runtime/processes/commands.py` makes the variables part of the
   environment, or private files where they are too large.

`interpreter` says which programs are shells, and `dialect` what only bash knows.
"""
