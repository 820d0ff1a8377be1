"""Models of conversion, and the contributions that explain them."""
