"""Whether a challenger replaces the champion, who would move, and the change of the aliases."""
