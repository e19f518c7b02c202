"""Import effects: all that an import does to a new interpreter.

`observer` records in the new interpreter, and `interpreter` starts it; `reading` turns the records into the
values of `model`; `tree`, `flamegraph` and `comparison` show these in other ways. Nothing here knows of
sandboxes.
"""
