"""The import system: snapshot, restore, eviction, blocking, preserved modules. It knows nothing of pytest."""
