"""A draft of the playbook on recorded history: how many handoffs, how good, and who they are."""
