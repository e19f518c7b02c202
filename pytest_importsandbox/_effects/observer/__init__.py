"""What runs in the new interpreter.

Its modules are handed over as code and run before the import begins. They load nothing that the interpreter
has not loaded already, but for built-in modules that are taken out of `sys.modules` again, and they keep
whatever they call in globals of their own: the import may delete or replace anything.
"""

# In the order in which they need each other.
PARTS = (
    "unseen",
    "recorder",
    "places",
    "rows",
    "state",
    "standard",
    "threads",
    "children",
    "events",
    "imports",
    "run",
)
