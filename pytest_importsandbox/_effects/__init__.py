"""Import effects: all that an import does to a new interpreter.

`observer` records in the new interpreter, and `interpreter` starts it; `reading` turns the records into
`effects`; `report`, `flamegraph` and `comparison` show them. Nothing here knows of sandboxes.
"""
