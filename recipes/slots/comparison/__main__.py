"""`python -m recipes.slots.comparison`: see `recipes.slots.comparison.run`."""

import sys

from recipes.slots.comparison.run import main

if __name__ == "__main__":  # spawned processes import this module too
    sys.exit(main())
