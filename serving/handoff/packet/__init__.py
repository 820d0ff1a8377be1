"""What goes with a lead to sales. Pure."""
