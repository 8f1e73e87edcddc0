"""What recognizers and taggers share: settings, files, run directories, training, reports, grammars, n-grams."""
