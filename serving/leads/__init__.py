"""Leads as people and programs ask about them: lists, cards, scores over time, what happened."""
