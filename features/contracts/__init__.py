"""The shape of every record that crosses a wall: leads, events, stages, attempts."""
