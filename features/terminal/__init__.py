"""What commands print: lines, tables and progress, whole at any width, on a screen as in a pipe."""
