"""Pages, plots and learning curves of reports."""
