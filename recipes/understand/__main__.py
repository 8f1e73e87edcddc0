"""`python -m recipes.understand`: see `recipes.understand.run`."""

import sys

from recipes.understand.run import main

if __name__ == "__main__":  # spawned processes import this module too
    sys.exit(main())
