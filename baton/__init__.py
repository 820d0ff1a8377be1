"""Which leads will convert, why, and when to hand them over."""
