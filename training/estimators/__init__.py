"""What competes for a model: scikit-learn estimators, ours and brought along, that export terms or trees."""
