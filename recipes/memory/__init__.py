"""How long recurrent cells remember, and why."""
