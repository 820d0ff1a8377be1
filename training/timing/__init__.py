"""The best moment to hand a lead over: labels, models, policies, their proof."""
