"""The pytest side: one file for each thing that a run can ask for."""
