"""What commands print, whole at any width, on a screen as in a pipe; and the numbers people type."""
