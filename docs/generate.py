"""Write the reference pages that the code itself knows best: `python docs/generate.py`, first part of `make docs`."""
