"""The sections of a playbook: what each field means, its unit and what it is if nobody says. Pure."""
