"""Text in a form to be compared, and numbers, dates and times in their spoken and written forms."""
