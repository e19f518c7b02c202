"""What users hold: the sandbox, and the fresh import."""
