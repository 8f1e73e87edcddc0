"""`python -m recipes.memory`: see `recipes.memory.run`."""

import sys

from recipes.memory.run import main

if __name__ == "__main__":  # spawned processes import this module too
    sys.exit(main())
