"""One folder per system: all that the hub knows of it. Imports the core only; usable from a plain Python shell."""
