"""The agreement between marketing and sales in a form that runs."""
