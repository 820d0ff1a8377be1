"""From a history to rows that may be learned from: moments, labels, splits, copies, open leads."""
