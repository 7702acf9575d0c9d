"""Reports of a result set: tables, figures, and a page that holds everything."""
